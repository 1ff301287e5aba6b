//! What InferaDB's tokens cost by the number of their nodes, in both forms, and what a signature costs: against the "<1 ms" of
//! InferaDB's own document.

use std::hint::black_box;
use std::time::Instant;

use tower_zookie::token::{InferaDb, RevisionToken, Signing, SigningKey, TokenFormat, Zookie};
use tower_zookie_benches::{Effort, Report, Sample, interleaved};

const NODES: [usize; 4] = [1, 3, 10, 100];

/// The nanoseconds of one call.
type Row = (&'static str, Box<dyn FnMut() -> f64>);

fn main() -> std::io::Result<()> {
    let effort = Effort::from_args();
    let calls = effort.pick(20, 2000, 10_000);
    let rounds = effort.pick(2, 21, 101);
    let mut report = Report::new("tokens");
    for nodes in NODES {
        let setting = format!("{nodes} nodes");
        for (form, text) in [
            ("JSON", group(nodes, 0).encode()),
            ("compact", group(nodes, 0).encode_compact()),
        ] {
            report.counted("length", &setting, form, text.len() as f64, "bytes");
        }
        let (names, mut candidates): (Vec<_>, Vec<_>) = rows(nodes, calls).into_iter().unzip();
        let times = interleaved(rounds, &mut candidates);
        for (name, times) in names.into_iter().zip(times) {
            report.measured(name, &setting, "time", Sample::of(&times), "ns");
        }
    }
    report.finish()
}

/// Nodes of one group in regions, with numbers of realistic size.
fn group(nodes: usize, more: u64) -> RevisionToken {
    let clock = (0..nodes).map(|node| {
        (
            format!("us-west-{node}@8f3a2c41"),
            100_003 + node as u64 * 90_001 + more,
        )
    });
    RevisionToken::with_vector_clock("us-west-0@8f3a2c41", 100_003 + more, clock)
}

fn rows(nodes: usize, calls: usize) -> Vec<Row> {
    // 100 nodes take more than 4 KiB of JSON.
    let format = InferaDb::cluster("bench").max_len(tower_zookie::ByteSize::kibi(16));
    let (one, other) = (group(nodes, 0), group(nodes, 1));
    let texts = [one.encode(), one.encode_compact()];
    let revisions = [&texts[0], &other.encode()].map(|text| format.decode(text).expect("valid"));
    let signing = Signing::new(SigningKey::new("bench", [7; 32]).expect("valid"));
    let zookie = Zookie::new(&texts[1], 16 << 10).expect("valid");
    let signed = signing.sign(&zookie);
    let decode = |text: String| {
        let format = format.clone();
        row(calls, move || drop(black_box(format.decode(black_box(&text)))))
    };
    let [json, compact] = texts;
    let (a, b) = (one.clone(), one.clone());
    let [first, second] = revisions;
    let (third, fourth) = (first.clone(), second.clone());
    let verifies = signing.clone();
    vec![
        ("encode, JSON", row(calls, move || drop(black_box(a.encode())))),
        (
            "encode, compact",
            row(calls, move || drop(black_box(b.encode_compact()))),
        ),
        ("decode, JSON", decode(json)),
        ("decode, compact", decode(compact)),
        (
            "compare",
            row(calls, move || {
                black_box(black_box(&first) < black_box(&second));
            }),
        ),
        ("join", row(calls, move || drop(black_box(third.join(&fourth))))),
        (
            "merge of tokens",
            row(calls, move || drop(black_box(one.merge(&other)))),
        ),
        ("sign", row(calls, move || drop(black_box(signing.sign(&zookie))))),
        (
            "verify",
            row(calls, move || drop(black_box(verifies.verify(signed.as_str())))),
        ),
    ]
}

fn row(calls: usize, mut call: impl FnMut() + 'static) -> Box<dyn FnMut() -> f64> {
    Box::new(move || {
        let began = Instant::now();
        (0..calls).for_each(|_| call());
        began.elapsed().as_nanos() as f64 / calls as f64
    })
}

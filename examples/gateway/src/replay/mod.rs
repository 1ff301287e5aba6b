//! Drives the service with a recorded popularity sequence and recorded writes, and judges every reply.

mod client;
mod questions;
mod report;
mod requests;
mod tokens;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gateway::AnyError;
use gateway::checker::{self, Bounds, Judge, Write};
use gateway::data;
use gateway::layer::{self, Settings};
use gateway::service::Gateway;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_zookie::store::{History, Store};

use self::client::{Client, Record};
use self::questions::Questions;
use self::tokens::Tokens;
use crate::serve;

const CLIENTS: u32 = 32;
/// The most transactions that are written during the run; all before them are loaded at its start.
const MOST_WRITES: usize = 600;
const SHOWN: usize = 10;

pub(crate) struct Plan {
    pub(crate) data: PathBuf,
    pub(crate) seconds: u32,
    pub(crate) quantize: Duration,
    /// `None`: without the layer.
    pub(crate) layer: Option<Settings>,
    /// Whether the layer follows the store's change feed.
    pub(crate) follows: bool,
}

/// What clients and writer share.
#[derive(Debug)]
struct Scene {
    began: Instant,
    questions: Questions,
    tokens: Tokens,
    next: AtomicUsize,
    replies: AtomicU64,
}

impl Scene {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

pub(crate) async fn run(plan: Plan) -> Result<ExitCode, AnyError> {
    let history = History::open(&plan.data)?;
    let schema = history.schema.source().to_owned();
    let recorded = checker::transactions(&std::fs::read_to_string(plan.data.join("transactions.jsonl"))?)?;
    let loaded = recorded.len() - MOST_WRITES.min(recorded.len() / 2);

    let store = Arc::new(Store::new(history.schema));
    let revisions = data::write_all(&store, &history.transactions[..loaded])?;
    let mut writes: Vec<Write> = Vec::with_capacity(recorded.len());
    for (&revision, changes) in revisions.iter().zip(&recorded) {
        writes.push(Write {
            revision,
            acknowledged: Duration::ZERO,
            changes: changes.clone(),
        });
    }

    let layer = plan.layer.map(layer::build).transpose()?;
    if let Some(layer) = layer.as_ref().filter(|_| plan.follows) {
        layer::follow(layer, Arc::clone(&store));
    }
    let handle = layer.as_ref().map(|layer| layer.handle());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let end = async move { drop(stopped.await) };
    let gateway = Gateway::new(Arc::clone(&store), plan.quantize);
    let server = tokio::spawn(async move { serve(listener, gateway, layer, end).await });

    let scene = Arc::new(Scene {
        began: Instant::now(),
        questions: Questions::new(&schema, &recorded, &plan.data)?,
        tokens: Tokens::new(store.node_id(), &revisions),
        next: AtomicUsize::new(0),
        replies: AtomicU64::new(0),
    });
    let length = Duration::from_secs(plan.seconds.into());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client::new(number, address, Arc::clone(&scene));
        clients.spawn(client.run(length));
    }
    let rest: Vec<_> = recorded[loaded..]
        .iter()
        .cloned()
        .zip(history.transactions[loaded..].iter().cloned())
        .collect();
    println!(
        "{} transactions loaded, {} to be written, {CLIENTS} clients",
        loaded,
        rest.len()
    );
    let writer = tokio::spawn(writer::run(Arc::clone(&scene), store, address, rest, length));
    report::progress(&scene, handle.as_ref(), length).await;

    let mut records: Vec<Record> = Vec::new();
    while let Some(of_one) = clients.join_next().await {
        records.extend(of_one?);
    }
    writes.extend(writer.await??);
    let took = scene.now().min(length);
    drop(stop);
    server.await??;

    report::table(&records, took, handle.as_ref());
    let bounds = Bounds {
        layer: plan.layer.map_or(Duration::ZERO, |settings| settings.bound()),
        store: plan.quantize,
    };
    let mut failures = Vec::new();
    let mut replies = Vec::with_capacity(records.len());
    for record in records {
        replies.extend(record.replies);
        failures.extend(record.failure);
    }
    println!("\nre-evaluating {} replies at their revisions", replies.len());
    let violations = Judge::new(&schema, writes, bounds)?.judge(replies);
    // Every request of the replay has an answer, so an error is a finding too.
    let found = violations.len() + failures.len();
    let shown = violations.iter().map(ToString::to_string).chain(failures);
    shown.take(SHOWN).for_each(|line| println!("  {line}"));
    println!("violations: {found}");
    Ok(if found == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The next rank of the popularity sequence, from its start again after its end.
fn next_rank(scene: &Scene) -> u32 {
    let index = scene.next.fetch_add(1, Ordering::Relaxed);
    scene.questions.rank(index)
}

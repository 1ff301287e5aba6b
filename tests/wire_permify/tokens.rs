//! The eight recorded concurrent writes: which token covers which other one, as seen in what the layer asks.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::model::paused;
use tower_zookie_testing::wire::permify::{token, with_token, written};
use tower_zookie_testing::wire::{Recording, Session};

/// A write's token, read without the crate's code.
#[derive(Clone, Debug)]
struct WriteToken {
    text: String,
    xid: u64,
    xmin: u64,
}

impl WriteToken {
    fn read(text: String) -> Self {
        let snapshot = String::from_utf8(STANDARD.decode(&text).unwrap()).unwrap();
        let mut parts = snapshot.split(':').map(|part| part.parse().unwrap());
        let (xid, xmin) = (parts.next().unwrap(), parts.next().unwrap());
        Self { text, xid, xmin }
    }

    /// Everything that a read at the other may see had ended, or they are the same.
    fn covers(&self, other: &Self) -> bool {
        self.text == other.text || other.xid < self.xmin
    }
}

/// The concurrent writes and those before and after them, in the order of the recording, with a check at each.
static RECORDED: LazyLock<(Recording, Vec<WriteToken>)> = LazyLock::new(|| {
    let recording = Recording::load("permify/grpc-postgres");
    let calls = recording.calls.iter().filter(|call| call.n > 42 && call.n < 56);
    let tokens: Vec<_> = calls.filter_map(|call| written(call)).map(WriteToken::read).collect();
    let check = recording.call("check-allowed").clone();
    let recording = tokens.iter().fold(recording, |recording, token| {
        let request = with_token(&check.request, Some(&token.text));
        recording.and(&token.text, request, check.response.clone())
    });
    (recording, tokens)
});

/// The write of this transaction.
fn named(xid: u64) -> &'static WriteToken {
    RECORDED.1.iter().find(|token| token.xid == xid).unwrap()
}

/// A check with this token.
fn check_at(token: &WriteToken) -> Request<Bytes> {
    RECORDED.0.call(&token.text).request.clone()
}

async fn session_after(writes: &[WriteToken]) -> Session<Engine> {
    let session = Session::new(&RECORDED.0, Engine::Postgres);
    for write in writes {
        session.see(&RECORDED.0, &write.text).await;
    }
    session
}

/// The token that a check at this write is asked at, and whether its answer is stored.
async fn asked_at(session: &Session<Engine>, write: &WriteToken) -> (WriteToken, bool) {
    let before = session.upstream.calls();
    let reply = session.send(&check_at(write)).await;
    let asked = session.upstream.asked().split_off(before);
    assert_eq!(asked.len(), 1);
    let asked = token(&asked[0].request).unwrap();
    (WriteToken::read(asked), reply.cache_status().contains("; stored"))
}

async fn asks_in_their_true_order(writes: &[WriteToken]) -> Result<(), TestCaseError> {
    for token in &RECORDED.1 {
        let session = session_after(writes).await;
        let (asked, stored) = asked_at(&session, token).await;
        prop_assert!(asked.covers(token), "{:?} was asked at {:?}", token, asked);
        let covering = writes.iter().any(|write| write.covers(token));
        prop_assert_eq!(stored, covering, "{:?}", token);
        match writes.first() {
            Some(window) if window.covers(token) => prop_assert_eq!(&asked.text, &window.text),
            _ if covering => prop_assert!(writes.iter().any(|write| write.text == asked.text)),
            _ => prop_assert_eq!(&asked.text, &token.text, "unmodified"),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn rule_01_a_check_is_asked_at_a_write_that_covers_it(
        writes in Just(RECORDED.1.clone()).prop_shuffle(), seen in 0..12usize,
    ) {
        paused(asks_in_their_true_order(&writes[..seen.min(writes.len())]))?;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_01_neither_number_nor_reply_order_matters() {
    let tokens = &RECORDED.1;
    assert!(!tokens.is_sorted_by_key(|token| token.xid));
    let mut by_number = tokens.clone();
    by_number.sort_by_key(|token| token.xid);
    let reversed: Vec<_> = by_number.iter().rev().cloned().collect();
    for writes in [tokens, &by_number, &reversed] {
        for seen in 1..=writes.len() {
            asks_in_their_true_order(&writes[..seen]).await.unwrap();
        }
    }
}

/// Which of the concurrent writes the window of each write covers.
#[tokio::test(start_paused = true)]
async fn rule_01_the_windows_of_concurrent_writes() {
    for (window, covered) in [
        (1276, &[1276][..]),
        (1277, &[1277]),
        (1278, &[1276, 1277, 1278]),
        (1279, &[1276, 1277, 1279]),
        (1280, &[1276, 1277, 1280]),
        (1281, &[1276, 1277, 1281]),
        (1282, &[1276, 1277, 1282]),
        (1283, &[1276, 1277, 1278, 1283]),
        (1284, &[1276, 1277, 1278, 1279, 1280, 1281, 1282, 1283, 1284]),
    ] {
        let mut shared = Vec::new();
        for xid in 1276..=1284 {
            let session = session_after(&[named(window).clone()]).await;
            let (asked, stored) = asked_at(&session, named(xid)).await;
            assert_eq!(asked.xid, if stored { window } else { xid });
            shared.extend(stored.then_some(xid));
        }
        assert_eq!(shared, covered, "in the window of {window}");
    }
}

/// The writer of 1280 got its reply after the writer of 1282, whose snapshot lacks 1280.
#[tokio::test(start_paused = true)]
async fn rule_01_a_higher_number_does_not_serve_the_lower_writer() {
    let session = session_after(&[named(1282).clone()]).await;
    assert!(
        session
            .send(&check_at(named(1282)))
            .await
            .cache_status()
            .contains("; stored")
    );
    assert!(session.send(&check_at(named(1282))).await.is_hit());
    assert_eq!(asked_at(&session, named(1280)).await.0.xid, 1280, "unmodified");

    session.see(&RECORDED.0, &named(1280).text).await;
    let (asked, stored) = asked_at(&session, named(1280)).await;
    assert_eq!((asked.xid, stored), (1280, true));

    // The next write covers both.
    session.see(&RECORDED.0, &named(1284).text).await;
    let (asked, stored) = asked_at(&session, named(1283)).await;
    assert_eq!((asked.xid, stored), (1284, true));
    for xid in [1280, 1282, 1283, 1284] {
        assert!(session.send(&check_at(named(xid))).await.is_hit(), "{xid}");
    }
}

/// No single read surely includes both writes, and head may include neither.
#[tokio::test(start_paused = true)]
async fn rule_01_two_tokens_without_a_join_are_rejected() {
    let [header, message] = [1280, 1282].map(named);
    let mut request = check_at(message);
    let value = HeaderValue::from_str(&header.text).unwrap();
    request.headers_mut().insert("zookie", value);
    for writes in [vec![], vec![header], vec![header, message]] {
        let writes: Vec<_> = writes.into_iter().cloned().collect();
        let session = session_after(&writes).await;
        let before = session.upstream.calls();
        let reply = session.send(&request).await;
        assert_eq!(reply.cache_status(), r#"detail="rejected: zookies-do-not-join""#);
        assert!(session.asked(before).is_empty());
    }
}

/// A read at one of them sees more once those below it have ended.
#[tokio::test(start_paused = true)]
async fn rule_02_concurrent_exact_reads_are_stored_once_settled() {
    for xid in 1276..=1283 {
        let exact = crate::exact::exactly(&check_at(named(xid)));
        let session = session_after(&[named(xid).clone()]).await;
        // All below these two had ended when they were written.
        let settled = [1276, 1278].contains(&xid);
        session.send(&exact).await;
        assert_eq!(session.send(&exact).await.is_hit(), settled, "{xid}");

        session.see(&RECORDED.0, &named(1284).text).await;
        session.send(&exact).await;
        assert!(session.send(&exact).await.is_hit(), "{xid}");
    }
}

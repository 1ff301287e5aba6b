//! What the protocols allocate where every request passes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use http::Request;
use http::request::Parts as Head;
use tower_zookie::cache::Keyer;
use tower_zookie::protocol::{AuthZen, CheckRoute, Claim, Key, Protocol, Routes, Verdict};
use tower_zookie::revision::Revision;
use tower_zookie::token::{Carriers, TokenError, TokenErrorKind, TokenFormat, Zookie};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATIONS.get();
    let done = work();
    (ALLOCATIONS.get() - before, done)
}

#[derive(Debug)]
struct NoTokens;

impl TokenFormat for NoTokens {
    fn decode(&self, _: &str) -> Result<Revision, TokenError> {
        Err(TokenErrorKind::Foreign.into())
    }

    fn encode(&self, _: &Revision) -> Option<Zookie> {
        None
    }
}

fn head(method: &str, uri: &str) -> Head {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("content-type", "application/json").body(());
    request.expect("a request").into_parts().0
}

fn allocates_nothing(protocol: &impl Protocol, head: &Head, body: &'static str) {
    let (count, claim) = allocations(|| protocol.claim(head));
    assert_eq!(count, 0);
    let (Claim::Head(route) | Claim::Body(route)) = claim else {
        panic!("{head:?} passes");
    };
    let message = Bytes::from_static(body.as_bytes());
    let carriers = Carriers::default();
    let base = Keyer::random().question("test");
    let key = Key {
        base,
        carriers: &carriers,
    };
    let (count, call) = allocations(|| protocol.read(route, head, &message, key));
    assert!(call.is_ok(), "{call:?}");
    assert_eq!(count, 0);
}

#[test]
fn a_single_question_is_read_without_allocating() {
    let evaluation = head("POST", "/access/v1/evaluation?zookie=1&model=2");
    let body = r#"{
        "subject": {"type": "user", "id": "u1", "properties": {"roles": ["a", "b"], "level": 3}},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
        "context": {"ip": "::1"}
    }"#;
    allocates_nothing(&AuthZen::new(NoTokens), &evaluation, body);

    let verdict = || Verdict::json("allowed");
    let routes = Routes::builder(NoTokens)
        .check(CheckRoute::get("/v1/{tenant}/check").verdict(verdict()))
        .check(CheckRoute::post("/allow").verdict(verdict()))
        .check(CheckRoute::post("/in-body").verdict(verdict()).request_token("zookie"))
        .build()
        .expect("valid routes");
    allocates_nothing(&routes, &head("GET", "/v1/t1/check?user=u1&doc=1&zookie=x"), "");
    allocates_nothing(&routes, &head("POST", "/allow"), "{}");
    allocates_nothing(&routes, &head("POST", "/in-body"), r#"{"user":"u1","doc":{"id":1}}"#);
}

#[test]
fn what_is_not_claimed_allocates_nothing() {
    let head = head("POST", "/somewhere/else");
    let (count, claim) = allocations(|| AuthZen::new(NoTokens).base_path("/{x}").map(|api| api.claim(&head)));
    assert!(count > 0, "the counter counts");
    assert_eq!(claim, Ok(Claim::Pass));
    let api = AuthZen::new(NoTokens);
    assert_eq!(allocations(|| api.claim(&head)), (0, Claim::Pass));
}

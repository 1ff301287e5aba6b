//! What the protocols allocate on the path of every request.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request};
use tower_zookie::cache::Keyer;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::protocol::{AuthZen, CheckRoute, Claim, Key, Permify, Protocol, Routes, SpiceDb, Verdict, permify};
use tower_zookie::revision::Revision;
use tower_zookie::token::{Carriers, TokenError, TokenErrorKind, TokenFormat, Zookie};
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::messages::{self, Kind};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unmodified.
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

fn parts(method: &str, uri: &str) -> Parts {
    let request = Request::builder().method(method).uri(uri);
    let request = request.header("content-type", "application/json").body(());
    request.expect("a request").into_parts().0
}

fn allocates_nothing(protocol: &impl Protocol, parts: &Parts, body: &[u8]) {
    let (count, claim) = allocations(|| protocol.claim(&parts.method, &parts.uri, &parts.headers));
    assert_eq!(count, 0);
    let (Claim::Parts(route) | Claim::Body(route)) = claim else {
        panic!("{parts:?} passes");
    };
    // Shared, like what a server has read: the first clone of bytes that are not shared allocates.
    let message = Bytes::copy_from_slice(body);
    let _shared = message.clone();
    let carriers = Carriers::default();
    let base = Keyer::random().question("test");
    let key = Key::new(base, &carriers, &parts.uri);
    let (count, call) = allocations(|| protocol.read(route, parts, &message, key));
    assert!(call.is_ok(), "{call:?}");
    assert_eq!(count, 0);
}

#[test]
fn a_single_question_is_read_without_allocating() {
    let evaluation = parts("POST", "/access/v1/evaluation?zookie=1&model=2");
    let body = br#"{
        "subject": {"type": "user", "id": "u1", "properties": {"roles": ["a", "b"], "level": 3}},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
        "context": {"ip": "::1"}
    }"#;
    allocates_nothing(&AuthZen::new(NoTokens), &evaluation, body);

    let decision = || Verdict::json("allowed");
    let routes = Routes::builder(NoTokens)
        .check(CheckRoute::get("/v1/{tenant}/check").verdict(decision()))
        .check(CheckRoute::post("/allow").verdict(decision()))
        .check(CheckRoute::post("/in-body").verdict(decision()).request_token("zookie"))
        .build()
        .expect("valid routes");
    allocates_nothing(&routes, &parts("GET", "/v1/t1/check?user=u1&doc=1&zookie=x"), b"");
    allocates_nothing(&routes, &parts("POST", "/allow"), b"{}");
    allocates_nothing(&routes, &parts("POST", "/in-body"), br#"{"user":"u1","doc":{"id":1}}"#);
}

#[test]
fn a_grpc_question_is_read_without_allocating() {
    let mut check = parts("POST", "/authzed.api.v1.PermissionsService/CheckPermission");
    let grpc = HeaderValue::from_static("application/grpc");
    check.headers.insert("content-type", grpc);
    let spicedb = SpiceDb::new(Engine::Postgres);
    let mut message = messages::check("plan", "alice", messages::at_least("token"));
    allocates_nothing(&spicedb, &check, &framed(&message));
    message.context = messages::context(&[("amount", Kind::NumberValue(50.0))]);
    allocates_nothing(&spicedb, &check, &framed(&message));
}

#[test]
fn a_question_to_permifys_gateway_is_read_without_allocating() {
    let permify = Permify::new(permify::Engine::Postgres);
    let body = br#"{
        "metadata": {"schema_version": "v1", "snap_token": "", "depth": 20},
        "entity": {"type": "document", "id": "plan"},
        "permission": "view",
        "subject": {"type": "user", "id": "alice", "relation": ""},
        "context": {"tuples": [], "attributes": [], "data": {"floor": 3}}
    }"#;
    for call in ["check", "expand"] {
        let path = format!("/v1/tenants/t1/permissions/{call}");
        allocates_nothing(&permify, &parts("POST", &path), body);
    }
    for path in ["/v1/tenants/t1/watch", "/v1/tenants/t1", "/somewhere/else"] {
        let parts = parts("POST", path);
        let claim = || permify.claim(&parts.method, &parts.uri, &parts.headers);
        assert_eq!(allocations(claim), (0, Claim::Pass), "{path}");
    }
}

#[test]
fn unclaimed_requests_allocate_nothing() {
    let parts = parts("POST", "/somewhere/else");
    let (count, claim) = allocations(|| {
        AuthZen::new(NoTokens)
            .base_path("/{x}")
            .map(|api| api.claim(&parts.method, &parts.uri, &parts.headers))
    });
    assert!(count > 0, "the counter counts");
    assert_eq!(claim, Ok(Claim::Pass));
    let api = AuthZen::new(NoTokens);
    assert_eq!(
        allocations(|| api.claim(&parts.method, &parts.uri, &parts.headers)),
        (0, Claim::Pass)
    );
    let spicedb = SpiceDb::new(Engine::Postgres);
    assert_eq!(
        allocations(|| spicedb.claim(&parts.method, &parts.uri, &parts.headers)),
        (0, Claim::Pass)
    );
}

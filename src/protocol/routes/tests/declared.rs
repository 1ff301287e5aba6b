use crate::protocol::routes::tests::*;

#[test]
fn claims_declared_routes() {
    let claim = |method, uri, headers: &[_]| claimed(&api(), &parts(method, uri, headers));
    for (method, uri, expected) in [
        ("GET", "/check?user=u1", Claim::Parts(Route(0))),
        ("POST", "/v1/t1/allow", Claim::Body(Route(1))),
        ("POST", "/in-body", Claim::Body(Route(2))),
        ("GET", "/files/a/b", Claim::Parts(Route(3))),
        ("POST", "/relationships", Claim::Parts(Route(4))),
        ("PUT", "/schema", Claim::Parts(Route(5))),
        ("DELETE", "/relationships", Claim::Parts(Route(6))),
        ("PATCH", "/relationships", Claim::Parts(Route(7))),
        ("HEAD", "/check", Claim::Pass),
        ("POST", "/check", Claim::Pass),
        ("GET", "/check/", Claim::Pass),
        ("GET", "/files//b", Claim::Pass),
        ("GET", "/relationships", Claim::Pass),
    ] {
        assert_eq!(claim(method, uri, &[]), expected, "{method} {uri}");
    }
}

#[test]
fn the_first_declared_wins() {
    let api = Routes::builder(Numbers)
        .write(WriteRoute::post("/a/b"))
        .check(CheckRoute::post("/a/{any}").verdict(allowed()))
        .build()
        .unwrap();
    assert_eq!(claimed(&api, &parts("POST", "/a/b", &[])), Claim::Parts(Route(0)));
    assert_eq!(claimed(&api, &parts("POST", "/a/c", &[])), Claim::Body(Route(1)));
}

#[test]
fn invalid_declarations_are_rejected_with_a_reason() {
    let check = |route| Routes::builder(Numbers).check(route);
    let get = || CheckRoute::get("/a").verdict(allowed());
    for (routes, message) in [
        (
            check(CheckRoute::get("a").verdict(allowed())),
            "GET a: a path begins with `/`",
        ),
        (
            check(CheckRoute::get("/a")),
            "GET /a: the route has no verdict; declare where the reply has it, with `.verdict(…)`",
        ),
        (
            check(CheckRoute::get("/a").verdict(Verdict::json(""))),
            "GET /a: the verdict's JSON pointer is malformed; use a member's name or `/a/b`",
        ),
        (
            check(CheckRoute::get("/a").verdict(Verdict::status(200, 200))),
            "GET /a: allowed and denied have the same status; use two different ones",
        ),
        (
            check(CheckRoute::get("/a").verdict(Verdict::status(200, 500))),
            "GET /a: a verdict's status must be a 2xx or a 4xx",
        ),
        (
            check(get().request_token("zookie")),
            "GET /a: a GET check has no body to hold a token; use a query parameter or a header",
        ),
        (
            check(CheckRoute::post("/a").verdict(allowed()).request_token("")),
            "POST /a: the token's member has an empty name; give its name",
        ),
        (
            check(get().reply_token("/~")),
            "GET /a: the token's JSON pointer is malformed; use a member's name or `/a/b`",
        ),
        (
            check(get())
                .check(CheckRoute::get("/{x}").verdict(allowed()))
                .check(CheckRoute::get("/{y}").verdict(allowed())),
            "GET /{y}: the route is declared twice; remove one of them",
        ),
        (
            check(CheckRoute::post("/a").verdict(allowed())).write(WriteRoute::post("/a")),
            "POST /a: the route is declared twice; remove one of them",
        ),
        (
            Routes::builder(Numbers).write(WriteRoute::post("/a/")),
            "POST /a/: a path can't contain `//` or end with `/`",
        ),
    ] {
        assert_eq!(routes.build().unwrap_err().to_string(), message);
    }
    assert!(check(get()).write(WriteRoute::post("/a")).build().is_ok());
}

#[test]
fn rule_10_a_check_with_an_unexpected_body_is_unreadable() {
    let read = |header| ask(&base(), "GET", "/check", &[header], "");
    assert!(read(("content-length", "0")).is_ok());
    assert!(read(("content-length", "2")).is_err());
    assert!(read(("transfer-encoding", "chunked")).is_err());
}

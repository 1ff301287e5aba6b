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
    let post = || CheckRoute::post("/a").verdict(allowed());
    let status = |allowed, denied| check(CheckRoute::get("/a").verdict(Verdict::status(allowed, denied)));
    for (routes, message) in [
        (
            check(CheckRoute::get("a").verdict(allowed())),
            "GET a: a path begins with `/`, without a scheme and a host; add the `/`",
        ),
        (
            check(CheckRoute::get("/a?user={user}").verdict(allowed())),
            "GET /a?user={user}: a path has no `?` and no `#`; leave them out, the query is read and keyed anyway",
        ),
        (
            check(CheckRoute::get("/v1/:org/check").verdict(allowed())),
            "GET /v1/:org/check: `:org` is no capture; write `{org}`, with only letters, digits and `_` in the name",
        ),
        (
            Routes::builder(Numbers).write(WriteRoute::put("/files/*path")),
            "PUT /files/*path: `*path` is no capture; write `{*path}`, with only letters, digits and `_` in the name",
        ),
        (
            Routes::builder(Numbers).write(WriteRoute::post("/a/")),
            "POST /a/: a path can't contain `//` or end with `/`; leave out the `/` that is too many",
        ),
        (
            check(CheckRoute::get("/a")),
            "GET /a: the route has no verdict; declare where the reply has it, with `.verdict(…)`",
        ),
        (
            check(CheckRoute::get("/a").verdict(Verdict::json(""))),
            "GET /a: the pointer of `Verdict::json` is empty; name the member, such as `allowed`, or use a pointer, such as `/a/b`",
        ),
        (
            check(CheckRoute::get("/a").verdict(Verdict::json("result.allowed"))),
            "GET /a: the pointer of `Verdict::json` is `result.allowed`; write `/result/allowed`, \
             or `/result.allowed` for one member of this name",
        ),
        (
            check(get().reply_token("meta/zookie")),
            "GET /a: `reply_token` is `meta/zookie`; write `/meta/zookie`, or `/meta~1zookie` for one member of this name",
        ),
        (
            check(get().reply_token("/~")),
            "GET /a: `reply_token` has a stray `~`; write `~0` for `~`, and `~1` for `/` in a name",
        ),
        (
            Routes::builder(Numbers).write(WriteRoute::post("/a").reply_token("$.zookie")),
            "POST /a: `reply_token` is `$.zookie`; write `/zookie`, or `/$.zookie` for one member of this name",
        ),
        (
            check(post().request_token("at.token")),
            "POST /a: `request_token` is `at.token`; write `/at/token`, or `/at.token` for one member of this name",
        ),
        (
            check(post().request_token("")),
            "POST /a: `request_token` is empty; name the member, such as `allowed`, or use a pointer, such as `/a/b`",
        ),
        (
            check(get().request_token("zookie")),
            "GET /a: a GET check has no body to hold a token; use a query parameter or a header, and leave out `request_token`",
        ),
        (
            status(200, 200),
            "GET /a: allowed and denied have the same status; use two different ones",
        ),
        (
            status(200, 500),
            "GET /a: the status 500 is neither a 2xx nor a 4xx, and is no verdict; use others, such as 200 and 403",
        ),
        (
            status(200, 409),
            "GET /a: the status 409 rejects the revision of the request's token, and is no verdict; \
             use others, such as 200 and 403",
        ),
        (
            status(200, 401),
            "GET /a: the status 401 is about the caller's credential, and is no verdict; use others, such as 200 and 403",
        ),
        (
            status(200, 429),
            "GET /a: the status 429 asks to send the request again, and is no verdict; use others, such as 200 and 403",
        ),
        (
            check(
                CheckRoute::post("/a")
                    .verdict(Verdict::status(204, 403))
                    .reply_token("zookie"),
            ),
            "POST /a: a 204 has no body, so `reply_token` would never be found there; \
             reply with 200, or name the token in the header",
        ),
        (
            check(get())
                .check(CheckRoute::get("/{x}").verdict(allowed()))
                .check(CheckRoute::get("/{y}").verdict(allowed())),
            "GET /{y}: the route is declared twice, first as `GET /{x}`; remove one of them",
        ),
        (
            check(post()).write(WriteRoute::post("/a")),
            "POST /a: the route is declared twice, first as `POST /a`; remove one of them",
        ),
        (
            check(CheckRoute::post("/{*all}").verdict(allowed())).write(WriteRoute::post("/a/b")),
            "POST /a/b: the route never matches, because `POST /{*all}` is declared before it and matches the same paths; \
             declare it first",
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

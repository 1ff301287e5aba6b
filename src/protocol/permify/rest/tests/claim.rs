use crate::protocol::permify::rest::tests::*;

const POST: [(&str, &str); 17] = [
    ("permissions/check", "body"),
    ("permissions/bulk-check", "body"),
    ("permissions/expand", "body"),
    ("permissions/lookup-entity", "body"),
    ("permissions/lookup-entity-stream", "body"),
    ("permissions/lookup-subject", "body"),
    ("permissions/subject-permission", "body"),
    ("data/relationships/read", "body"),
    ("data/attributes/read", "body"),
    ("data/write", "relationships"),
    ("data/delete", "relationships"),
    ("data/run-bundle", "relationships"),
    ("relationships/write", "relationships"),
    ("relationships/delete", "relationships"),
    ("schemas/write", "schema"),
    ("schemas/partial-write", "pass"),
    ("", "pass"),
];

/// How a request is claimed, and the kind of a write.
fn claim(method: &str, path: &str) -> &'static str {
    let parts = parts(method, path, &[]);
    match claimed(&api(), &parts) {
        Claim::Pass => "pass",
        Claim::Body(_) => "body",
        Claim::Floor(_) => "floor",
        Claim::Parts(route) => match testing::read(&api(), route, &parts, b"", &base()).unwrap().kind {
            Kind::Write {
                schema: false,
                stream: false,
            } => "relationships",
            Kind::Write {
                schema: true,
                stream: false,
            } => "schema",
            kind => panic!("{kind:?} is no write"),
        },
    }
}

#[test]
fn claims_the_gateways_calls() {
    for tenant in ["t1", "acme", "t%31", "a.b", "a:b@c+d", "*", "create", "..", "a%5Cb"] {
        for (path, expected) in POST {
            let path = format!("/v1/tenants/{tenant}/{path}");
            assert_eq!(claim("POST", &path), expected, "{path}");
            assert_eq!(claim("POST", &format!("{path}?a=b")), expected, "{path}");
            for method in ["GET", "PUT", "DELETE", "post"] {
                assert_eq!(claim(method, &path), "pass", "{method} {path}");
            }
        }
        let partial = format!("/v1/tenants/{tenant}/schemas/partial-write");
        assert_eq!(claim("PATCH", &partial), "schema");
        let whole = format!("/v1/tenants/{tenant}");
        assert_eq!(claim("DELETE", &whole), "schema");
        assert_eq!(claim("POST", &whole), "pass");
        assert_eq!(claim("PATCH", &whole), "pass");
    }
}

#[test]
fn a_path_may_be_escaped() {
    for (method, path, expected) in [
        ("POST", "/v1/tenants/t1/permissions/%63heck", "body"),
        ("POST", "/v1/%74enants/t1/%70ermissions/check", "body"),
        ("POST", "/v1/tenants%2Ft1%2fpermissions%2Fcheck", "body"),
        ("POST", "/v1/tenants/t1/data/writ%65", "relationships"),
        ("POST", "/v1/tenants/t1/schemas/writ%65", "schema"),
        ("DELETE", "/v1/tenant%73/t1", "schema"),
    ] {
        assert_eq!(claim(method, path), expected, "{path}");
    }
}

#[test]
fn everything_else_passes() {
    for path in [
        "/v1/tenants/t1/permissions/check/",
        "/v1/tenants/t1/permissions//check",
        "/v1/tenants/t1//permissions/check",
        "/v1/tenants/t1/permissions/%2563heck",
        "/v1/tenants/t1/permissions/Check",
        "/v1/tenants/t1/permissions/entity-filter",
        "/v1/tenants/t1/watch",
        "/v1/tenants/t1/schemas/read",
        "/v1/tenants/t1/schemas/list",
        "/v1/tenants/t1/bundle/write",
        "/v1/tenants/t1/bundle/read",
        "/v1/tenants/t1/bundle/delete",
        "/v1/tenants//permissions/check",
        "/v1/tenants/a%2fb/permissions/check",
        "/v1/tenants/a/b/permissions/check",
        "/v1/tenants/permissions/check",
        "/v1/tenants/create",
        "/v1/tenants/list",
        "/v1/tenants/",
        "/v1/tenants",
        "/V1/tenants/t1/permissions/check",
        "//v1/tenants/t1/permissions/check",
        "/healthz",
        "/",
    ] {
        assert_eq!(claim("POST", path), "pass", "{path}");
    }
    for path in ["/v1/tenants/", "/v1/tenants", "/v1/tenants/t1/", "/v1/tenants/a%2Fb"] {
        assert_eq!(claim("DELETE", path), "pass", "{path}");
    }
}

//! The same check as each API spells it.

use bytes::Bytes;
use http::Request;
use http::request::Builder;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::messages::{
    CHECK, CheckPermissionRequest, CheckPermissionResponse, HAS_PERMISSION, SubjectReference, ZedToken, at_least, full,
    object,
};

use crate::checks::Check;

fn http(builder: Builder) -> Builder {
    builder
        .header("host", "authz.example.com")
        .header("accept", "*/*")
        .header("authorization", "Bearer example-key")
}

fn get(uri: String) -> Builder {
    http(Request::get(uri))
}

/// A check by path, without a token.
pub(crate) fn by_path<B: Default>(check: &Check) -> Request<B> {
    get(path(check)).body(B::default()).expect("valid")
}

/// The same, with the token in the header `zookie` where there is one.
pub(crate) fn by_path_with_header<B: Default>(check: &Check, token: Option<&str>) -> Request<B> {
    with_zookie(get(path(check)), token).body(B::default()).expect("valid")
}

/// The same beside another cookie, with the token in the cookie `zookie` where there is one.
pub(crate) fn by_path_with_cookie<B: Default>(check: &Check, token: Option<&str>) -> Request<B> {
    let zookie = token.map(|token| format!("; zookie={token}")).unwrap_or_default();
    let cookies = format!("theme=dark{zookie}");
    get(path(check))
        .header("cookie", cookies)
        .body(B::default())
        .expect("valid")
}

fn with_zookie(request: Builder, token: Option<&str>) -> Builder {
    match token {
        Some(token) => request.header("zookie", token),
        None => request,
    }
}

fn path(Check { repo, user }: &Check) -> String {
    format!("/check?resource=repo:{repo}&permission=push&subject=user:{user}")
}

/// An AuthZEN evaluation, with the token in the header where there is one.
pub(crate) fn authzen<B: From<Bytes>>(check: &Check, token: Option<&str>) -> Request<B> {
    let Check { repo, user } = check;
    let body = format!(
        r#"{{"subject":{{"type":"user","id":"{user}"}},"action":{{"name":"push"}},"resource":{{"type":"repo","id":"{repo}"}}}}"#
    );
    let request = http(Request::post("/access/v1/evaluation")).header("content-type", "application/json");
    with_zookie(request, token)
        .body(Bytes::from(body).into())
        .expect("valid")
}

/// A request that the layer does not claim.
pub(crate) fn not_ours<B: Default>() -> Request<B> {
    get("/articles/42?page=2".to_owned()).body(B::default()).expect("valid")
}

/// SpiceDB's CheckPermission, at least as fresh as the token in its message; without one, fully consistent.
pub(crate) fn spicedb<B: From<Bytes>>(check: &Check, token: Option<&str>) -> Request<B> {
    let message = CheckPermissionRequest {
        consistency: token.map_or(full(), at_least),
        resource: object("repo", &check.repo),
        permission: "push".to_owned(),
        subject: Some(SubjectReference {
            object: object("user", &check.user),
            optional_relation: String::new(),
        }),
        ..CheckPermissionRequest::default()
    };
    Request::post(format!("http://spicedb.example.com{CHECK}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", "Bearer example-key")
        .header("user-agent", "tonic/0.14")
        .body(framed(&message).into())
        .expect("valid")
}

/// SpiceDB's reply, a gRPC frame.
pub(crate) fn spicedb_reply(token: &str) -> Bytes {
    framed(&CheckPermissionResponse {
        checked_at: Some(ZedToken::new(token)),
        permissionship: HAS_PERMISSION,
        ..CheckPermissionResponse::default()
    })
}

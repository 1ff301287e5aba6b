//! `POST /explain`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use tower_zookie_testing::wire::Call;

use crate::caller::Caller;
use crate::checks::{make, stats};
use crate::http::{client, send};
use crate::recorded::Recorded;
use crate::running::Running;

async fn explain(sidecar: &Running, body: &str) -> (u16, String) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::post(format!("http://{}/explain", sidecar.admin))
        .header("content-type", "application/json")
        .body(Full::from(body.to_owned()));
    let (parts, body) = client.request(request.unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), String::from_utf8(body.into()).unwrap())
}

/// A recorded call in the form that explains it.
fn described(call: &Call, form: &str, body: &Value) -> Value {
    let (parts, _) = call.request.clone().into_parts();
    let headers = parts.headers.iter();
    let headers: Map<_, _> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
        .collect();
    let path = parts.uri.path_and_query().unwrap().as_str();
    json!({ "method": parts.method.as_str(), "path": path, "headers": headers, form: body })
}

async fn explained(sidecar: &Running, request: &Value) -> Value {
    let (status, text) = explain(sidecar, &request.to_string()).await;
    assert_eq!(status, 200, "{text}");
    let secret = request["headers"]["authorization"].as_str().unwrap();
    assert!(!text.contains(secret), "names only: {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn rule_17_a_grpc_request_is_explained() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let sidecar = Running::before(spicedb.address).await;
    let call = spicedb.recording.call("check-default");
    let frame = STANDARD.encode(call.request.body());
    let mut request = described(call, "body_base64", &frame.into());
    let before = explained(&sidecar, &request).await;
    assert_eq!(
        (&before["would"], &before["questions"][0]["miss"]),
        (&"ask the upstream".into(), &"first".into())
    );
    assert_eq!(spicedb.replay.calls(), 0);

    make(&Caller::new(sidecar.address()).await, call).await;
    let after = explained(&sidecar, &request).await;
    assert_eq!(after["would"], "be answered from the cache", "{after}");
    assert_eq!(after["questions"][0]["miss"], Value::Null);
    assert_eq!(spicedb.replay.calls(), 1);
    assert_eq!(stats(&sidecar).await["hits"], 0, "nothing is counted");

    request["headers"]["authorization"] = "Bearer of another".into();
    let other = explained(&sidecar, &request).await;
    assert_eq!(other["would"], "ask the upstream");
    assert_eq!(
        other["questions"][0]["stored"],
        Value::Null,
        "it shows only to its own caller"
    );
}

#[tokio::test]
async fn rule_17_a_request_of_json_is_explained() {
    let spicedb = Recorded::server("spicedb/http-postgres").await;
    let sidecar = Running::before_http(spicedb.address).await;
    let call = spicedb.recording.call("http-check-default");
    let json: Value = serde_json::from_slice(call.request.body()).unwrap();
    let (mut parts, body) = call.request.clone().into_parts();
    parts.uri = format!("http://{}{}", sidecar.address(), parts.uri.path())
        .parse()
        .unwrap();
    send(&client(http::Version::HTTP_11), Request::from_parts(parts, body.into())).await;
    let text = String::from_utf8(call.request.body().to_vec()).unwrap();
    for body in [json, text.into()] {
        let found = explained(&sidecar, &described(call, "body", &body)).await;
        assert_eq!(found["would"], "be answered from the cache", "{found}");
    }
}

#[tokio::test]
async fn what_cannot_be_explained_is_named() {
    let sidecar = Running::with(&["--upstream", "http://127.0.0.1:1"]).await;
    for (body, why) in [
        ("{", "Failed to parse"),
        ("{}", "missing field `path`"),
        (r#"{"path":"/x","url":"/x"}"#, "unknown field `url`"),
        (r#"{"path":"x"}"#, "`path` is no path"),
        (r#"{"path":"/x","method":"NO SUCH"}"#, "`method` is no method"),
        (r#"{"path":"/x","headers":{"a b":"c"}}"#, "`headers` has a name"),
        (
            r#"{"path":"/x","headers":{"a":["b","secret\n"]}}"#,
            "the header `a` has a value",
        ),
        (r#"{"path":"/x","body":"","body_base64":""}"#, "send one of them"),
        (r#"{"path":"/x","body_base64":"?"}"#, "is no base64"),
    ] {
        let (status, message) = explain(&sidecar, body).await;
        assert!(matches!(status, 400 | 422), "{status} {message}");
        assert!(message.contains(why) && !message.contains("secret"), "{message}");
    }
    let (_, passes) = explain(&sidecar, r#"{"path":"/elsewhere"}"#).await;
    assert!(passes.contains("pass untouched"), "{passes}");
}

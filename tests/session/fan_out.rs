//! Many calls under one session.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::session::{PropagateLayer, Session};

use super::support::{builder, header, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_06_ten_calls_in_spawned_tasks_raise_one_session() {
    let (next, all) = (Arc::new(AtomicU32::new(10)), Arc::new(Barrier::new(10)));
    let called = service_fn(move |request: Request<Full<Bytes>>| {
        let (next, all) = (Arc::clone(&next), Arc::clone(&all));
        async move {
            assert_eq!(request.headers()["zookie"], "7");
            // Every call has gone out before the first reply comes.
            all.wait().await;
            let number = next.fetch_add(1, Ordering::Relaxed).to_string();
            let reply = Response::builder()
                .header("zookie", number)
                .body(Full::<Bytes>::default());
            Ok::<_, Infallible>(reply.unwrap())
        }
    });
    let client = PropagateLayer::new().layer(called);
    let service = service_fn(move |_: Request<Full<Bytes>>| {
        let client = client.clone();
        async move {
            let session = Session::current().unwrap();
            let mut calls = JoinSet::new();
            for _ in 0..10 {
                let call = client.clone().oneshot(request(Method::POST, &[]));
                calls.spawn(session.scope(call));
            }
            calls.join_all().await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let service = builder().build().unwrap().layer(service);
    let response = service
        .oneshot(request(Method::POST, &[("zookie", "7")]))
        .await
        .unwrap();
    assert_eq!(header(response.headers(), "zookie"), Some("19"));
}

#[tokio::test]
async fn a_spawned_task_has_no_session_unless_it_is_given_one() {
    let session = Session::new(tower_zookie::token::CounterTokens::new("a"));
    let spawned = async { Session::current().is_some() };
    let (without, with) = session
        .scope(async {
            let without = tokio::spawn(spawned).await.unwrap();
            let scoped = Session::current()
                .unwrap()
                .scope(async { Session::current().is_some() });
            (without, tokio::spawn(scoped).await.unwrap())
        })
        .await;
    assert_eq!((without, with), (false, true));
    assert!(Session::current().is_none());
}

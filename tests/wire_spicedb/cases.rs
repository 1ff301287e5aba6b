use crate::common::wire::Recording;
use crate::session::Session;
use tower_zookie::protocol::spicedb::Engine;

#[tokio::test(start_paused = true)]
async fn explore() {
    for (name, engine) in [
        ("grpc-memory", Engine::Memory),
        ("grpc-postgres", Engine::Postgres),
        ("http-memory", Engine::Memory),
        ("http-postgres", Engine::Postgres),
    ] {
        let recording = Recording::load(&format!("spicedb/{name}"));
        for call in &recording.calls {
            let session = Session::before(&recording, engine, call.n).await;
            let before = session.upstream.calls();
            let first = session.send(&call.request).await;
            let middle = session.upstream.calls();
            let second = session.send(&call.request).await;
            let asked = session.upstream.asked();
            let names = |range: &[crate::common::wire::Replayed]| {
                range
                    .iter()
                    .map(|a| a.call.as_ref().map_or("?".into(), |c| c.case.clone()))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            println!(
                "{name} {} {}: {} [{}] / {} [{}] entries {}",
                call.n,
                call.case,
                first.cache_status(),
                names(&asked[before..middle]),
                second.cache_status(),
                names(&asked[middle..]),
                session.layer.handle().stats().entries
            );
        }
    }
}

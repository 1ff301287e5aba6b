//! What remembering tokens per object costs a check that is answered from memory: not at all, following the store, and asking
//! it each time, against asking SpiceDB fully consistent.
//!
//! PostgreSQL and NATS are started where they are installed. `SPICEDB_ENDPOINT=http://127.0.0.1:50051 SPICEDB_KEY=KEY` names a
//! SpiceDB, whose schema needs `document`, `user` and the permission `view`.

mod service;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cpu_time::ProcessTime;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tower::{Layer, ServiceExt};
use tower_zookie::consistency::Staleness;
use tower_zookie::objects::{MemoryObjects, NatsObjects, ObjectTokens, Objects, PostgresObjects};
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie::{ZookieLayer, ZookieService};
use tower_zookie_benches::{Effort, Report, Sample, interleaved};
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::postgres::Postgres;
use tower_zookie_testing::spicedb::messages::{CHECK, Consistency, check, full};

use crate::service::Checks;

const HOUR: Duration = Duration::from_secs(3600);
const WITHOUT: &str = "hit, no tokens remembered";

/// The costs of one check.
struct Cost {
    nanos: f64,
    cpu: f64,
}

type Row<'a> = (&'static str, Box<dyn FnMut() -> Cost + 'a>);

fn main() -> std::io::Result<()> {
    let effort = Effort::from_args();
    let calls = effort.pick(20, 2000, 10_000);
    let rounds = effort.pick(2, 21, 101);
    let runtime = Runtime::new()?;
    let postgres = Postgres::is_installed().then(|| Postgres::start(&[]));
    let nats = NatsServer::is_installed().then(NatsServer::start);

    let mut rows: Vec<Row<'_>> = vec![
        (WITHOUT, hits(&runtime, None, calls)),
        ("hit, followed", hits(&runtime, Some(followed(memory())), calls)),
        (
            "hit, immediate, memory",
            hits(&runtime, Some(Objects::immediate(memory())), calls),
        ),
    ];
    if let Some(postgres) = &postgres {
        let store = runtime.block_on(PostgresObjects::builder(postgres.url()).create_table(true).connect());
        let store = Arc::new(store.expect("PostgreSQL is there"));
        rows.push((
            "hit, immediate, PostgreSQL",
            hits(&runtime, Some(Objects::immediate(store)), calls),
        ));
    }
    if let Some(nats) = &nats {
        let store = runtime.block_on(NatsObjects::builder(nats.url()).create_bucket(true).connect());
        let store = Arc::new(store.expect("NATS is there"));
        rows.push((
            "hit, immediate, NATS",
            hits(&runtime, Some(Objects::immediate(store)), calls),
        ));
    }
    if let Ok(endpoint) = std::env::var("SPICEDB_ENDPOINT") {
        rows.push(("SpiceDB, fully consistent", at_head(&runtime, endpoint, calls)));
    }

    let (names, mut candidates): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let costs = interleaved(rounds, &mut candidates);
    let mut report = Report::new("objects");
    let of = |row: usize, what: fn(&Cost) -> f64| costs[row].iter().map(what).collect::<Vec<f64>>();
    for (row, name) in names.into_iter().enumerate() {
        let time = of(row, |cost| cost.nanos);
        report.measured(name, "one caller", "time", Sample::of(&time), "ns");
        let ratio = Sample::of_ratios(&time, &of(0, |cost| cost.nanos));
        report.ratio(name, "one caller", "ratio", ratio, WITHOUT);
        report.measured(
            name,
            "one caller",
            "CPU of this process",
            Sample::of(&of(row, |cost| cost.cpu)),
            "ns",
        );
    }
    report.finish()
}

fn memory() -> Arc<dyn ObjectTokens> {
    Arc::new(MemoryObjects::new(1000).expect("valid"))
}

/// The feed is never late, however slow the bench is.
fn followed(store: Arc<dyn ObjectTokens>) -> Objects {
    Objects::followed(store, HOUR)
}

fn layer(objects: Option<Objects>) -> ZookieLayer<SpiceDb> {
    let builder = ZookieLayer::builder(SpiceDb::new(Engine::Postgres))
        .cache(|cache| cache.window(HOUR, Staleness::percent(0)).time_to_live(2 * HOUR));
    let builder = match objects {
        Some(objects) => builder.objects(objects.look_up_timeout(Duration::from_secs(10))),
        None => builder,
    };
    builder.build().expect("valid")
}

fn request(consistency: Option<Consistency>, key: &str) -> Request<Full<Bytes>> {
    Request::post(format!("http://spicedb.example{CHECK}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {key}"))
        .body(Full::new(framed(&check("plan", "ada", consistency))))
        .expect("valid")
}

async fn ask(service: &RefCell<ZookieService<Checks, SpiceDb>>) -> String {
    let service = service.borrow().clone();
    let response = service.oneshot(request(None, "key")).await.expect("a reply");
    let status = response.headers()["cache-status"].to_str().expect("text").to_owned();
    response.into_body().collect().await.expect("a body");
    status
}

/// Checks without a token, which memory answers.
fn hits<'a>(runtime: &'a Runtime, objects: Option<Objects>, calls: usize) -> Box<dyn FnMut() -> Cost + 'a> {
    let service = RefCell::new(layer(objects).layer(Checks));
    // The first check begins to follow the store, and a later one finds the picture.
    runtime.block_on(async {
        for _ in 0..20 {
            ask(&service).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(ask(&service).await, "tower-zookie; hit");
    });
    Box::new(move || {
        runtime.block_on(async {
            let (start, cpu) = (Instant::now(), ProcessTime::now());
            for _ in 0..calls {
                ask(&service).await;
            }
            cost(calls, start, cpu)
        })
    })
}

/// The same checks, which SpiceDB answers at head, over one connection.
fn at_head(runtime: &Runtime, endpoint: String, calls: usize) -> Box<dyn FnMut() -> Cost + '_> {
    let key = std::env::var("SPICEDB_KEY").unwrap_or_default();
    let channel: Channel = runtime.block_on(async { Endpoint::try_from(endpoint).expect("a URL").connect_lazy() });
    let calls = calls.div_ceil(20);
    Box::new(move || {
        runtime.block_on(async {
            let (start, cpu) = (Instant::now(), ProcessTime::now());
            for _ in 0..calls {
                let request = request(full(), &key).map(tonic::body::Body::new);
                let response = channel.clone().oneshot(request).await.expect("a reply");
                response.into_body().collect().await.expect("a body");
            }
            cost(calls, start, cpu)
        })
    })
}

fn cost(calls: usize, start: Instant, cpu: ProcessTime) -> Cost {
    Cost {
        nanos: start.elapsed().as_nanos() as f64 / calls as f64,
        cpu: cpu.elapsed().as_nanos() as f64 / calls as f64,
    }
}

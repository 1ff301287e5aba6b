//! The store of objects' tokens in PostgreSQL, on a server that the tests start.
//!
//! They are listed as ignored where PostgreSQL is not installed. With the variable `ZOOKIE_REQUIRE_SERVERS` they fail instead.

mod table;

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use tower_zookie::objects::{ObjectTokens, PostgresObjects, PostgresObjectsBuilder};
use tower_zookie_testing::objects::{Replicas, cases};
use tower_zookie_testing::postgres::Postgres;
use tower_zookie_testing::servers;

/// A table of a test's own, on the server that all tests share.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) server: Arc<Postgres>,
    pub(crate) table: String,
    polling: bool,
}

impl Place {
    pub(crate) fn new(server: &Arc<Postgres>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self {
            server: server.clone(),
            table: format!("objects_{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            polling: false,
        }
    }

    pub(crate) fn builder(&self) -> PostgresObjectsBuilder {
        let builder = PostgresObjects::builder(self.server.url());
        builder
            .table(&self.table)
            .create_table(true)
            .polling(self.polling)
            .max_connections(4)
            .timeout(TIMEOUT)
    }

    pub(crate) async fn objects(&self) -> Arc<dyn ObjectTokens> {
        Arc::new(self.builder().connect().await.unwrap())
    }
}

/// A slow machine has to be in time.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

impl Replicas for Place {
    fn open(&self) -> Pin<Box<dyn Future<Output = Arc<dyn ObjectTokens>> + Send + '_>> {
        Box::pin(self.objects())
    }
}

type Test = Pin<Box<dyn Future<Output = ()>>>;

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((
            concat!(stringify!($module), "::", stringify!($name)),
            (|place| Box::pin($module::$name(place))) as fn(Place) -> Test,
        )),*]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_installed = Postgres::is_installed();
    if !is_installed {
        eprintln!("PostgreSQL is not installed, so nothing is tested here; apt-get install postgresql");
    }
    let server = (is_installed && !arguments.list).then(|| Arc::new(Postgres::start(&[])));
    let trial = |name: String, run: Box<dyn FnOnce(Place) -> Test + Send>| {
        let server = server.clone();
        let ignored = !is_installed && !servers::are_required();
        Trial::test(name, move || {
            let server = server.ok_or_else(|| Failed::from("PostgreSQL is not installed"))?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(Place::new(&server)));
            Ok(())
        })
        .with_ignored_flag(ignored)
    };
    let mut trials = Vec::new();
    for polling in [false, true] {
        for case in cases() {
            let name = if polling { "polled" } else { "notified" };
            let run = move |place| (case.run)(Arc::new(Place { polling, ..place })) as Test;
            trials.push(trial(format!("{name}::{}", case.name), Box::new(run)));
        }
    }
    for (name, run) in tests![table::a_missing_table_is_an_error,] {
        trials.push(trial(name.to_owned(), Box::new(run)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

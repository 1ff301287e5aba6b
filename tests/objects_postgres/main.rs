//! The store of objects' tokens in PostgreSQL, on a server that the tests start.
//!
//! They are listed as ignored where PostgreSQL is not installed. With the variable `ZOOKIE_REQUIRE_SERVERS` they fail instead.

mod clock;
mod connections;
mod rows;
mod settings;
mod table;
mod tls;

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::time::{Instant, timeout};
use tower_zookie::objects::{ObjectFeed, ObjectKey, ObjectTokens, PostgresObjects, PostgresObjectsBuilder, Record};
use tower_zookie_testing::objects::{Replicas, cases};
use tower_zookie_testing::postgres::Postgres;
use tower_zookie_testing::servers;

/// A table of a test's own, on the server that all tests share.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) server: Arc<Postgres>,
    pub(crate) table: String,
    pub(crate) polling: bool,
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
        let url = format!("{}?application_name={}", self.server.url(), self.table);
        let builder = PostgresObjects::builder(url);
        builder
            .table(&self.table)
            .create_table(true)
            .polling(self.polling)
            .max_connections(4)
            .timeout(TIMEOUT)
    }

    /// Makes the table by the migration.
    pub(crate) fn create(&self) {
        self.sql(&PostgresObjects::SCHEMA.replace("zookie_objects", &self.table));
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql(sql)
    }

    pub(crate) async fn objects(&self) -> Arc<dyn ObjectTokens> {
        Arc::new(self.builder().connect().await.unwrap())
    }
}

/// A slow machine has to be in time.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than any wait that ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const HEARTBEAT: Duration = Duration::from_millis(200);

/// An error with all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

/// Reads a feed until it is complete to now, and what is known satisfies the condition.
pub(crate) async fn read_until(
    feed: &mut Box<dyn ObjectFeed>,
    known: &mut HashMap<ObjectKey, Record>,
    is_enough: impl Fn(&HashMap<ObjectKey, Record>) -> bool,
) {
    let now = Instant::now();
    loop {
        let batch = timeout(PATIENCE, feed.next()).await;
        let batch = batch.expect("the feed is silent").unwrap();
        known.extend(batch.changed);
        if batch.complete_to >= Some(now) && is_enough(known) {
            return;
        }
        assert!(now.elapsed() < PATIENCE, "{known:?}");
    }
}

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
    let own = tests![
        table::a_missing_table_is_an_error,
        table::a_missing_column_is_named,
        table::a_column_of_a_wrong_type_is_named,
        table::a_table_without_a_primary_key_is_an_error,
        table::a_table_that_a_crash_empties_is_an_error,
        table::a_view_is_an_error,
        table::further_columns_do_no_harm,
        table::replicas_that_start_together_make_one_table,
        table::the_migration_makes_the_table_of_the_default_name,
        table::a_feed_follows_replicas_that_spell_the_table_otherwise,
        rows::tokens_that_are_none_are_an_error_until_a_write,
        rows::an_array_of_arrays_is_an_error,
        rows::half_a_mark_is_an_error_until_a_write,
        rows::a_feed_leaves_out_keys_that_are_none_and_reports_junk_as_unsettled,
        rows::a_mark_of_earlier_lasts_its_length_once_more,
        rows::rows_that_have_expired_are_removed,
        rows::a_row_lasts_as_long_as_its_longest_update,
        settings::a_setting_that_makes_no_sense_is_named,
        settings::a_url_that_makes_no_sense_never_shows_its_password,
        settings::a_server_that_is_not_there_is_an_error_without_password,
        settings::a_connected_store_shows_no_password,
        settings::a_unix_socket_is_reached_too,
        settings::a_read_only_server_is_refused,
        clock::a_clock_that_jumps_ends_no_mark_early,
        clock::a_clock_that_goes_back_begins_a_polled_feed_anew,
        connections::lost_connections_are_replaced,
        connections::updates_lose_nothing_while_connections_are_lost,
        connections::a_feed_ends_with_its_connection_and_the_next_has_everything,
        connections::a_server_that_stops_is_an_error_and_then_back,
        connections::many_writers_of_one_object_all_succeed,
        connections::a_feed_whose_connection_is_behind_is_not_complete,
        connections::what_is_blocked_ends_with_the_timeout,
        connections::callers_that_leave_use_up_no_connections,
        connections::a_feed_loses_nothing_if_its_caller_stops_to_wait,
        tls::the_servers_certificate_is_verified,
        tls::a_server_without_tls_is_refused_where_it_is_required,
    ];
    for (name, run) in own {
        trials.push(trial(name.to_owned(), Box::new(run)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

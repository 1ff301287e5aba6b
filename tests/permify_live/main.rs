//! The layer before a real Permify.
//!
//! `PERMIFY_ENDPOINT=http://127.0.0.1:3478 PERMIFY_HTTP_ENDPOINT=http://127.0.0.1:3476 PERMIFY_ENGINE=postgres
//! cargo test --test permify_live`
//!
//! The tests of the gRPC API are listed as ignored without `PERMIFY_ENDPOINT`, those of the REST API without
//! `PERMIFY_HTTP_ENDPOINT`, and those of features that its engine does not have. Each test writes to its own tenant, a
//! new one in every run. The watch needs Permify's `--service-watch-enabled`.

mod bulk;
mod client;
mod enemy;
mod exact;
mod fresh;
mod probe;
mod rest;
mod schema;
mod server;
mod tokenless;
mod watch;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use self::server::{Api, Server};

macro_rules! trials {
    ($($needs:expr => $module:ident::$name:ident),* $(,)?) => {
        vec![$(trial(
            concat!(stringify!($module), "::", stringify!($name)),
            $needs,
            |server| Box::pin($module::$name(server)),
        )),*]
    };
}

/// What a test needs from the server.
#[derive(Clone, Copy)]
enum Needs {
    Grpc,
    GrpcOnPostgres,
    Rest,
    RestOnPostgres,
}

fn main() -> ExitCode {
    use Needs::{Grpc, GrpcOnPostgres, Rest, RestOnPostgres};
    let trials = trials![
        Grpc => bulk::rule_11_denied_items_are_asked_again,
        GrpcOnPostgres => bulk::rule_16_missing_items_are_asked_at_the_others_revision,
        Grpc => enemy::rule_01_a_revocation_is_seen_with_its_token_at_once,
        Grpc => enemy::rule_01_another_replicas_revocation_is_seen,
        GrpcOnPostgres => exact::rule_02_a_settled_snapshot_is_stored,
        GrpcOnPostgres => exact::rule_02_an_old_snapshot_gives_its_old_answer,
        Grpc => fresh::rule_01_a_writes_token_is_answered_and_stored,
        Grpc => fresh::rule_01_an_older_token_is_asked_at_the_window_revision,
        Grpc => fresh::rule_07_many_callers_share_one_call,
        Grpc => fresh::rule_08_an_unknown_token_is_forwarded_unmodified,
        Grpc => fresh::rule_11_errors_are_forwarded_and_not_stored,
        Grpc => fresh::tokens_over_the_age_limit,
        Grpc => probe::rule_08_a_probe_opens_a_window_for_writes_of_others,
        Rest => rest::a_check_at_a_writes_token,
        Rest => rest::a_bulk_and_reads_that_are_not_stored,
        RestOnPostgres => rest::an_unreadable_token,
        Grpc => schema::rule_10_versions_share_nothing,
        Grpc => schema::rule_13_a_schema_write_ends_all_answers,
        Grpc => schema::rule_04_anothers_schema_is_seen_within_the_window,
        Grpc => tokenless::reads_without_a_token_are_head,
        Grpc => tokenless::rule_04_windowed_reads_are_no_older_than_the_window,
        GrpcOnPostgres => watch::rule_08_the_change_feed_names_writes_of_others,
    ];
    for api in [Api::Grpc, Api::Rest] {
        if !api.is_named() {
            eprintln!("{} is not set: nothing is tested there", api.variable());
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

type Test = Pin<Box<dyn Future<Output = ()>>>;

fn trial(name: &'static str, needs: Needs, test: fn(&'static Server) -> Test) -> Trial {
    let run = move || {
        let server = Server::named().map_err(Failed::from)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(test(server));
        Ok(())
    };
    let (api, postgres) = match needs {
        Needs::Grpc => (Api::Grpc, false),
        Needs::GrpcOnPostgres => (Api::Grpc, true),
        Needs::Rest => (Api::Rest, false),
        Needs::RestOnPostgres => (Api::Rest, true),
    };
    let ignored = !api.is_named() || (postgres && !server::is_postgres());
    Trial::test(name, run).with_ignored_flag(ignored)
}

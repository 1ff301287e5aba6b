//! The layer before a real SpiceDB.
//!
//! `SPICEDB_ENDPOINT=http://127.0.0.1:50051 SPICEDB_KEY=… SPICEDB_ENGINE=postgres cargo test -p spicedb-examples`
//!
//! Without `SPICEDB_ENDPOINT` all of these are listed as ignored. They add definitions named `zookie_live/…` to the
//! server's schema, and write relationships of objects that no other run has. `SPICEDB_LOAD_SECONDS` (15) is how long the
//! load lasts.

mod bulk;
mod carried;
mod client;
mod enemy;
mod expiry;
mod forged;
mod load;
mod never_kept;
mod passed_on;
mod recorder;
mod schema;
mod server;
mod wishes;
mod writes;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use self::server::Server;

macro_rules! trials {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$(trial(
            concat!(stringify!($module), "::", stringify!($name)),
            |server| Box::pin($module::$name(server)),
        )),*]
    };
}

fn main() -> ExitCode {
    let trials = trials![
        bulk::rule_16_what_is_missing_is_asked_at_the_revision_of_what_is_known,
        bulk::rule_11_errors_of_items_are_passed_and_not_kept,
        bulk::rule_15_large_bulks,
        bulk::the_experimental_twin,
        carried::rule_01_a_token_in_the_metadata_is_a_floor,
        carried::rule_01_a_token_beside_a_packed_message_is_not_forgotten,
        carried::compressed_replies_go_to_those_who_take_them,
        carried::rule_10_credentials_are_told_apart,
        enemy::rule_01_what_another_replica_revoked_is_seen,
        enemy::rule_08_one_head_read_serves_all_questions,
        expiry::rule_10_caveats_are_kept_under_their_context,
        expiry::rule_12_what_expires_is_not_served_for_ever,
        forged::rule_08_a_forged_token_makes_no_answer_fresh,
        forged::rule_08_a_revoked_user_lets_himself_in_for_no_one_else,
        forged::rule_15_forged_floors_cost_few_head_reads,
        load::rule_01_every_reply_is_the_servers_own,
        never_kept::rule_09_tokens_that_cannot_be_read_are_left_to_the_server,
        never_kept::rule_11_errors_are_passed_and_not_kept,
        never_kept::rule_11_traces_are_not_kept,
        passed_on::listings,
        passed_on::pages,
        passed_on::watches,
        wishes::each_consistency_answers_as_the_server_does,
        wishes::rule_02_snapshots_are_exact,
        wishes::rule_03_full_consistency_is_the_servers,
        wishes::rule_04_nothing_outlives_its_age,
        writes::a_late_head_does_not_end_all_answers,
        writes::rule_08_written_tokens_are_named,
        writes::rule_13_imports_end_all_answers,
        writes::rule_13_schema_writes_end_all_answers,
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

type Test = Pin<Box<dyn Future<Output = ()>>>;

fn trial(name: &'static str, test: fn(&'static Server) -> Test) -> Trial {
    let run = move || {
        let server = Server::prepared()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(test(server));
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(!Server::is_named())
}

//! The layer before a real SpiceDB.
//!
//! `SPICEDB_ENDPOINT=http://127.0.0.1:50051 SPICEDB_KEY=… SPICEDB_ENGINE=postgres cargo test -p spicedb-examples`
//!
//! Without `SPICEDB_ENDPOINT` all of these are listed as ignored. They add definitions named `zookie_live/…` to the
//! server's schema, and write relationships of objects that no other run has. `SPICEDB_LOAD_SECONDS` (15) is how long
//! the load lasts.

mod bulk;
mod carried;
mod client;
mod consistency;
mod enemy;
mod expiry;
mod forged;
mod forwarded;
mod load;
mod never_stored;
mod schema;
mod server;
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
        bulk::rule_16_missing_items_are_asked_at_the_others_revision,
        bulk::rule_11_item_errors_are_forwarded_and_not_stored,
        bulk::rule_15_large_bulks,
        bulk::the_experimental_twin,
        carried::rule_01_a_token_in_the_metadata_is_a_floor,
        carried::rule_01_a_token_with_a_compressed_message_is_honoured,
        carried::compressed_replies_go_to_clients_that_accept_them,
        carried::rule_10_credentials_share_nothing,
        enemy::rule_01_another_replicas_revocation_is_seen,
        enemy::rule_08_one_head_read_serves_all_questions,
        expiry::rule_10_caveats_are_stored_under_their_context,
        expiry::rule_12_an_expiring_answer_is_not_served_for_ever,
        forged::rule_08_a_forged_token_makes_no_answer_fresh,
        forged::rule_08_a_revoked_users_token_affects_no_other_caller,
        forged::rule_15_forged_floors_cost_few_head_reads,
        load::rule_01_every_reply_is_the_servers_own,
        never_stored::rule_09_unreadable_tokens_are_left_to_the_server,
        never_stored::rule_11_errors_are_forwarded_and_not_stored,
        never_stored::rule_11_traces_are_not_stored,
        forwarded::listings,
        forwarded::pages,
        forwarded::watches,
        consistency::each_consistency_answers_as_the_server_does,
        consistency::rule_02_snapshots_are_exact,
        consistency::rule_03_full_consistency_is_answered_by_the_server,
        consistency::rule_04_no_answer_outlives_its_age_bound,
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

//! The store of objects' tokens in NATS, on servers that the tests start.
//!
//! They are listed as ignored where `nats-server` is not installed. With the variable `ZOOKIE_REQUIRE_SERVERS` they fail
//! instead.

mod bucket;
mod cleanup;
mod conflicts;
mod foreign;
mod login;
mod outage;
mod shared;
mod tools;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::{objects, servers};

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($name)), Box::pin($module::$name()) as Test)),*]
    };
}

fn main() -> ExitCode {
    if !NatsServer::is_installed() {
        eprintln!("nats-server is not installed, so nothing is tested here; apt-get install nats-server");
    }
    let tests = tests![
        bucket::a_bucket_that_is_there_is_used,
        bucket::rule_17_a_bucket_that_loses_entries_is_refused,
        bucket::a_bucket_that_is_not_there_is_an_error_without_create_bucket,
        bucket::rule_17_another_bucket_in_its_place_is_reported,
        cleanup::expired_records_are_removed_and_younger_ones_stay,
        cleanup::what_another_replica_keeps_for_longer_stays,
        cleanup::rule_09_an_unreadable_keep_removes_nothing,
        conflicts::many_writers_of_one_object_lose_nothing,
        conflicts::an_update_that_always_conflicts_ends_with_an_error,
        conflicts::an_unsettled_mark_keeps_its_beginning,
        conflicts::an_unsettled_object_that_always_changes_is_settled_some_day,
        foreign::rule_09_unreadable_entries_lead_to_strict_reads,
        foreign::deleted_entries_are_empty,
        foreign::foreign_keys_are_ignored,
        login::a_user_and_a_password_in_the_url,
        login::a_token_in_the_url,
        login::files_that_can_not_be_used_are_named,
        login::a_user_without_jetstream_is_told_so,
        login::the_permissions_that_the_docs_name_are_enough,
        login::tls_with_a_verified_server,
        login::rule_17_settings_that_make_no_sense_are_named,
        outage::nothing_acknowledged_is_lost_when_the_server_is_killed,
        outage::without_a_server_look_ups_and_updates_end,
        outage::rule_09_a_feed_ends_with_its_connection,
        outage::rule_09_after_a_lost_connection_unsettled_marks_count_anew,
        outage::a_feed_is_complete_after_the_server_was_killed,
    ];
    let shared = objects::cases().into_iter().map(|case| {
        let test: Test = Box::pin(shared::run(case));
        trial(case.name, test)
    });
    let trials = tests.into_iter().map(|(name, test)| trial(name, test)).chain(shared);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn trial(name: &'static str, test: Test) -> Trial {
    let is_ignored = !NatsServer::is_installed() && !servers::are_required();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(test);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(is_ignored)
}

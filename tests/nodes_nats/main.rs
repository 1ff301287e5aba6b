//! The logs of nodes in NATS, on servers that the tests start.
//!
//! They are listed as ignored where `nats-server` is not installed. With the variable `ZOOKIE_REQUIRE_SERVERS` they fail
//! instead.

mod append;
mod group;
mod login;
mod nodes;
mod open;
mod outage;
mod snapshots;
mod tools;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::servers;

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        vec![$((concat!(stringify!($module), "::", stringify!($name)), Box::pin($module::$name()) as Test)),*]
    };
}

fn main() -> ExitCode {
    // A test starts this program again as a node that it can kill.
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &*arguments
        && first == nodes::NODE
    {
        runtime().block_on(nodes::run(rest));
        return ExitCode::SUCCESS;
    }
    if !NatsServer::is_installed() {
        eprintln!("nats-server is not installed, so nothing is tested here; apt-get install nats-server");
    }
    let tests = tests![
        append::entries_reach_every_node_in_their_order,
        append::entries_of_one_call_share_a_message,
        append::what_does_not_fit_into_one_message_is_split,
        append::an_entry_that_is_too_large_is_refused,
        append::a_repeated_append_writes_nothing_twice,
        append::an_append_whose_reply_was_lost_is_recognised,
        append::a_lost_reply_is_recognised_after_a_restart_of_the_server,
        append::a_former_process_of_a_node_is_refused,
        append::of_two_processes_that_write_the_same_number_one_is_refused,
        append::what_a_former_process_still_sends_is_refused,
        append::nodes_may_have_any_name,
        group::all_nodes_read_the_same_group,
        group::a_stream_that_was_made_again_is_another_group,
        group::rule_17_a_stream_that_can_not_work_is_refused,
        login::the_permissions_that_the_docs_name_are_enough,
        login::rule_17_settings_that_make_no_sense_are_named,
        nodes::killed_nodes_and_servers_lose_and_repeat_nothing,
        nodes::killed_nodes_and_servers_lose_nothing_while_logs_are_trimmed,
        open::only_entries_after_the_clock_are_read,
        open::what_nodes_have_reached_is_sent_and_not_stored,
        open::reading_ends_with_the_connection,
        open::entries_that_are_gone_are_an_error,
        open::a_node_has_one_durable_consumer,
        outage::nothing_acknowledged_is_lost_when_the_server_is_killed,
        outage::without_a_server_every_call_ends,
        snapshots::a_new_node_starts_from_the_snapshot,
        snapshots::a_reader_whose_log_is_trimmed_gets_the_snapshot,
        snapshots::a_snapshot_that_fails_halfway_loses_nothing,
        snapshots::the_snapshot_never_goes_back,
        snapshots::what_a_crash_left_is_removed,
        snapshots::snapshots_at_the_same_time_lose_nothing,
    ];
    let trials = tests.into_iter().map(|(name, test)| trial(name, test));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn trial(name: &'static str, test: Test) -> Trial {
    let is_ignored = !NatsServer::is_installed() && !servers::are_required();
    let run = move || {
        runtime().block_on(test);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(is_ignored)
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

//! The program itself: its environment, its output, its signals.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::admin::{ask, get};
use crate::broken::unreachable;
use crate::caller::{Caller, Whole};
use crate::recorded::Recorded;
use crate::tonic_upstream;

struct Program {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    /// Where it listens, in the order of its upstreams.
    addresses: Vec<SocketAddr>,
    admin: SocketAddr,
}

const SECRET: &str = "correct-horse-battery";

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zookie-sidecar"));
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Program {
    /// Starts it with these variables, until it says where operators ask.
    async fn start(environment: &[(&str, &str)]) -> Self {
        let any = "127.0.0.1:0";
        let has_http = environment.iter().any(|(name, _)| *name == "ZOOKIE_HTTP_UPSTREAM");
        let mut child = command()
            .envs([("ZOOKIE_LISTEN", any), ("ZOOKIE_ADMIN", any)])
            .envs(has_http.then_some(("ZOOKIE_HTTP_LISTEN", any)))
            .envs([("ZOOKIE_UPSTREAM", "http://127.0.0.1:1"), ("ZOOKIE_ENGINE", "postgres")])
            .envs(environment.iter().copied())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = Vec::new();
        let admin = loop {
            let line = out.next_line().await.unwrap().expect("it starts");
            if let Some(operators) = line.strip_prefix("operators on http://") {
                break operators.split(": ").next().unwrap().parse().unwrap();
            }
            let (_, listens) = line.split_once(" on http://").unwrap_or_else(|| panic!("{line}"));
            addresses.push(listens.split(',').next().unwrap().parse().unwrap());
        };
        Self {
            child,
            out,
            addresses,
            admin,
        }
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = Command::new("kill").args([name, &id]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Ends it by SIGTERM. What it printed after its start, and what it logged.
    async fn stop(mut self) -> (String, String) {
        self.signal("-TERM").await;
        let (mut out, mut log) = (String::new(), String::new());
        while let Some(line) = self.out.next_line().await.unwrap() {
            out += &format!("{line}\n");
        }
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .await
            .unwrap();
        assert!(self.child.wait().await.unwrap().success());
        (out, log)
    }
}

/// What it says and does when it can't start.
async fn fails(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = command()
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn every_setting_can_come_from_the_environment() {
    let program = Program::start(&[
        ("ZOOKIE_SYSTEM", "permify"),
        ("ZOOKIE_REQUIRE_TOKEN", "true"),
        ("ZOOKIE_MIX_REVISIONS", "false"),
        ("ZOOKIE_FOLLOW_TENANT", "t1 t2"),
        ("ZOOKIE_CAPACITY", "3"),
        ("ZOOKIE_ADMIN_TOKEN_ENV", "TOKEN"),
        ("TOKEN", SECRET),
    ])
    .await;
    assert_eq!(get(program.admin, "/stats").await.0, 401);
    let bearer = format!("Bearer {SECRET}");
    let (status, stats) = ask(program.admin, "GET", "/stats", &[("authorization", &bearer)]).await;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!((status, &stats["capacity"]), (200, &(3 << 20).into()));
    program.stop().await;
}

#[tokio::test]
async fn the_command_line_wins_and_what_is_wrong_is_named() {
    let upstream = [("ZOOKIE_UPSTREAM", "http://127.0.0.1:1"), ("ZOOKIE_ENGINE", "oracle")];
    let message = fails(&["--engine", "postgres", "--upstream", "nonsense"], &upstream).await;
    assert!(message.contains("--upstream can't be used"), "{message}");
    let message = fails(&[], &upstream).await;
    assert!(
        message.contains("--engine") && message.contains("possible values"),
        "{message}"
    );
    let switch = [("ZOOKIE_ENGINE", "postgres"), ("ZOOKIE_REQUIRE_TOKEN", "perhaps")];
    let message = fails(&["--upstream", "http://127.0.0.1:1"], &switch).await;
    assert!(message.contains("--require-token"), "{message}");
}

#[tokio::test]
async fn a_variable_of_no_option_is_warned_of() {
    let program = Program::start(&[
        ("ZOOKIE_CAPACTIY", "not-to-be-logged"),
        ("ZOOKIE_SERVICE_HOST", "10.0.0.1"),
        ("ZOOKIE_PORT", "tcp://10.0.0.1:50061"),
    ])
    .await;
    let (_, log) = program.stop().await;
    assert!(log.contains("ZOOKIE_CAPACTIY belongs to no option"), "{log}");
    assert_eq!(log.matches("belongs to no option").count(), 1, "{log}");
    assert!(!log.contains("not-to-be-logged"), "{log}");
}

#[tokio::test]
async fn rule_17_a_port_without_an_upstream_is_warned_of() {
    let program = Program::start(&[("ZOOKIE_HTTP_LISTEN", "127.0.0.1:0")]).await;
    let (_, log) = program.stop().await;
    let warning =
        "'--http-listen' serves nothing, because '--http-upstream' is not given; give it, or leave the port out";
    assert_eq!(log.matches(warning).count(), 1, "{log}");
}

#[tokio::test]
async fn sighup_does_not_end_it() {
    let program = Program::start(&[]).await;
    for _ in 0..3 {
        program.signal("-HUP").await;
        assert_eq!(get(program.admin, "/healthz").await.0, 200);
    }
    let (out, _) = program.stop().await;
    assert_eq!(out, "stopped\n", "without a terminal it prints nothing to try");
}

#[tokio::test]
async fn lines_are_logged_as_json() {
    let (upstream, _) = tonic_upstream::serve().await;
    let upstream = format!("http://{upstream}");
    let program = Program::start(&[("ZOOKIE_LOG_FORMAT", "json"), ("ZOOKIE_UPSTREAM", &upstream)]).await;
    ask(program.admin, "POST", "/pass-through?on", &[]).await;
    let (_, log) = program.stop().await;
    let line: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["level"], &line["target"]),
        (&"WARN".into(), &"tower_zookie_sidecar::proxy::admin::switches".into()),
        "{log}"
    );
}

#[tokio::test]
async fn a_rust_log_that_cannot_be_read_is_warned_of() {
    let program = Program::start(&[("RUST_LOG", "tower_zookie=loud")]).await;
    let (_, log) = program.stop().await;
    assert!(log.contains("WARN") && log.contains("RUST_LOG can't be read"), "{log}");
}

#[tokio::test]
async fn a_port_for_operators_that_is_open_to_others_is_warned_of() {
    for (address, token, warned) in [
        ("0.0.0.0:0", None, true),
        ("0.0.0.0:0", Some(("ZOOKIE_ADMIN_TOKEN_ENV", "TOKEN")), false),
        ("127.0.0.1:0", None, false),
    ] {
        let environment = [Some(("ZOOKIE_ADMIN", address)), Some(("TOKEN", SECRET)), token];
        let environment: Vec<_> = environment.into_iter().flatten().collect();
        let (_, log) = Program::start(&environment).await.stop().await;
        assert_eq!(log.contains("set `--admin-token-env`"), warned, "{address} {log}");
    }
}

/// Two keys: the first one signs.
const KEYS: &str =
    "2027-01:b25lIGtleSBvZiAzMiBieXRlcywgbm90IHJhbmRvbTE=, old:YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMsIG9sZGVyMTI";

#[tokio::test]
async fn tokens_are_signed_with_the_first_key() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let up = format!("http://{}", spicedb.address);
    let program = Program::start(&[
        ("ZOOKIE_UPSTREAM", &up),
        ("ZOOKIE_SIGNING_KEY_ENV", "KEYS"),
        ("ZOOKIE_TOKEN_MAX_AGE", "1h"),
        ("KEYS", KEYS),
    ])
    .await;
    let caller = Caller::new(program.addresses[0]).await;
    let (mut parts, body) = spicedb.recording.call("check-default").request.clone().into_parts();
    for expected in ["0", "0", "3"] {
        let request = http::Request::from_parts(parts.clone(), ());
        let whole = Whole::of(caller.call(request, body.clone()).await.unwrap())
            .await
            .unwrap();
        assert_eq!(whole.grpc_status(), expected);
        if expected == "0" {
            let token = whole.headers["zookie"].to_str().unwrap().to_owned();
            assert!(token.starts_with("zs1.2027-01."), "{token}");
            let forged = token.replace(".2027-01.", ".old.");
            let sent = if parts.headers.contains_key("zookie") {
                forged
            } else {
                token
            };
            parts.headers.insert("zookie", sent.parse().unwrap());
        }
    }
    let (_, stats) = get(program.admin, "/stats").await;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        (
            &stats["tokens_signed"]["metadata"],
            &stats["tokens_refused"]["wrong_signature"]
        ),
        (&1.into(), &1.into())
    );
    let (_, log) = program.stop().await;
    assert!(!log.contains("b25lIG"), "{log}");
}

#[tokio::test]
async fn signing_keys_that_can_not_be_used() {
    let (option, up) = (
        "--signing-key-env",
        ["--engine", "postgres", "--upstream", "http://127.0.0.1:1"],
    );
    for (keys, why) in [
        ("", "has a key that is not ID:BASE64"),
        ("secret-without-id", "has a key that is not ID:BASE64"),
        ("k1:not base64!", "has a key that is not ID:BASE64"),
        ("k1:c2hvcnQ=", "has the key `k1` of 5 bytes"),
        (
            "k.1:b25lIGtleSBvZiAzMiBieXRlcywgbm90IHJhbmRvbTE=",
            "has a key id that is not",
        ),
        (&*[KEYS, KEYS].join(","), "two keys with the id `2027-01`"),
    ] {
        let said = fails(&[&up[..], &[option, "KEYS"]].concat(), &[("KEYS", keys)]).await;
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("secret") && !said.contains("b25lIG"), "{said}");
    }
    let not_set = fails(&[&up[..], &[option, "KEYS"]].concat(), &[]).await;
    assert!(not_set.contains("KEYS of '--signing-key-env' is not set"), "{not_set}");
    let without_key = fails(&[&up[..], &["--token-max-age", "1h"]].concat(), &[]).await;
    assert!(without_key.contains("--signing-key-env <NAME>"), "{without_key}");
}

#[tokio::test]
async fn help_names_the_variables_and_rust_log() {
    let output = command()
        .arg("--help")
        .env("ZOOKIE_UPSTREAM", "http://secret")
        .output()
        .await
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for said in [
        "RUST_LOG",
        "[env: ZOOKIE_ADMIN]",
        "ZOOKIE_HTTP_UPSTREAM",
        "Answers the checks of SpiceDB or Permify",
    ] {
        assert!(help.contains(said), "{said} is not in {help}");
    }
    assert!(!help.contains("http://secret"));
}

#[tokio::test]
async fn no_line_at_info_level_has_a_secret_or_a_subject() {
    let spicedb = Recorded::server("spicedb/grpc-postgres").await;
    let (_taken, down) = unreachable();
    let (up, down) = (format!("http://{}", spicedb.address), format!("http://{down}"));
    let program = Program::start(&[
        ("RUST_LOG", "info"),
        ("ZOOKIE_UPSTREAM", &up),
        ("ZOOKIE_HTTP_UPSTREAM", &down),
        ("ZOOKIE_ADMIN_TOKEN_ENV", "TOKEN"),
        ("TOKEN", SECRET),
    ])
    .await;
    let secrets = [
        ("authorization", "Bearer of-a-caller"),
        ("zookie", "of-a-token"),
        ("cookie", "zookie=of-a-cookie"),
    ];
    let caller = Caller::new(program.addresses[0]).await;
    let check = spicedb.recording.call("check-default").request.clone();
    let (mut parts, body) = check.into_parts();
    for secret in [&[][..], &secrets] {
        for (name, value) in secret {
            parts.headers.append(*name, value.parse().unwrap());
        }
        let request = http::Request::from_parts(parts.clone(), ());
        drop(caller.call(request, body.clone()).await);
    }
    // The upstream is down, and what is asked of the admin port is not its token.
    ask(program.addresses[1], "GET", "/v1/of-a-path?token=of-a-query", &secrets).await;
    ask(program.admin, "POST", "/purge", &secrets[..1]).await;
    spicedb.die();
    drop(caller.call(http::Request::from_parts(parts, ()), body).await);
    let (_, log) = program.stop().await;
    assert!(log.contains("WARN"), "something was logged: {log}");
    for secret in ["of-a-", SECRET, "document", "alice", "user"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}

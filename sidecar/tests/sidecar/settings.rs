//! Configurations that can't be used say why.

use std::error::Error;

use clap::Parser;
use examples_common::duration;
use tokio::net::TcpListener;
use tower_zookie::OldTokens;
use tower_zookie_sidecar::args::Args;
use tower_zookie_sidecar::proxy::Sidecar;

use crate::running::args;
use crate::tls::{CERT, KEY};

const OTHER_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sidecar/tls/other-key.pem");
const NO_PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// An error and its causes.
fn message(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |error: &&dyn Error| (*error).source());
    causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"))
}

async fn rejected(arguments: &[&str]) -> String {
    match args(arguments).config() {
        Err(error) => message(&error),
        Ok(config) => message(&Sidecar::bind(config).await.err().expect("this can't be used")),
    }
}

#[tokio::test]
async fn urls() {
    for (url, why) in [
        ("127.0.0.1:50051", "has no scheme; write it as http://HOST:PORT"),
        ("localhost", "has no scheme"),
        ("ftp://127.0.0.1", "neither http nor https"),
        ("http://127.0.0.1:50051/v1", "has a path"),
        ("http://127.0.0.1:50051/?a=b", "has a path or a query"),
        ("http://", "no URL"),
        ("http://a b", "no URL"),
    ] {
        for flag in ["--upstream", "--http-upstream"] {
            let message = rejected(&[flag, url]).await;
            assert!(message.starts_with(&format!("{flag} can't be used: ")), "{message}");
            assert!(message.contains(why), "{message}");
        }
    }
    let message = rejected(&["--upstream", "http://alice:secret@127.0.0.1:50051"]).await;
    assert!(
        message.contains("user name") && !message.contains("secret") && !message.contains("alice"),
        "{message}"
    );
}

#[tokio::test]
async fn certificates_and_keys() {
    let up = ["--upstream", "http://127.0.0.1:50051"];
    for (arguments, why) in [
        (
            ["--tls-cert", "/nowhere.pem", "--tls-key", KEY],
            "/nowhere.pem can't be read: ",
        ),
        (
            ["--tls-cert", NO_PEM, "--tls-key", KEY],
            "Cargo.toml holds no certificate",
        ),
        (
            ["--tls-cert", CERT, "--tls-key", "/nowhere.pem"],
            "private key in /nowhere.pem can't be read: ",
        ),
        (["--tls-cert", CERT, "--tls-key", NO_PEM], "Cargo.toml can't be read: "),
        (["--tls-cert", CERT, "--tls-key", CERT], "cert.pem can't be read: "),
        (["--tls-cert", CERT, "--tls-key", OTHER_KEY], "can't be used together: "),
    ] {
        let message = rejected(&[&up[..], &arguments].concat()).await;
        assert!(message.contains(why), "{message}");
    }
    let message = rejected(&["--upstream", "https://127.0.0.1:1", "--upstream-ca", KEY]).await;
    assert!(message.contains("key.pem holds no certificate"), "{message}");
    let message = rejected(&[&up[..], &["--upstream-ca", CERT]].concat()).await;
    assert!(message.contains("no upstream is https"), "{message}");
}

#[tokio::test]
async fn addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--admin", &taken]).await;
    assert!(message.starts_with(&format!("can't listen on {taken}: ")), "{message}");
}

#[tokio::test]
async fn circles_and_settings_of_the_layer() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let message = rejected(&["--upstream", &format!("http://{free}"), "--listen", &free]).await;
    assert!(message.contains("round in circles"), "{message}");
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--window", "0s"]).await;
    assert!(
        message.contains("window has an interval that is not between 1 ms and one day"),
        "{message}"
    );
}

#[test]
fn required_arguments() {
    for (arguments, why) in [
        (&["--engine", "postgres"][..], "--upstream"),
        (&["--upstream", "http://127.0.0.1:50051"], "--engine"),
        (
            &["--engine", "oracle", "--upstream", "http://h"],
            "possible values: memory, postgres, cockroachdb",
        ),
        (
            &["--engine", "mysql", "--upstream", "http://h", "--tls-cert", "x"],
            "--tls-key",
        ),
        (
            &["--engine", "spanner", "--upstream", "http://h", "--window", "5"],
            "write it as `500ms`, `5s`, `10m`, `2h` or `1d`",
        ),
        (
            &["--system", "keto", "--engine", "postgres", "--upstream", "http://h"],
            "possible values: spicedb, permify",
        ),
        (
            &["--engine", "postgres", "--http-upstream", "http://h", "--watch", "t1"],
            "--upstream",
        ),
        (
            &[
                "--engine",
                "postgres",
                "--upstream",
                "http://h",
                "--watch-authorization-env",
                "KEY",
            ],
            "--watch <TENANT>",
        ),
        (
            &[
                "--engine",
                "postgres",
                "--upstream",
                "http://h",
                "--ask-old-tokens-at-head",
            ],
            "--oldest-token <AGE>",
        ),
    ] {
        let message = Args::try_parse_from([&["zookie-sidecar"], arguments].concat())
            .unwrap_err()
            .to_string();
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn arguments_that_a_system_does_not_have() {
    let up = ["--upstream", "http://127.0.0.1:50051"];
    for (arguments, why) in [
        (
            &["--system", "permify", "--engine", "spanner"][..],
            "'--engine spanner' can't be used with '--system permify' [possible values: memory, postgres]",
        ),
        (
            &["--system", "permify", "--engine", "memory", "--watch", "t1"],
            "'--watch' can't be used with '--engine memory'",
        ),
        (&["--watch", "t1"], "'--watch' can't be used with '--system spicedb'"),
        (
            &["--system", "permify", "--engine", "postgres", "--read-replicas"],
            "'--read-replicas' can't be used with '--system permify'",
        ),
        (
            &["--window-reads-without-token"],
            "'--window-reads-without-token' can't be used with '--system spicedb'",
        ),
        (
            &[
                "--system",
                "permify",
                "--watch",
                "t1",
                "--watch-authorization-env",
                "ZOOKIE_NOT_SET",
            ],
            "ZOOKIE_NOT_SET of '--watch-authorization-env' is not set",
        ),
        (
            &["--system", "permify", "--oldest-token", "5s"],
            "oldest_token is less than the greatest age of an answer",
        ),
    ] {
        let message = rejected(&[&up[..], arguments].concat()).await;
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn durations() {
    for (text, seconds) in [
        ("1500ms", 1.5),
        ("5s", 5.),
        ("10m", 600.),
        ("2h", 7200.),
        ("7d", 604_800.),
    ] {
        assert_eq!(duration(text).unwrap().as_secs_f64(), seconds);
    }
    for bad in ["", "5", "s", "1.5h", "-1s", "1w", "5 s", "99999999999s"] {
        assert!(
            duration(bad)
                .unwrap_err()
                .starts_with(&format!("`{bad}` is no duration"))
        );
    }
}

#[test]
fn the_treatment_of_old_tokens() {
    let up = ["--system", "permify", "--upstream", "http://h", "--oldest-token", "12h"];
    let set = |more: &[&str]| args(&[&up[..], more].concat()).config().unwrap().layer.oldest_token;
    let age = duration("12h").unwrap();
    assert_eq!(set(&[]), Some((age, OldTokens::Reject)));
    assert_eq!(set(&["--ask-old-tokens-at-head"]), Some((age, OldTokens::AskAtHead)));
}

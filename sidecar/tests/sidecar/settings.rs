//! Configurations that can't be used say why.

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::Parser;
use examples_common::{address, duration, percent};
use tokio::net::TcpListener;
use tower_zookie::OldTokens;
use tower_zookie_sidecar::args::memory::{Limit, Memory};
use tower_zookie_sidecar::args::{Args, check_capacity};
use tower_zookie_sidecar::proxy::Sidecar;
use tower_zookie_sidecar::proxy::admin::At;

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
    let expected = format!("can't serve operators on {taken}: ");
    assert!(message.starts_with(&expected), "{message}");
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--listen", &taken]).await;
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
    let port = free.rsplit(':').next().unwrap();
    let (named, every) = (format!("localhost:{port}"), format!("0.0.0.0:{port}"));
    for (upstream, listen) in [(&free, &free), (&named, &free), (&free, &named), (&free, &every)] {
        let message = rejected(&["--upstream", &format!("http://{upstream}"), "--listen", listen]).await;
        assert!(message.contains("round in circles"), "{message}");
    }
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--window", "0s"]).await;
    assert_eq!(
        message,
        "'--window' has an interval that is not between 1 ms and one day; choose one in between"
    );
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--time-to-live", "5s"]).await;
    assert_eq!(
        message,
        "'--time-to-live' is 5s, less than the window's interval of 3600s; choose 3600s or more, or a shorter window"
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
            &[
                "--engine",
                "postgres",
                "--http-upstream",
                "http://h",
                "--follow-tenant",
                "t1",
            ],
            "--upstream",
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
        (
            &["--engine", "mysql", "--upstream", "http://h", "--connect-timeout", "0s"],
            "nothing happens within 0; choose a longer duration, such as `2s`",
        ),
        (
            &["--engine", "mysql", "--upstream", "http://h", "--capacity", "1g"],
            "`1g` is no number of MiB from 1 to 4294967295; write it without the unit, such as `64`",
        ),
        (
            &["--engine", "mysql", "--upstream", "http://h", "--capacity", "0"],
            "`0` is no number of MiB from 1",
        ),
        (
            &["--engine", "mysql", "--upstream", "http://h", "--max-body", "65537"],
            "`65537` is no number of KiB from 1 to 65536",
        ),
        (
            &["--engine", "postgres", "--upstream", "http://h", "--follow-tenant", ""],
            "a value is required for '--follow-tenant <TENANT>'",
        ),
        (
            &["--engine", "postgres", "--upstream", "http://h", "--probe-tenant", ""],
            "a value is required for '--probe-tenant <TENANT>'",
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
            &["--system", "permify", "--engine", "memory", "--follow-tenant", "t1"],
            "'--follow-tenant' can't be used with '--engine memory'",
        ),
        (
            &["--follow-tenant", "t1"],
            "'--follow-tenant' can't be used with '--system spicedb'",
        ),
        (
            &["--system", "permify", "--follow"],
            "'--follow' needs '--follow-tenant TENANT' with '--system permify'",
        ),
        (
            &["--follow-authorization-env", "CARGO_PKG_NAME"],
            "'--follow-authorization-env' needs '--follow'",
        ),
        (
            &["--follow", "--follow-authorization-env", "ZOOKIE_NOT_SET"],
            "ZOOKIE_NOT_SET of '--follow-authorization-env' is not set",
        ),
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
                "--follow-tenant",
                "t1",
                "--follow-authorization-env",
                "ZOOKIE_NOT_SET",
            ],
            "ZOOKIE_NOT_SET of '--follow-authorization-env' is not set",
        ),
        (
            &["--system", "permify", "--oldest-token", "5s"],
            "'--oldest-token' has an age of 5s, less than 3960s, the greatest age of an answer; \
             choose 3960s or more, or a shorter window",
        ),
    ] {
        let message = rejected(&[&up[..], arguments].concat()).await;
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn rule_17_a_port_without_an_upstream_is_named() {
    let idle = |arguments: &[&str]| {
        let args = Args::try_parse_from([&["zookie-sidecar", "--engine", "mysql"], arguments].concat()).unwrap();
        args.idle_ports().collect::<Vec<_>>()
    };
    let (grpc, http) = (["--upstream", "http://h"], ["--http-upstream", "http://h"]);
    let ports = ["--listen", "0.0.0.0:1", "--http-listen", "0.0.0.0:2"];
    assert_eq!(
        idle(&[&grpc[..], &ports].concat()),
        [("--http-listen", "--http-upstream")]
    );
    assert_eq!(idle(&[&http[..], &ports].concat()), [("--listen", "--upstream")]);
    assert_eq!(idle(&[&grpc[..], &http, &ports].concat()), []);
    assert_eq!((idle(&grpc), idle(&http)), (vec![], vec![]));
}

#[test]
fn percentages() {
    for (text, number) in [("0", 0), ("10", 10), ("10%", 10), ("100%", 100)] {
        assert_eq!(percent(text), Ok(number));
    }
    for bad in ["", "%", "101", "-1", "10.5%", "10%%", "ten"] {
        assert_eq!(
            percent(bad).unwrap_err(),
            format!("`{bad}` is no percentage from 0 to 100; write it as `10` or `10%`")
        );
    }
    let rejected = Args::try_parse_from(["zookie-sidecar", "--engine", "mysql", "--staleness", "200%"]).unwrap_err();
    assert!(rejected.to_string().contains("--staleness"), "{rejected}");
}

#[test]
fn addresses_may_be_names() {
    assert_eq!(
        address("127.0.0.1:80"),
        "127.0.0.1:80".parse().map_err(|_| String::new())
    );
    let named = address("localhost:8080").unwrap();
    assert!(named.ip().is_loopback() && named.port() == 8080, "{named}");
    for bad in [
        "localhost",
        ":50061",
        "50061",
        "http://localhost:50061",
        "localhost:70000",
    ] {
        let why = address(bad).unwrap_err();
        assert!(why.starts_with(&format!("`{bad}` is no address (")), "{why}");
        assert!(
            why.contains("; write it as `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn names_are_where_it_listens() {
    let up = [
        "--upstream",
        "http://127.0.0.1:50051",
        "--http-upstream",
        "http://127.0.0.1:8443",
    ];
    let listen = [
        "--listen",
        "localhost:0",
        "--http-listen",
        "localhost:0",
        "--admin",
        "localhost:0",
    ];
    let sidecar = Sidecar::bind(args(&[&up[..], &listen].concat()).config().unwrap())
        .await
        .unwrap();
    let ports = sidecar.routes().iter().map(|route| route.listen);
    let admin = match sidecar.admin() {
        Some(At::Tcp(address)) => address,
        other => panic!("operators are on {other:?}"),
    };
    for address in ports.chain([admin]) {
        assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
    }
}

/// The files that Linux would have, under a folder of this name.
fn linux(name: &str, files: &[(&str, &str)]) -> Option<Memory> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    Memory::stated_below(&root)
}

#[test]
fn rule_17_a_capacity_beyond_the_memory_is_rejected() {
    const GIB: u64 = 1 << 30;
    let machine = ("proc/meminfo", "MemFree: 1 kB\nMemTotal:        8388608 kB\n");
    let limited = |bytes, limit| Some(Memory { bytes, limit });
    for (name, files, expected) in [
        ("elsewhere", vec![], None),
        ("machine", vec![machine], limited(8 * GIB, Limit::Machine)),
        (
            "version-2",
            vec![
                machine,
                ("proc/self/cgroup", "0::/pods/one\n"),
                ("sys/fs/cgroup/pods/one/memory.max", "max\n"),
                ("sys/fs/cgroup/pods/memory.max", "2147483648\n"),
            ],
            limited(2 * GIB, Limit::Cgroup),
        ),
        (
            "version-2-unlimited",
            vec![
                machine,
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "max\n"),
            ],
            limited(8 * GIB, Limit::Machine),
        ),
        (
            // The container's own cgroup is mounted as the outermost one.
            "version-1",
            vec![
                machine,
                ("proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
            ],
            limited(GIB, Limit::Cgroup),
        ),
        (
            "version-1-unlimited",
            vec![
                machine,
                ("proc/self/cgroup", "4:memory:/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ],
            limited(8 * GIB, Limit::Machine),
        ),
    ] {
        assert_eq!(linux(name, &files), expected, "{name}");
    }

    let memory = limited(2 * GIB, Limit::Cgroup);
    assert!(check_capacity(2048, memory).is_ok() && check_capacity(u32::MAX, None).is_ok());
    assert_eq!(
        check_capacity(2049, memory).unwrap_err().to_string(),
        "'--capacity 2049' is more than the 2048 MiB that the cgroup's memory limit allows; choose fewer MiB"
    );
    assert_eq!(
        check_capacity(9000, limited(8 * GIB, Limit::Machine))
            .unwrap_err()
            .to_string(),
        "'--capacity 9000' is more than the 8192 MiB that this machine has; choose fewer MiB"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn rule_17_this_machines_memory_is_known() {
    let message = rejected(&["--upstream", "http://127.0.0.1:50051", "--capacity", "4294967295"]).await;
    assert!(
        message.starts_with("'--capacity 4294967295' is more than the "),
        "{message}"
    );
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

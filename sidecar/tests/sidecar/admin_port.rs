//! Where operators connect, and what they have to show.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tower_zookie_sidecar::args::Args;
use tower_zookie_sidecar::proxy::Sidecar;
use tower_zookie_sidecar::proxy::admin::Bearer;

use crate::admin::{ask, get};
use crate::running::{Running, args};

const UP: [&str; 2] = ["--upstream", "http://127.0.0.1:1"];
const SECRET: &str = "correct-horse-battery";

/// A path of its own for each test.
fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("zookie-{}-{name}.sock", std::process::id()));
    drop(fs::remove_file(&path));
    path
}

fn on(path: &Path) -> Vec<String> {
    let admin = format!("unix:{}", path.display());
    [&UP[..], &["--admin", &admin]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

async fn run_on(path: &Path) -> Running {
    let arguments = on(path);
    Running::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn get_over(path: &Path, target: &str) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: zookie\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn operators_can_connect_to_a_unix_socket() {
    use std::os::unix::fs::PermissionsExt;
    let path = socket("served");
    let mut sidecar = run_on(&path).await;
    assert!(get_over(&path, "/version").await.contains("zookie-sidecar"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    sidecar.stop();
    sidecar.ended().await;
    assert!(!path.exists(), "the file is removed at the end");
}

#[tokio::test]
async fn a_socket_without_a_sidecar_is_replaced_and_nothing_else() {
    let path = socket("left");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let running = run_on(&path).await;
    assert!(get_over(&path, "/healthz").await.ends_with("alive\n"));
    let second = on(&path);
    let config = args(&second.iter().map(String::as_str).collect::<Vec<_>>())
        .config()
        .unwrap();
    let error = Sidecar::bind(config.clone()).await.err().unwrap();
    assert!(
        error.to_string().starts_with("can't serve operators on unix:"),
        "{error}"
    );
    drop(running);

    let path = socket("file");
    fs::write(&path, "mine").unwrap();
    let mut other = config;
    other.admin.address = tower_zookie_sidecar::proxy::admin::Address::Unix(path.clone());
    assert!(Sidecar::bind(other).await.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn the_port_for_operators_can_be_off() {
    let config = args(&[&UP[..], &["--admin", "off"]].concat()).config().unwrap();
    let sidecar = Sidecar::bind(config).await.unwrap();
    assert_eq!(sidecar.admin(), None);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(sidecar.run(async { drop(stopped.await) }));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn operators_show_a_token_and_probes_need_none() {
    let mut config = args(&UP).config().unwrap();
    config.admin.bearer = Some(Bearer::new(SECRET).unwrap());
    assert!(!format!("{config:?}").contains(SECRET));
    let sidecar = Running::of(config).await;
    let authorization = |value: &str| ("authorization", value.to_owned());
    for (headers, status) in [
        (vec![], 401),
        (vec![authorization(SECRET)], 401),
        (vec![authorization("Bearer ")], 401),
        (vec![authorization("Bearer correct-horse-batterz")], 401),
        (vec![authorization("Bearer correct-horse-battery-staple")], 401),
        (vec![authorization(&format!("Basic {SECRET}"))], 401),
        (vec![authorization(&format!("Bearer {SECRET}"))], 200),
        (vec![authorization(&format!("bearer {SECRET}"))], 200),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        for (method, path) in [
            ("GET", "/stats"),
            ("GET", "/metrics"),
            ("GET", "/version"),
            ("GET", "/pass-through"),
            ("POST", "/pass-through?off"),
            ("POST", "/purge"),
        ] {
            assert_eq!(
                ask(sidecar.admin, method, path, &headers).await.0,
                status,
                "{path} {headers:?}"
            );
        }
    }
    assert_eq!(get(sidecar.admin, "/healthz").await.0, 200);
    assert_eq!(get(sidecar.admin, "/readyz").await.0, 503, "the upstream is down");
}

#[test]
fn tokens_that_are_too_short_or_no_header_are_rejected() {
    for (secret, why) in [
        ("", "has fewer than 16 characters"),
        ("fifteen-letters", "has fewer than 16 characters"),
        ("correct horse battery", "has characters that a header can't carry"),
        ("correct-hörse-battery", "has characters that a header can't carry"),
    ] {
        let error = Bearer::new(secret).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
    let config = |more: &[&str]| args(&[&UP[..], more].concat()).config().unwrap_err().to_string();
    let not_set = config(&["--admin-token-env", "ZOOKIE_NOT_SET"]);
    assert!(
        not_set.contains("ZOOKIE_NOT_SET of '--admin-token-env' is not set"),
        "{not_set}"
    );
    let off = config(&["--admin", "off", "--admin-token-env", "ZOOKIE_NOT_SET"]);
    assert!(off.contains("can't be used with '--admin off'"), "{off}");
    for (admin, why) in [
        ("9091", "or as `unix:PATH`, or `off`"),
        ("unix:", "`unix:` has no path"),
    ] {
        let arguments = ["zookie-sidecar", "--admin", admin];
        let message = Args::try_parse_from(arguments).unwrap_err().to_string();
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn every_option_is_an_environment_variable_too() {
    let command = Args::command();
    let options: Vec<_> = command.get_arguments().collect();
    assert!(options.len() > 20);
    for option in options {
        let long = option.get_long().expect("every option has a long name");
        let name = format!("ZOOKIE_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(option.get_env().and_then(|name| name.to_str()), Some(&*name));
        assert!(option.is_hide_env_values_set(), "{long}");
    }
}

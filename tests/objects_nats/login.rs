//! Credentials, TLS and settings.

use std::fs;
use std::time::Duration;

use tower_zookie::objects::{NatsObjects, NatsObjectsBuilder, ObjectTokens};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{advance, document, number};

use crate::tools::{PATIENCE, look_up, read_all, update, whole};

fn at(server: &NatsServer, scheme: &str, login: &str) -> NatsObjectsBuilder {
    let url = format!("{scheme}://{login}127.0.0.1:{}", server.port());
    NatsObjects::builder(url).timeout(PATIENCE).connect_timeout(PATIENCE)
}

async fn works(settings: NatsObjectsBuilder) {
    let objects = settings.connect().await.unwrap();
    update(&objects, &document("1"), advance(5)).await;
    assert_eq!(number(&look_up(&objects, &document("1")).await), 5);
}

/// What connecting is refused with. It has no secret.
async fn refused(settings: NatsObjectsBuilder) -> String {
    let shown = format!("{settings:?}");
    let error = settings.connect().await.unwrap_err();
    for text in [whole(&error), format!("{error:?}"), shown] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    whole(&error)
}

pub(crate) async fn a_user_and_a_password_in_the_url() {
    let server = NatsServer::with_settings("authorization { user: zookie, password: \"s3cr3t@/\" }");
    works(at(&server, "nats", "zookie:s3cr3t%40%2F@")).await;
    for login in ["", "zookie:s3cr3t@", "other:s3cr3t%40%2F@", "s3cr3t@"] {
        let error = refused(at(&server, "nats", login)).await;
        assert!(error.contains("`url`"), "{error}");
    }
}

pub(crate) async fn a_token_in_the_url() {
    let server = NatsServer::with_settings("authorization { token: s3cr3t }");
    works(at(&server, "nats", "s3cr3t@")).await;
    let error = refused(at(&server, "nats", "s3cr3t-other@")).await;
    assert!(error.contains("refuses the credentials"), "{error}");
}

pub(crate) async fn files_that_can_not_be_used_are_named() {
    let server = NatsServer::start();
    let file = |name: &str, text: &str| {
        let path = server.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let missing = server.folder().join("missing");
    let junk = file("junk", "junk");
    let broken = file(
        "broken",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    for path in [&missing, &junk] {
        let error = refused(at(&server, "nats", "").credentials_file(path)).await;
        assert!(error.contains("`credentials_file`"), "{error}");
    }
    for path in [&missing, &junk, &broken] {
        let error = refused(at(&server, "nats", "").ca_file(path)).await;
        assert!(error.contains("`ca_file`"), "{error}");
    }
    let error = refused(at(&server, "nats", "u:s3cr3t@").credentials_file(&junk)).await;
    assert!(
        error.contains("`credentials_file`") && error.contains("`url`"),
        "{error}"
    );
}

pub(crate) async fn a_user_without_jetstream_is_told_so() {
    let server = NatsServer::with_settings("accounts { A { users: [{ user: a, password: s3cr3t }] } }");
    let error = refused(at(&server, "nats", "a:s3cr3t@").timeout(Duration::from_secs(2))).await;
    assert!(error.contains("JetStream"), "{error}");
}

pub(crate) async fn the_permissions_that_the_docs_name_are_enough() {
    let user = |publish: &str| format!("{{ user: a, password: s3cr3t, permissions: {{ publish: {publish} }} }}");
    let allowed = r#"["$KV.zookie_objects.>", "$JS.API.>", "$JS.FC.>"], subscribe: "_INBOX.>""#;
    let with = |user: String| NatsServer::with_settings(format!("authorization {{ users: [{user}] }}"));
    let server = with(user(allowed));
    let objects = at(&server, "nats", "a:s3cr3t@").connect().await.unwrap();
    let updates: Vec<_> = (0..2000).map(|id| (document(id.to_string()), advance(5))).collect();
    objects.update(&updates).await.unwrap();
    let mut feed = objects.follow(Duration::from_millis(100)).await.unwrap();
    assert_eq!(read_all(&mut *feed).await.len(), updates.len());
    let server = with(user(r#"{ deny: "$KV.>" }"#));
    let error = refused(at(&server, "nats", "a:s3cr3t@").timeout(Duration::from_secs(2))).await;
    assert!(error.contains("`$KV.zookie_objects.>`"), "{error}");
}

/// It has a certificate, for `localhost` and 127.0.0.1, that it has signed itself.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sidecar/tests/sidecar/tls");

pub(crate) async fn tls_with_a_verified_server() {
    let server = NatsServer::with_settings(format!(
        "tls {{ cert_file: \"{FOLDER}/cert.pem\", key_file: \"{FOLDER}/key.pem\" }}"
    ));
    let cert = format!("{FOLDER}/cert.pem");
    works(at(&server, "tls", "").ca_file(&cert)).await;
    works(at(&server, "nats", "").ca_file(&cert)).await;
    // The system does not know who signed it.
    for scheme in ["tls", "nats"] {
        let error = refused(at(&server, scheme, "")).await;
        assert!(error.contains("`ca_file`") && error.contains("certificate"), "{error}");
    }
    // It is for another name. This is the same address.
    let misnamed = format!("tls://[::ffff:127.0.0.1]:{}", server.port());
    let error = refused(NatsObjects::builder(misnamed).ca_file(&cert)).await;
    assert!(error.contains("not valid for name"), "{error}");
    // A server without TLS gets no credentials.
    let plain = NatsServer::start();
    for settings in [
        at(&plain, "tls", "u:s3cr3t@"),
        at(&plain, "nats", "u:s3cr3t@").ca_file(&cert),
    ] {
        refused(settings.connect_timeout(Duration::from_secs(2))).await;
    }
}

pub(crate) async fn rule_17_settings_that_make_no_sense_are_named() {
    let settings = || NatsObjects::builder("nats://127.0.0.1:1").connect_timeout(Duration::from_secs(2));
    for (named, settings) in [
        ("url", NatsObjects::builder("http://u:s3cr3t@host")),
        ("bucket", settings().bucket("")),
        ("bucket", settings().bucket("a.b")),
        ("bucket", settings().bucket("b".repeat(201))),
        ("replicas", settings().replicas(0)),
        ("replicas", settings().replicas(6)),
        ("timeout", settings().timeout(Duration::ZERO)),
        ("timeout", settings().timeout(Duration::MAX)),
        ("connect_timeout", settings().connect_timeout(Duration::ZERO)),
        ("clean_every", settings().clean_every(Duration::ZERO)),
        // No server is there.
        ("url", settings()),
    ] {
        let error = refused(settings).await;
        assert!(error.contains(&format!("`{named}`")), "{error}");
    }
}

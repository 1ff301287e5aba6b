//! Credentials, TLS and settings.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tower_zookie::objects::{NatsObjects, NatsObjectsBuilder};
use tower_zookie_testing::nats::NatsServer;
use tower_zookie_testing::objects::{advance, document, number};

use crate::tools::{PATIENCE, look_up, update, whole};

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
    let server = NatsServer::with_settings(|_| "authorization { user: zookie, password: \"s3cr3t@/\" }".into());
    works(at(&server, "nats", "zookie:s3cr3t%40%2F@")).await;
    for login in ["", "zookie:s3cr3t@", "other:s3cr3t%40%2F@", "s3cr3t@"] {
        let error = refused(at(&server, "nats", login)).await;
        assert!(error.contains("`url`"), "{error}");
    }
}

pub(crate) async fn a_token_in_the_url() {
    let server = NatsServer::with_settings(|_| "authorization { token: s3cr3t }".into());
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
    let server = NatsServer::with_settings(|_| "accounts { A { users: [{ user: a, password: s3cr3t }] } }".into());
    let error = refused(at(&server, "nats", "a:s3cr3t@").timeout(Duration::from_secs(2))).await;
    assert!(error.contains("JetStream"), "{error}");
}

/// Writes the certificate of a server on loopback, its key, and the certificate of its authority.
fn certificates(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".into()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

pub(crate) async fn tls_with_a_verified_server() {
    let server = NatsServer::with_settings(|folder| {
        certificates(folder);
        let folder = folder.display();
        format!("tls {{ cert_file: \"{folder}/server.pem\", key_file: \"{folder}/server.key\" }}")
    });
    let ca = server.folder().join("ca.pem");
    works(at(&server, "tls", "").ca_file(&ca)).await;
    works(at(&server, "nats", "").ca_file(&ca)).await;
    let other = server.folder().join("other");
    fs::create_dir(&other).unwrap();
    certificates(&other);
    for settings in [
        at(&server, "tls", ""),
        at(&server, "tls", "").ca_file(other.join("ca.pem")),
        at(&server, "nats", "").ca_file(other.join("ca.pem")),
    ] {
        let error = refused(settings).await;
        assert!(error.contains("`ca_file`"), "{error}");
    }
    // The certificate is for the address alone.
    let error = refused(NatsObjects::builder(format!("tls://localhost:{}", server.port())).ca_file(&ca)).await;
    assert!(error.contains("`ca_file`"), "{error}");
    // A server without TLS gets no credentials.
    let plain = NatsServer::start();
    for settings in [
        at(&plain, "tls", "u:s3cr3t@"),
        at(&plain, "nats", "u:s3cr3t@").ca_file(&ca),
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

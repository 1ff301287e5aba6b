//! TLS, and whom it trusts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tower_zookie::objects::{PostgresObjects, PostgresObjectsBuilder};
use tower_zookie_testing::postgres::Postgres;

use crate::{Place, chain};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sidecar/tests/sidecar/tls");

/// A server whose certificate is for `localhost` and 127.0.0.1.
fn secure() -> Place {
    let settings = [
        "ssl = on",
        "ssl_cert_file = 'cert.pem'",
        "ssl_key_file = 'key.pem'",
        "listen_addresses = '127.0.0.1, 127.0.0.2'",
    ];
    let server = Postgres::start_with(&settings, |data| {
        for name in ["cert.pem", "key.pem"] {
            let file = data.join(name);
            fs::copy(format!("{FOLDER}/{name}"), &file).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
    });
    Place::new(&Arc::new(server))
}

fn at(place: &Place, host: &str, mode: &str) -> PostgresObjectsBuilder {
    let url = place.server.url().replace("127.0.0.1", host);
    PostgresObjects::builder(format!("{url}?sslmode={mode}"))
        .table(&place.table)
        .create_table(true)
}

pub(super) async fn the_servers_certificate_is_verified(_: Place) {
    let place = secure();
    let cert = format!("{FOLDER}/cert.pem");
    for mode in ["require", "prefer"] {
        let _objects = at(&place, "localhost", mode).ca_file(&cert).connect().await.unwrap();
        let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                         WHERE application_name = 'tower-zookie'";
        assert_eq!(place.sql(encrypted), "t");
        // The system does not know who signed it.
        let unknown = chain(&at(&place, "localhost", mode).connect().await.unwrap_err());
        assert!(
            unknown.contains("can't connect") && unknown.contains("certificate"),
            "{unknown}"
        );
        // It is for another name.
        let misnamed = chain(
            &at(&place, "127.0.0.2", mode)
                .ca_file(&cert)
                .connect()
                .await
                .unwrap_err(),
        );
        assert!(misnamed.contains("not valid for name"), "{misnamed}");
    }
    at(&place, "127.0.0.1", "disable").connect().await.unwrap();
}

pub(super) async fn a_server_without_tls_is_refused_where_it_is_required(place: Place) {
    let cert = format!("{FOLDER}/cert.pem");
    let error = chain(
        &at(&place, "127.0.0.1", "require")
            .ca_file(&cert)
            .connect()
            .await
            .unwrap_err(),
    );
    assert!(error.contains("does not support TLS"), "{error}");
    at(&place, "127.0.0.1", "prefer").connect().await.unwrap();
}

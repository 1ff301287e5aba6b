use std::path::Path;
use std::sync::Arc;

use async_nats::rustls::crypto::ring;
use async_nats::rustls::pki_types::CertificateDer;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::{ClientConfig, RootCertStore};

use crate::nats::problem::Problem;

/// How servers are verified: by the certificates in this file, or else by those of the operating system.
pub(crate) async fn config(ca_file: Option<&Path>) -> Result<ClientConfig, Problem> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let pem = tokio::task::spawn_blocking({
                let path = path.to_owned();
                move || std::fs::read(path)
            });
            let pem = pem.await.map_err(unusable)?.map_err(unusable)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(unusable)?;
                roots.add(certificate).map_err(unusable)?;
            }
            if roots.is_empty() {
                return Err(Problem::new(
                    "NATS: `ca_file` has no certificate; it must have one or more in PEM format",
                ));
            }
        }
        None => {
            let native = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
            let native = native
                .await
                .map_err(|error| Problem::new("NATS: the system's certificates can't be read").with_source(error))?;
            roots.add_parsable_certificates(native.certs);
        }
    }
    // Chosen here: a program may have linked several, and then rustls does not choose.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::new("NATS: TLS can't be set up").with_source(error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Problem {
    Problem::new("NATS: `ca_file` can't be read; it must be a file of certificates in PEM format").with_source(error)
}

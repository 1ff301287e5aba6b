use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::objects::error::ObjectsError;

/// Connects by TLS with servers whose certificates these authorities have signed: those in the file, or else the system's.
pub(super) fn connector(ca_file: Option<&Path>, mode: SslMode) -> Result<MakeRustlsConnect, ObjectsError> {
    let roots = match (ca_file, mode) {
        (Some(path), _) => roots_from(path)?,
        (None, SslMode::Disable) => RootCertStore::empty(),
        (None, _) => system_roots(mode)?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ObjectsError::new("TLS can't be set up").with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots_from(path: &Path) -> Result<RootCertStore, ObjectsError> {
    let failed = |problem: &str| ObjectsError::new(format!("ca_file: {} {problem}", path.display()));
    let unreadable = "can't be read; it should be a PEM file with BEGIN CERTIFICATE in it";
    let certificates =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>());
    let certificates = certificates.map_err(|error| failed(unreadable).with_source(error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        added.map_err(|error| failed("has a certificate that can't be trusted").with_source(error))?;
    }
    if roots.is_empty() {
        return Err(failed(
            "holds no certificate; it should be a PEM file with BEGIN CERTIFICATE in it",
        ));
    }
    Ok(roots)
}

/// Certificates of the system that can't be read are left out: it may still trust enough others.
fn system_roots(mode: SslMode) -> Result<RootCertStore, ObjectsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() && mode == SslMode::Require {
        return Err(ObjectsError::new(
            "ca_file: the system has no certificates to trust; name a PEM file",
        ));
    }
    Ok(roots)
}

//! Certificates of authorities: read from a file and checked before the client gets them.

use crate::http::error::HttpFault;
use crate::secure_fs::bounded;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;

/// The client does not check certificates and panics on invalid ones.
pub(super) fn check(pem: &[u8]) -> Result<(), HttpFault> {
    let (mut known, mut count) = (RootCertStore::empty(), 0);
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| HttpFault::Certificates(error.to_string()))?;
        known.add(certificate).map_err(|error| HttpFault::Certificates(error.to_string()))?;
        count += 1;
    }
    if count == 0 { Err(HttpFault::Certificates("there is no PEM certificate in the file".into())) } else { Ok(()) }
}

/// The certificates of authorities in a file, all of them usable.
pub fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem =
        bounded::bounded(path, bounded::CERTIFICATE_FILE).map_err(|error| format!("which cannot be read: {error}"))?;
    match check(&pem) {
        Ok(()) => Ok(pem),
        Err(HttpFault::Certificates(reason)) => Err(format!("which cannot be used: {reason}")),
        Err(other) => Err(other.to_string()),
    }
}

/// Whether a directory has a file with a certificate of an authority.
pub fn has_certificates(folder: &Path) -> Result<bool, String> {
    let files = std::fs::read_dir(folder).map_err(|error| format!("which cannot be read: {error}"))?;
    let mut paths = files.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file());
    Ok(paths.any(|path| certificates(&path).is_ok()))
}

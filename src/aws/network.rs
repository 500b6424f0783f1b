//! The certificates and the proxy for calls to AWS, checked before the first call.
//!
//! Guarantee: a missing file, a file without a certificate and an invalid proxy are errors that name the setting; no
//! request uses other ones instead.

use super::credential_error::SettingFault;
use super::resolved::{AwsService, Resolved, ResolvedValue};
use crate::http::{self, Network, Proxy};
use std::path::{Path, PathBuf};

/// The certificates and the proxy in use. None are needed if every service is reached without TLS.
pub(super) fn network(resolved: &Resolved) -> Result<Network, SettingFault> {
    let is_plain = |service| resolved.endpoint(service).is_some_and(|endpoint| endpoint.value.starts_with("http://"));
    if AwsService::CALLED.into_iter().all(is_plain) {
        return Ok(Network::default());
    }
    let proxy =
        Proxy::from_variables(|name| resolved.environment.get(name).cloned()).map_err(|fault| SettingFault {
            hint: format!("set {} to http://HOST:PORT, or unset it", fault.variable),
            detail: fault.to_string(),
        })?;
    let Some(bundle) = resolved.variable_or_setting(&["AWS_CA_BUNDLE"], "ca_bundle") else {
        return Ok(Network { roots: None, roots_from: of_host(resolved)?, proxy });
    };
    let path = below_home(resolved, &bundle);
    let from = format!("{} ({})", path.display(), bundle.from);
    let roots = http::certificates(&path).map_err(|reason| wrong(&bundle.from, &path, &reason))?;
    Ok(Network { roots: Some(roots), roots_from: Some(from), proxy })
}

/// The certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, which replace the host's; the client reads them.
fn of_host(resolved: &Resolved) -> Result<Option<String>, SettingFault> {
    let mut names = Vec::new();
    if let Some(path) = resolved.variable("SSL_CERT_FILE") {
        http::certificates(Path::new(path)).map_err(|reason| wrong("SSL_CERT_FILE", Path::new(path), &reason))?;
        names.push(format!("{path} (SSL_CERT_FILE)"));
    }
    if let Some(list) = resolved.variable("SSL_CERT_DIR") {
        let mut is_empty = true;
        for folder in list.split(':').map(Path::new) {
            let found = http::has_certificates(folder).map_err(|reason| wrong("SSL_CERT_DIR", folder, &reason))?;
            is_empty &= !found;
        }
        if is_empty {
            return Err(wrong("SSL_CERT_DIR", Path::new(list), "which has no PEM certificate"));
        }
        names.push(format!("{list} (SSL_CERT_DIR)"));
    }
    Ok((!names.is_empty()).then(|| names.join(" and ")))
}

fn wrong(setting: &str, path: &Path, reason: &str) -> SettingFault {
    SettingFault {
        detail: format!("{setting} names {}, {reason}", path.display()),
        hint: format!("set {setting} to PEM certificates that this user can read, or remove it"),
    }
}

fn below_home(resolved: &Resolved, bundle: &ResolvedValue) -> PathBuf {
    match (bundle.value.strip_prefix("~/"), resolved.variable("HOME")) {
        (Some(rest), Some(home)) => Path::new(home).join(rest),
        _ => PathBuf::from(&bundle.value),
    }
}

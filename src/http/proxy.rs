//! The proxy for requests over TLS, from the environment.
//!
//! Guarantee: a variable with an invalid proxy is an error, never a direct request. The password is in no message.

use aws_smithy_http_client::proxy::ProxyConfig;
use std::net::IpAddr;

/// A variable with an invalid proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} does not name a proxy: `{shown}`; write it as http://HOST:PORT")]
pub struct ProxyFault {
    /// `HTTPS_PROXY`, in the case that is set.
    pub variable: &'static str,
    /// Its value without user name and password.
    shown: String,
}

/// A proxy and the hosts that bypass it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// With a scheme, and with user and password if the variable has them.
    pub(super) url: String,
    /// `127.0.0.1:3128`
    place: String,
    /// The variable that names it.
    variable: &'static str,
    /// The entries of `NO_PROXY`.
    direct: Vec<String>,
}

// The URL may contain a password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Proxy").field(&self.place).finish()
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.place, self.variable)
    }
}

impl Proxy {
    /// The proxy for TLS from the environment. Lower-case variables take precedence, as in curl and the AWS CLI; an
    /// empty one overrides the other.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Option<Proxy>, ProxyFault> {
        let first = |small: &'static str, large: &'static str| {
            [small, large].into_iter().find_map(|name| Some((name, get(name)?)))
        };
        let Some((variable, value)) = first("https_proxy", "HTTPS_PROXY").filter(|(_, value)| !value.is_empty()) else {
            return Ok(None);
        };
        let (url, place) = parsed(&value).ok_or_else(|| {
            let shown = value.rsplit_once('@').map_or(value.as_str(), |(_, shown)| shown);
            ProxyFault { variable, shown: shown.to_owned() }
        })?;
        let direct = first("no_proxy", "NO_PROXY").map(|(_, value)| value).unwrap_or_default();
        let direct = direct.split(',').map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty());
        Ok(Some(Proxy { url, place, variable, direct: direct.collect() }))
    }

    /// The proxy of this process.
    pub fn of_process() -> Result<Option<Proxy>, ProxyFault> {
        Proxy::from_variables(|name| std::env::var(name).ok())
    }

    /// Whether a host (`sso.eu-west-1.amazonaws.com:443`) is reached through the proxy.
    pub fn serves(&self, authority: &str) -> bool {
        let (host, port) = host_and_port(&authority.to_lowercase());
        !self.direct.iter().any(|entry| is_direct(entry, &host, port.as_deref()))
    }
}

/// The URL with its scheme, and the host and port.
fn parsed(value: &str) -> Option<(String, String)> {
    let value = value.trim();
    if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if rest.contains('@') && !authority.contains('@') {
        // A password with a `/` that is not percent-encoded: a part of it would be parsed as the host.
        return None;
    }
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = host_and_port(place);
    let sound = !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok());
    let sound =
        sound && aws_smithy_runtime_api::client::orchestrator::HttpRequest::empty().set_uri(url.as_str()).is_ok();
    sound.then(|| (url.clone(), place.to_owned()))
}

fn host_and_port(authority: &str) -> (String, Option<String>) {
    if let Some(rest) = authority.strip_prefix('[')
        && let Some((host, port)) = rest.split_once(']')
    {
        return (host.to_owned(), port.strip_prefix(':').map(str::to_owned));
    }
    match authority.split_once(':') {
        // More than one colon is an IPv6 address without brackets.
        Some((host, port)) if !port.contains(':') => (host.to_owned(), Some(port.to_owned())),
        _ => (authority.to_owned(), None),
    }
}

/// Whether an entry of `NO_PROXY` matches a host: `*`, a domain, an address, or a network (`10.0.0.0/8`).
fn is_direct(entry: &str, host: &str, port: Option<&str>) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        return is_in(address, network, bits).unwrap_or(false);
    }
    let (name, wanted) = host_and_port(entry);
    let name = name.trim_start_matches("*.").trim_start_matches('.');
    let same_port = wanted.is_none_or(|wanted| port.unwrap_or("443") == wanted);
    same_port && (host == name || host.strip_suffix(name).is_some_and(|above| above.ends_with('.')))
}

fn is_in(address: IpAddr, network: &str, bits: &str) -> Option<bool> {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((a, size), (b, other)) = (number(address), number(network.parse().ok()?));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= size)?;
    Some(size == other && (bits == 0 || (a ^ b) >> (128 - bits) == 0))
}

/// Converts a checked proxy for the client.
pub(super) fn through(proxy: Option<&Proxy>) -> ProxyConfig {
    proxy.and_then(|proxy| ProxyConfig::https(proxy.url.as_str()).ok()).unwrap_or_else(ProxyConfig::disabled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyFault> {
        let found = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Proxy::from_variables(found)
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_an_error_without_the_password() {
        for wrong in ["not a url", "http://", "socks5://127.0.0.1:1", "http://a:70000", "http://u:secret@"] {
            let error = proxy(&[("HTTPS_PROXY", wrong)]).unwrap_err().to_string();
            assert!(error.starts_with("HTTPS_PROXY does not name a proxy") && !error.contains("secret"), "{error}");
        }
        let found = proxy(&[("https_proxy", "u:secret@proxy:3128"), ("HTTPS_PROXY", "not a url")]).unwrap().unwrap();
        assert_eq!(found.to_string(), "proxy:3128 (https_proxy)");
        assert!(!format!("{found:?}").contains("secret"));
        assert_eq!(found.url, "http://u:secret@proxy:3128");
        assert_eq!(proxy(&[("https_proxy", ""), ("HTTPS_PROXY", "http://p:1")]), Ok(None));
        assert_eq!(proxy(&[("ALL_PROXY", "socks5://p:1"), ("HTTP_PROXY", "x y")]), Ok(None));
    }

    #[test]
    fn hosts_of_no_proxy_are_reached_without_it() {
        let list = "corp.example, .amazonaws.com.cn,*.lab,10.0.0.0/8,192.168.1.1,host:8443, ::1,FE80::/10";
        let found = proxy(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)]).unwrap().unwrap();
        for direct in [
            "corp.example",
            "sso.corp.example:443",
            "sso.cn-north-1.amazonaws.com.cn",
            "a.lab",
            "10.1.2.3:443",
            "192.168.1.1",
            "host:8443",
            "[::1]:443",
            "[fe80::1]",
        ] {
            assert!(!found.serves(direct), "{direct}");
        }
        for served in [
            "mycorp.example",
            "corp.example.org",
            "sso.us-east-1.amazonaws.com:443",
            "11.0.0.1",
            "host",
            "192.168.1.11",
        ] {
            assert!(found.serves(served), "{served}");
        }
        let all = proxy(&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "*"), ("NO_PROXY", "x")]).unwrap().unwrap();
        assert!(!all.serves("anything"));
    }
}

//! Posts a document to a URL.
//!
//! Guarantee: it ends within its timeout. A status of 2xx is a success, whatever the body. An error names only the
//! host of the URL, because the rest is a credential. Redirects are not followed.

use crate::http::error::HttpFault;
use crate::http::proxy::{Proxy, through};
use crate::http::roots::check;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::error::Error;
use std::time::Duration;

/// The most bytes of an error answer that are kept.
const SHOWN: usize = 4_096;
/// The longest wait for the body of an error answer.
const EXPLANATION: Duration = Duration::from_secs(1);

/// The answer to a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The start of an error answer, as one line. It may repeat the URL.
    pub text: String,
}

impl HttpResponse {
    /// Whether the status is 2xx.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A URL to post to.
pub struct Poster {
    url: String,
    host: String,
    connector: Connector,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Poster").field(&self.host).finish()
    }
}

impl Poster {
    /// Checks the URL and, for `https`, prepares TLS with the host's certificates and those in `more` (PEM). Opens no
    /// connection.
    pub fn open(url: &str, more: Option<&[u8]>) -> Result<Poster, HttpFault> {
        let host = host_of(url).ok_or(HttpFault::NoUrl)?.to_owned();
        HttpRequest::empty().set_uri(url).map_err(|_| HttpFault::NoUrl)?;
        let connector = if url.starts_with("http://") { Connector::builder().build_http() } else { tls(&host, more)? };
        Ok(Poster { url: url.to_owned(), host, connector })
    }

    /// The host and port of the URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the connection uses TLS or stays on this host.
    pub fn is_private(&self) -> bool {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        self.url.starts_with("https://") || matches!(name, "localhost" | "127.0.0.1" | "[::1]")
    }

    /// Posts `body`.
    pub async fn post(&self, body: String, kind: &'static str, timeout: Duration) -> Result<HttpResponse, HttpFault> {
        let asked = tokio::time::timeout(timeout, self.ask(body, kind)).await;
        asked.unwrap_or_else(|_| Err(HttpFault::TimedOut { host: self.host.clone(), after: timeout }))
    }

    async fn ask(&self, body: String, kind: &'static str) -> Result<HttpResponse, HttpFault> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|_| HttpFault::NoUrl)?;
        request.set_uri(self.url.as_str()).map_err(|_| HttpFault::NoUrl)?;
        request.headers_mut().insert("content-type", kind);
        request.headers_mut().insert("user-agent", concat!("awsideman/", env!("CARGO_PKG_VERSION")));
        let response = self.connector.call(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        if !(200..300).contains(&status) {
            // The status is the result: the explanation after it may be late or incomplete.
            let _ = tokio::time::timeout(EXPLANATION, beginning(response.into_body(), &mut bytes)).await;
        }
        let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(HttpResponse { status, text })
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> HttpFault {
        let mut cause = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let reason = cause.to_string().replace(&self.url, "the URL");
        HttpFault::Unreachable { host: self.host.clone(), reason }
    }
}

/// Reads the start of a body.
async fn beginning(body: SdkBody, bytes: &mut Vec<u8>) {
    let mut stream = ByteStream::new(body);
    while let Ok(Some(chunk)) = stream.try_next().await {
        let room = SHOWN - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if bytes.len() == SHOWN {
            return;
        }
    }
}

fn tls(host: &str, more: Option<&[u8]>) -> Result<Connector, HttpFault> {
    let mut trust = TrustStore::default();
    if let Some(pem) = more {
        check(pem)?;
        trust = trust.with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trust).build();
    let context = context.map_err(|error| HttpFault::Certificates(error.to_string()))?;
    let proxy =
        Proxy::of_process().map_err(|fault| HttpFault::Proxy(fault.to_string()))?.filter(|proxy| proxy.serves(host));
    let builder: ConnectorBuilder<_> = Connector::builder().proxy_config(through(proxy.as_ref()));
    Ok(builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build())
}

/// `hooks.example.com:8443` of a URL, without user and password.
fn host_of(url: &str) -> Option<&str> {
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_of_a_url_is_ever_shown() {
        for (url, host) in [
            ("https://hooks.example.com/services/T0/B0/secret", Some("hooks.example.com")),
            ("http://ann:pw@127.0.0.1:81/x?token=1", Some("127.0.0.1:81")),
            ("https://", None),
            ("ftp://example.com", None),
            ("https://example.com/a\r\nHost: evil", None),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
        let poster = Poster::open("http://127.0.0.1:1/secret", None).unwrap();
        assert!(!format!("{poster:?}").contains("secret"));
        assert!(poster.is_private() && !Poster::open("http://127.0.0.1.example.com/", None).unwrap().is_private());
    }

    #[test]
    fn certificates_that_are_none_are_an_error() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let fault = Poster::open("https://example.com/", Some(pem.as_bytes())).unwrap_err();
            assert!(matches!(fault, HttpFault::Certificates(_)), "{fault}");
        }
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_answering_are_told_apart_and_take_no_longer_than_they_may() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let poster = Poster::open(&format!("http://{closed}/secret"), None).unwrap();
        let fault = poster.post("x".into(), "text/plain", Duration::from_secs(20)).await.unwrap_err();
        assert!(matches!(fault, HttpFault::Unreachable { .. }) && !fault.to_string().contains("secret"), "{fault}");
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let poster = Poster::open(&format!("http://{}/secret", silent.local_addr().unwrap()), None).unwrap();
        let fault = poster.post("x".into(), "text/plain", Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(fault, HttpFault::TimedOut { .. }), "{fault}");
    }
}

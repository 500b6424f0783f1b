//! The HTTP client of every AWS call: plain TCP or TLS by the scheme of the URL.
//!
//! Guarantee: a plain `http` request never reads the host's certificates (milliseconds that neither the sandbox nor
//! the metadata service needs) and uses no proxy. The first `https` request reads them once per process. A failure
//! names the host and the proxy.

use crate::http::proxy::{Proxy, through};
use crate::http::trace;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::error::Error;

/// The network settings of requests over TLS.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Certificates of authorities (PEM, checked) instead of the host's.
    pub roots: Option<Vec<u8>>,
    /// The setting that chose the certificates, for messages.
    pub roots_from: Option<String>,
    /// The proxy.
    pub proxy: Option<Proxy>,
}

/// A request that had no answer.
#[derive(Debug)]
pub struct Unanswered {
    host: String,
    proxy: Option<String>,
    roots: Option<String>,
    source: ConnectorError,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut last: &(dyn Error + 'static) = &self.source;
        while let Some(deeper) = last.source() {
            last = deeper;
        }
        let reason = last.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let proxy = self.proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default();
        write!(f, "{}{proxy}: {reason}", self.host)?;
        match &self.roots {
            Some(roots) if reason.contains("certificate") => write!(f, "; certificates are checked with {roots}"),
            None if reason.contains("certificate") => {
                write!(f, "; certificates are checked with the host's own: AWS_CA_BUNDLE or ca_bundle names others")
            }
            _ => Ok(()),
        }
    }
}

impl Error for Unanswered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// A client that chooses plain TCP or TLS (rustls with ring) by the scheme of each request.
pub fn client(network: &Network) -> SharedHttpClient {
    SharedHttpClient::new(ByScheme {
        plain: Builder::new().build_http(),
        direct: tls(network.roots.clone(), None),
        proxied: network.proxy.clone().map(|proxy| (tls(network.roots.clone(), Some(&proxy)), proxy)),
        roots: network.roots_from.clone(),
    })
}

fn tls(roots: Option<Vec<u8>>, proxy: Option<&Proxy>) -> SharedHttpClient {
    let proxy = through(proxy);
    Builder::new().build_with_connector_fn(
        move |settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
            let mut builder = Connector::builder().proxy_config(proxy.clone());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            let builder = builder.tls_provider(Provider::Rustls(CryptoMode::Ring));
            let trust = roots.as_ref().map(|pem| TrustStore::empty().with_pem_certificate(pem.clone()));
            match trust.map(|trust| TlsContext::builder().with_trust_store(trust).build()) {
                Some(Ok(context)) => builder.tls_context(context).build(),
                _ => builder.build(),
            }
        },
    )
}

#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    direct: SharedHttpClient,
    proxied: Option<(SharedHttpClient, Proxy)>,
    roots: Option<String>,
}

// The validation hooks stay empty: the TLS client's would load the certificates when a service client is built.
impl HttpClient for ByScheme {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Chooser {
            plain: self.plain.clone(),
            direct: self.direct.clone(),
            proxied: self.proxied.clone(),
            roots: self.roots.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct Chooser {
    plain: SharedHttpClient,
    direct: SharedHttpClient,
    proxied: Option<(SharedHttpClient, Proxy)>,
    roots: Option<String>,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Chooser {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri();
        let host = host(uri).to_owned();
        let (client, proxy) = match &self.proxied {
            _ if uri.starts_with("http://") => (&self.plain, None),
            Some((client, proxy)) if proxy.serves(&host) => (client, Some(proxy.to_string())),
            _ => (&self.direct, None),
        };
        // The clients keep their connectors, and thereby their connections, across calls.
        let ask = |request| client.http_connector(&self.settings, &self.components).call(request);
        let answer = trace::traced(request, ask);
        let roots = self.roots.clone();
        HttpConnectorFuture::new(async move { answer.await.map_err(|source| named(source, host, proxy, roots)) })
    }
}

/// The host and port of a URL, without a user name and password.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// The same error with the host and the proxy.
fn named(source: ConnectorError, host: String, proxy: Option<String>, roots: Option<String>) -> ConnectorError {
    let (is_timeout, is_io, is_user, kind) = (source.is_timeout(), source.is_io(), source.is_user(), source.as_other());
    let connection = source.connection_metadata().cloned();
    let error = Box::new(Unanswered { host, proxy, roots, source });
    let named = match (is_timeout, is_io, is_user) {
        (true, ..) => ConnectorError::timeout(error),
        (_, true, _) => ConnectorError::io(error),
        (.., true) => ConnectorError::user(error),
        _ => ConnectorError::other(error, kind),
    };
    match connection {
        Some(connection) => named.with_connection(connection),
        None => named,
    }
}

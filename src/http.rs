//! HTTP over TLS: the client of every AWS call, and a small one that posts words to a URL.
//!
//! Neighbours: `aws.rs` hands the first to the SDK, `alerts/` and the pings of jobs use the second; the only place that
//! names the client's crate, so that there is one TLS in the program. Promise: a plain `http` request never reads the
//! host's certificates (milliseconds that neither the sandbox nor the metadata service needs); the first `https` request
//! does, once for the process, and goes through the proxy that `HTTPS_PROXY` and `NO_PROXY` name.

mod post;
mod trace;

pub use post::{Answer, HttpFault, Poster};
pub use trace::attempt;

/// The target of the events that report requests.
pub const REQUESTS: &str = "awsideman::requests";

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// A client that picks plain TCP or TLS (rustls with ring) by the scheme of each request.
pub fn client() -> SharedHttpClient {
    SharedHttpClient::new(ByScheme {
        plain: Builder::new().build_http(),
        tls: Builder::new().build_with_connector_fn(tls),
    })
}

fn tls(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> Connector {
    let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
}

#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    tls: SharedHttpClient,
}

// The validation hooks stay the trait's empty ones on purpose: the TLS client's would load the certificates as soon
// as a service client is built.
impl HttpClient for ByScheme {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Chooser {
            plain: self.plain.clone(),
            tls: self.tls.clone(),
            settings: settings.clone(),
            components: components.clone(),
        })
    }
}

#[derive(Debug)]
struct Chooser {
    plain: SharedHttpClient,
    tls: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for Chooser {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = if request.uri().starts_with("http://") { &self.plain } else { &self.tls };
        // Both clients keep their connectors, and with them their connections, across calls.
        trace::traced(request, |request| client.http_connector(&self.settings, &self.components).call(request))
    }
}

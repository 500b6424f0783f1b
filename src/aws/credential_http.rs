//! Records the result of each HTTP request for credentials, so that an error names the service and the host.
//!
//! Guarantee: the SDK retries none of these requests; the retry policy of the caller is the only one. An answer that
//! the SDK would retry is passed on as one that it does not retry.

use super::credential_answer::classify;
use super::error_class::ErrorClass;
use crate::http;
use crate::model::excerpt;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of an answer; credentials have a few thousand.
const LONGEST_ANSWER: u64 = 1024 * 1024;
/// The most bytes of a text in an error answer.
const LONGEST_TEXT: usize = 4 * 1024;

/// A service that provides credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CredentialService {
    Sts,
    Portal,
    Oidc,
    SignIn,
    Container,
    Imds,
}

impl CredentialService {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            CredentialService::Sts => "STS",
            CredentialService::Portal => "the SSO portal",
            CredentialService::Oidc => "SSO OIDC",
            CredentialService::SignIn => "AWS Sign-In",
            CredentialService::Container => "the container credentials endpoint",
            CredentialService::Imds => "the EC2 instance metadata service",
        }
    }

    fn of(path: &str, is_form: bool) -> CredentialService {
        match path {
            "/federation/credentials" => CredentialService::Portal,
            "/token" => CredentialService::Oidc,
            "/v1/token" => CredentialService::SignIn,
            path if path.starts_with("/latest/") => CredentialService::Imds,
            _ if is_form => CredentialService::Sts,
            _ => CredentialService::Container,
        }
    }
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HttpEnd {
    /// No answer yet.
    Pending,
    /// Credentials, or another success.
    Success,
    /// An error answer.
    Error { status: u16, code: Option<String>, message: String },
    /// A success whose body is not from this service.
    NotAws,
    /// A success that lacks a part, or is too long.
    Malformed(String),
    /// No answer: the connection failed or broke.
    Failed(String),
}

/// One request for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) service: CredentialService,
    /// `AssumeRole`
    pub(super) operation: String,
    pub(super) host: String,
    pub(super) ending: HttpEnd,
}

impl Exchange {
    /// `STS AssumeRole (sts.eu-west-1.amazonaws.com)`
    pub(super) fn words(&self) -> String {
        let operation = if self.operation.is_empty() { String::new() } else { format!(" {}", self.operation) };
        format!("{}{operation} ({})", self.service.name(), self.host)
    }

    /// The class of its error.
    pub(super) fn class(&self) -> Option<ErrorClass> {
        match &self.ending {
            HttpEnd::Success => None,
            HttpEnd::Pending | HttpEnd::Failed(_) => Some(ErrorClass::Unavailable),
            HttpEnd::NotAws | HttpEnd::Malformed(_) => Some(ErrorClass::NotAws),
            HttpEnd::Error { status, code, .. } => Some(ErrorClass::of(code.as_deref(), *status)),
        }
    }
}

/// The requests of one attempt to get credentials.
#[derive(Debug, Clone, Default)]
pub(super) struct Exchanges(Arc<Mutex<Vec<Exchange>>>);

impl Exchanges {
    /// Drops the requests of an earlier attempt.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Those that failed, in their order.
    pub(super) fn failed(&self) -> Vec<Exchange> {
        self.lock().iter().filter(|exchange| exchange.class().is_some()).cloned().collect()
    }

    /// The last one, if it succeeded.
    pub(super) fn last_success(&self) -> Option<Exchange> {
        self.lock().last().filter(|exchange| exchange.ending == HttpEnd::Success).cloned()
    }

    fn begin(&self, exchange: Exchange) -> usize {
        let mut all = self.lock();
        all.push(exchange);
        all.len() - 1
    }

    fn end(&self, at: usize, ending: HttpEnd) {
        if let Some(exchange) = self.lock().get_mut(at) {
            tracing::debug!(request = exchange.words(), ?ending, "a request for credentials ended");
            exchange.ending = ending;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client that records its requests here.
    pub(super) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Recording { inner, exchanges: self.clone() })
    }
}

#[derive(Debug)]
struct Recording {
    inner: SharedHttpClient,
    exchanges: Exchanges,
}

impl HttpClient for Recording {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(RecordingConnector { inner, exchanges: self.exchanges.clone() })
    }
}

#[derive(Debug)]
struct RecordingConnector {
    inner: SharedHttpConnector,
    exchanges: Exchanges,
}

impl HttpConnector for RecordingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let exchange = started(&request);
        let (service, path) = (exchange.service, path_of(&request).to_owned());
        let at = self.exchanges.begin(exchange);
        let (answer, exchanges) = (self.inner.call(request), self.exchanges.clone());
        HttpConnectorFuture::new(async move {
            let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
                exchanges.end(at, HttpEnd::Failed(super::innermost(error.as_ref())));
                // Neither a timeout nor an I/O error: the SDK would retry those.
                ConnectorError::other(error, None)
            };
            let mut response = answer.await.map_err(|error| failed(error.into()))?;
            let turn = tokio::sync::Mutex::new(());
            let bytes = match http::whole(&mut response, LONGEST_ANSWER, &turn).await {
                Ok(bytes) => bytes,
                Err(error @ http::BodyError::TooLong { .. }) => {
                    exchanges.end(at, HttpEnd::Malformed(format!("the answer cannot be read: {error}")));
                    return Err(ConnectorError::other(error.into(), None));
                }
                Err(error) => return Err(failed(error.into())),
            };
            let ending = ended(service, &path, &response, &bytes);
            let is_malformed = matches!(ending, HttpEnd::NotAws | HttpEnd::Malformed(_));
            let is_refused = matches!(ending, HttpEnd::Error { .. }) && response.status().is_success();
            let is_repeated = is_malformed || is_refused || response.status().is_server_error();
            exchanges.end(at, ending);
            *response.body_mut() = SdkBody::from(bytes);
            if is_repeated && let Ok(status) = 400_u16.try_into() {
                *response.status_mut() = status;
            }
            Ok(response)
        })
    }
}

fn path_of(request: &HttpRequest) -> &str {
    let uri = request.uri();
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('?').next().unwrap_or_default()
}

fn started(request: &HttpRequest) -> Exchange {
    let (uri, path) = (request.uri(), path_of(request));
    let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let service = CredentialService::of(path, action.is_some());
    let operation = match service {
        CredentialService::Sts => action.unwrap_or_default(),
        CredentialService::Portal => "GetRoleCredentials",
        CredentialService::Oidc => "CreateToken",
        CredentialService::SignIn => "CreateOAuth2Token",
        CredentialService::Container | CredentialService::Imds => "",
    };
    Exchange { service, operation: operation.to_owned(), host: http::host(uri).to_owned(), ending: HttpEnd::Pending }
}

fn ended(service: CredentialService, path: &str, response: &HttpResponse, bytes: &[u8]) -> HttpEnd {
    let status = response.status().as_u16();
    let text = String::from_utf8_lossy(bytes);
    if response.status().is_success() {
        return classify(service, path, &text);
    }
    let json: Option<Value> = serde_json::from_slice(bytes).ok().filter(Value::is_object);
    let json = json.unwrap_or_default();
    let first = |names: &[&str]| names.iter().find_map(|name| json[*name].as_str()).map(str::to_owned);
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = first(&["error"]).or(header).or_else(|| first(&["__type", "code", "Code"])).or(element(&text, "Code"));
    let code = code.as_deref().and_then(self::code);
    let message = first(&["message", "Message", "error_description"]).or(element(&text, "Message"));
    let message = excerpt(&message.unwrap_or_default(), LONGEST_TEXT);
    HttpEnd::Error { status, code, message }
}

/// `aws.protocols#ThrottlingException:http://...` is `ThrottlingException`.
fn plain(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

/// An error code without its namespace; `None` if the text is not a code.
pub(super) fn code(text: &str) -> Option<String> {
    let code = plain(text);
    let is_code =
        !code.is_empty() && code.len() < 100 && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    is_code.then(|| code.to_owned())
}

/// The text of an XML element.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(inside.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(service: CredentialService, status: u16, body: &str) -> HttpEnd {
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        ended(service, "/", &response, body.as_bytes())
    }

    fn error(status: u16, code: Option<&str>, message: &str) -> HttpEnd {
        HttpEnd::Error { status, code: code.map(str::to_owned), message: message.to_owned() }
    }

    #[test]
    fn each_service_reports_its_error_in_its_own_form() {
        let sts = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error></ErrorResponse>";
        assert_eq!(answered(CredentialService::Sts, 403, sts), error(403, Some("AccessDenied"), "a & b"));
        let portal = r#"{"message":"Session token not found or invalid","__type":"com.amazonaws.switchboard.portal#UnauthorizedException"}"#;
        let session = "Session token not found or invalid";
        assert_eq!(
            answered(CredentialService::Portal, 401, portal),
            error(401, Some("UnauthorizedException"), session)
        );
        let oidc = r#"{"error":"invalid_grant","error_description":"Invalid refresh token provided"}"#;
        let refresh = "Invalid refresh token provided";
        assert_eq!(answered(CredentialService::Oidc, 400, oidc), error(400, Some("invalid_grant"), refresh));
        assert_eq!(answered(CredentialService::Container, 500, "<html>oops</html>"), error(500, None, ""));
    }

    #[test]
    fn a_page_of_another_server_is_no_success() {
        for service in [
            CredentialService::Sts,
            CredentialService::Portal,
            CredentialService::Oidc,
            CredentialService::Container,
            CredentialService::Imds,
        ] {
            assert_eq!(answered(service, 200, "<html>sign in to the guest network</html>"), HttpEnd::NotAws);
        }
        assert_eq!(answered(CredentialService::Imds, 200, "role-name"), HttpEnd::Success);
        assert!(matches!(answered(CredentialService::Sts, 200, "<AssumeRoleResponse/>"), HttpEnd::Malformed(_)));
    }
}

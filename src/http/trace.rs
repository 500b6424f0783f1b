//! Reports each request as an event: host, operation, attempt, status and time. Headers, bodies and query strings are
//! left out, because they contain tokens and names.

use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use percent_encoding::percent_decode_str;
use std::time::Instant;

/// The target of the events that report requests.
pub const REQUESTS: &str = "awsideman::requests";

tokio::task_local! {
    /// The number of the attempt that the requests of this task belong to.
    static ATTEMPT: u32;
}

/// Runs an attempt of a call, so that its requests are reported with its number.
pub async fn attempt<T>(number: u32, call: impl Future<Output = T> + Send) -> T {
    ATTEMPT.scope(number, call).await
}

/// Sends a request, and reports it if a subscriber listens.
pub(super) fn traced(
    request: HttpRequest,
    send: impl FnOnce(HttpRequest) -> HttpConnectorFuture,
) -> HttpConnectorFuture {
    if !tracing::enabled!(target: REQUESTS, tracing::Level::DEBUG) {
        return send(request);
    }
    let mut report = RequestTrace::of(&request);
    let answer = send(request);
    HttpConnectorFuture::new(async move {
        let answer = answer.await;
        report.ended(match &answer {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(error) if error.is_timeout() => "timed out".into(),
            Err(_) => "failed before an answer".into(),
        });
        answer
    })
}

/// Reports when it is dropped, also for a cancelled request.
struct RequestTrace {
    host: String,
    operation: String,
    attempt: u32,
    begun: Instant,
    outcome: String,
}

impl RequestTrace {
    fn of(request: &HttpRequest) -> RequestTrace {
        let uri = request.uri();
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let header = |name: &str| request.headers().get(name);
        // If the SDK retries, it counts the attempts.
        let own = header("amz-sdk-request").and_then(|text| text.split_once("attempt=")).map(|(_, rest)| rest);
        let own = own.and_then(|rest| rest.split(';').next()?.trim().parse::<u32>().ok()).unwrap_or(1);
        let path = path.split('?').next().unwrap_or_default();
        let operation = match (header("x-amz-target"), action(request)) {
            (Some(target), _) => target.to_owned(),
            (None, Some(action)) => action,
            // The path of a container's endpoint is a secret.
            (None, None) if is_public(path) => format!("{} {path}", request.method()),
            (None, None) => request.method().to_owned(),
        };
        RequestTrace {
            // User and password of a URL are not part of the host.
            host: host.rsplit('@').next().unwrap_or_default().to_owned(),
            operation,
            attempt: ATTEMPT.try_with(|number| *number).unwrap_or(1).max(own),
            begun: Instant::now(),
            outcome: "given up".into(),
        }
    }
}

impl RequestTrace {
    fn ended(&mut self, outcome: String) {
        self.outcome = outcome;
    }
}

/// Whether a path is documented by AWS and contains no secret: SSO portal, SSO OIDC, sign-in or metadata service.
fn is_public(path: &str) -> bool {
    ["/federation/", "/token", "/v1/token", "/latest/"].iter().any(|start| path.starts_with(start))
}

/// The operation of a call in the query protocol.
fn action(request: &HttpRequest) -> Option<String> {
    let form = std::str::from_utf8(request.body().bytes()?).ok()?;
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
    Some(percent_decode_str(action).decode_utf8_lossy().into_owned())
}

impl Drop for RequestTrace {
    fn drop(&mut self) {
        let RequestTrace { host, operation, attempt, begun, outcome } = self;
        let ms = begun.elapsed().as_millis();
        tracing::debug!(
            target: REQUESTS,
            "request: {operation} at {host}, attempt {attempt}: {outcome} after {ms} ms"
        );
    }
}

//! The HTTP server: status page, metrics and probes. Read-only, HTTP 1.1, on loopback by default.
//!
//! Guarantee: no request changes anything. A web page that points its name at this host gets nothing (the Host header
//! is checked). Concurrent requests share one overview, computed at most every two seconds and for at most a tenth of
//! the time.

use super::connections;
use super::metrics;
use super::page::{self, PageView, Range};
use crate::app::Overview;
use crate::clock;
use crate::daemon::access_guard;
use crate::daemon::error::DaemonError;
use crate::daemon::status::DaemonStatus;
use crate::daemon::status::ListenPlace;
use crate::daemon::status::StatusSource;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// An overview is used for at least this long,
const FRESH: Duration = Duration::from_secs(2);
/// and for this multiple of the time that it took,
const SHARE: u32 = 9;
/// up to this limit.
const STALE: Duration = Duration::from_secs(30);
/// The most runs in `/api/status`.
const RUNS: usize = 100;

/// An open listener and its content.
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl HttpServer {
    /// Listens at `place`. Requests are answered once [`HttpServer::serve`] runs.
    pub fn open(place: &ListenPlace, window: Arc<dyn StatusSource>) -> Result<HttpServer, DaemonError> {
        if !place.remote && !place.address.ip().is_loopback() {
            return Err(DaemonError::NotLoopback(place.address));
        }
        let fail = |source| DaemonError::Listen { address: place.address, source };
        let listener = TcpListener::bind(place.address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(HttpServer { listener, address, router: router(place, window) })
    }

    /// The address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until it is dropped. Must be called on a runtime.
    pub async fn serve(self) -> Result<(), DaemonError> {
        let fail = |source| DaemonError::Listen { address: self.address, source };
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(fail)?;
        connections::serve(listener, self.router).await;
        Ok(())
    }
}

/// The state of every handler.
struct HandlerContext {
    window: Arc<dyn StatusSource>,
    /// The overview, and until when it is used.
    kept: Mutex<Option<(Instant, Arc<Overview>)>>,
}

impl HandlerContext {
    /// The current overview or a recent one. Concurrent requests share it.
    async fn overview(&self) -> Result<Arc<Overview>, Refusal> {
        let mut kept = self.kept.lock().await;
        if let Some((_, overview)) = kept.as_ref().filter(|(until, _)| Instant::now() < *until) {
            return Ok(overview.clone());
        }
        let begun = Instant::now();
        let window = self.window.clone();
        let standing = self.window.standing();
        let gathered = tokio::task::spawn_blocking(move || window.overview(Range::LONGEST)).await;
        let mut overview = gathered.map_err(|_| Refusal::Broken)?;
        overview.add_problems(standing.problems());
        let overview = Arc::new(overview);
        *kept = Some((Instant::now() + valid_for(begun.elapsed()), overview.clone()));
        Ok(overview)
    }
}

/// How long an overview is used that took this long.
fn valid_for(took: Duration) -> Duration {
    (took * SHARE).clamp(FRESH, STALE)
}

/// The reason for an error answer.
enum Refusal {
    Broken,
    Unwritable(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = match self {
            Refusal::Broken => "cannot collect the status; the daemon continues\n".to_owned(),
            Refusal::Unwritable(error) => format!("cannot write the metrics: {error}\n"),
        };
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

/// `?range=7d&live`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    range: Option<String>,
    live: Option<String>,
}

impl PageQuery {
    fn range(&self) -> Range {
        self.range.as_deref().and_then(Range::parse).unwrap_or_default()
    }
}

fn router(place: &ListenPlace, window: Arc<dyn StatusSource>) -> Router {
    let context = Arc::new(HandlerContext { window, kept: Mutex::default() });
    Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(metrics_endpoint))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/api/status", get(document))
        .route("/icon/{verdict}", get(icon))
        .fallback(async || {
            (StatusCode::NOT_FOUND, "not found; the paths are /, /metrics, /healthz, /readyz and /api/status\n")
        })
        .with_state(context)
        .layer(from_fn_with_state(Arc::new(place.clone()), access_guard::guard))
}

async fn status_page(
    State(context): State<Arc<HandlerContext>>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let (overview, standing) = (context.overview().await?, context.window.standing());
    let view =
        PageView { overview: &overview, standing: &standing, range: query.range(), refreshes: query.live.is_some() };
    let mut answer = axum::response::Html(page::draw(&view)).into_response();
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy());
    Ok(answer)
}

/// Permits the style sheet by its hash, the own icon, and nothing else.
fn policy() -> HeaderValue {
    let text = format!(
        "default-src 'none'; style-src '{}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        page::style_hash()
    );
    HeaderValue::from_str(&text).expect("base64 and the words above are visible ASCII")
}

async fn metrics_endpoint(State(context): State<Arc<HandlerContext>>) -> Result<Response, Refusal> {
    let overview = context.overview().await?;
    let text = metrics::text(&overview, Some(&context.window.standing()))
        .map_err(|error| Refusal::Unwritable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

async fn readiness(State(context): State<Arc<HandlerContext>>) -> Response {
    if context.window.standing().ending {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    let window = context.window.clone();
    match tokio::task::spawn_blocking(move || window.not_ready()).await {
        Ok(None) => "ready\n".into_response(),
        Ok(Some(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        Err(_) => Refusal::Broken.into_response(),
    }
}

/// The document of `/api/status`: the overview and the daemon's status.
#[derive(Serialize)]
struct StatusDocument<'a> {
    #[serde(flatten)]
    overview: Overview,
    daemon: &'a DaemonStatus,
}

async fn document(
    State(context): State<Arc<HandlerContext>>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let (overview, standing) = (context.overview().await?, context.window.standing());
    let mut overview = Overview::clone(&overview);
    overview.cut(overview.now - clock::millis(query.range().span()), RUNS);
    Ok(axum::Json(StatusDocument { overview, daemon: &standing }).into_response())
}

async fn icon(axum::extract::Path(verdict): axum::extract::Path<String>) -> Response {
    match page::icon(&verdict) {
        Some(svg) => ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_takes_long_is_taken_less_often() {
        let shown = |took: u64| valid_for(Duration::from_millis(took)).as_millis();
        assert_eq!([shown(10), shown(1_000), shown(60_000)], [2_000, 9_000, 30_000]);
    }
}

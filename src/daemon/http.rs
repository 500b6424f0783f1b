//! The status page and its kin on the network: read-only, HTTP 1.1, on loopback unless somebody insists.
//!
//! Nothing can be changed through it; a web page that points a name of its own at this host gets nothing (the Host
//! header is checked); however many ask at once, the cache is looked at once, never more often than every two
//! seconds, and never for more than a tenth of the time.

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

/// What was gathered is shown for so long at least,
const FRESH: Duration = Duration::from_secs(2);
/// and for so many times what gathering it took, which grows with the cache,
const SHARE: u32 = 9;
/// but not for longer than this.
const STALE: Duration = Duration::from_secs(30);
/// Runs that `/api/status` lists at most.
const RUNS: usize = 100;

/// A listener that is open, and what it serves.
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Door {
    /// Listens at `place`; what comes is answered once [`Door::serve`] runs.
    pub fn open(place: &ListenPlace, window: Arc<dyn StatusSource>) -> Result<Door, DaemonError> {
        if !place.remote && !place.address.ip().is_loopback() {
            return Err(DaemonError::NotLoopback(place.address));
        }
        let fail = |source| DaemonError::Listen { address: place.address, source };
        let listener = TcpListener::bind(place.address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Door { listener, address, router: router(place, window) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped. Must be called on a runtime.
    pub async fn serve(self) -> Result<(), DaemonError> {
        let fail = |source| DaemonError::Listen { address: self.address, source };
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(fail)?;
        connections::serve(listener, self.router).await;
        Ok(())
    }
}

/// What every handler needs.
struct HandlerContext {
    window: Arc<dyn StatusSource>,
    /// The overview, and until when it is shown.
    kept: Mutex<Option<(Instant, Arc<Overview>)>>,
}

impl HandlerContext {
    /// The overview of this moment or of one just before; whoever asks meanwhile waits for the same.
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
        *kept = Some((Instant::now() + shown_for(begun.elapsed()), overview.clone()));
        Ok(overview)
    }
}

/// How long an overview is shown that took so long to gather.
fn shown_for(took: Duration) -> Duration {
    (took * SHARE).clamp(FRESH, STALE)
}

/// Why there is no answer.
enum Refusal {
    Broken,
    Unwritable(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = match self {
            Refusal::Broken => "gathering the figures failed; the daemon goes on\n".to_owned(),
            Refusal::Unwritable(error) => format!("the figures could not be written: {error}\n"),
        };
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    }
}

/// `?range=7d&live`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    range: Option<String>,
    live: Option<String>,
}

impl Wish {
    fn range(&self) -> Range {
        self.range.as_deref().and_then(Range::parse).unwrap_or_default()
    }
}

fn router(place: &ListenPlace, window: Arc<dyn StatusSource>) -> Router {
    let desk = Arc::new(HandlerContext { window, kept: Mutex::default() });
    Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(figures))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/api/status", get(document))
        .route("/icon/{verdict}", get(icon))
        .fallback(async || (StatusCode::NOT_FOUND, "there is /, /metrics, /healthz, /readyz and /api/status\n"))
        .with_state(desk)
        .layer(from_fn_with_state(Arc::new(place.clone()), access_guard::guard))
}

async fn status_page(State(desk): State<Arc<HandlerContext>>, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let (overview, standing) = (desk.overview().await?, desk.window.standing());
    let view =
        PageView { overview: &overview, standing: &standing, range: wish.range(), refreshes: wish.live.is_some() };
    let mut answer = axum::response::Html(page::draw(&view)).into_response();
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy());
    Ok(answer)
}

/// The one style sheet by its hash, our own icon, and nothing else.
fn policy() -> HeaderValue {
    let text = format!(
        "default-src 'none'; style-src '{}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        page::style_hash()
    );
    HeaderValue::from_str(&text).expect("base64 and the words above are visible ASCII")
}

async fn figures(State(desk): State<Arc<HandlerContext>>) -> Result<Response, Refusal> {
    let overview = desk.overview().await?;
    let text = metrics::text(&overview, Some(&desk.window.standing()))
        .map_err(|error| Refusal::Unwritable(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

async fn readiness(State(desk): State<Arc<HandlerContext>>) -> Response {
    if desk.window.standing().ending {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    let window = desk.window.clone();
    match tokio::task::spawn_blocking(move || window.not_ready()).await {
        Ok(None) => "ready\n".into_response(),
        Ok(Some(reason)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
        Err(_) => Refusal::Broken.into_response(),
    }
}

/// The document of `/api/status`: the overview and how the daemon stands.
#[derive(Serialize)]
struct StatusDocument<'a> {
    #[serde(flatten)]
    overview: Overview,
    daemon: &'a DaemonStatus,
}

async fn document(State(desk): State<Arc<HandlerContext>>, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let (overview, standing) = (desk.overview().await?, desk.window.standing());
    let mut overview = Overview::clone(&overview);
    overview.cut(overview.now - clock::millis(wish.range().span()), RUNS);
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
        let shown = |took: u64| shown_for(Duration::from_millis(took)).as_millis();
        assert_eq!([shown(10), shown(1_000), shown(60_000)], [2_000, 9_000, 30_000]);
    }
}

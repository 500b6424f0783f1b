//! The admin API of the sandbox: counters, faults, and the release of held calls.
//!
//! Guarantee: none of these requests counts as a call. An invalid one gets 400 with the reason and changes nothing.

use crate::faults::rules::BadFaults;
use crate::faults::rules::Faults;
use crate::operations;
use crate::server::Service;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

/// The routes below `/_sandbox`.
pub(crate) fn routes() -> Router<Service> {
    Router::new()
        .route("/_sandbox/calls", get(calls))
        .route("/_sandbox/arrivals", get(arrivals))
        .route("/_sandbox/reset-calls", post(reset_calls))
        .route("/_sandbox/operations", get(operations))
        .route("/_sandbox/organization", get(counts))
        // The spelling of earlier versions.
        .route("/_sandbox/organisation", get(counts))
        .route("/_sandbox/faults", get(faults).post(set_faults))
        .route("/_sandbox/release", post(release))
}

/// The answer to every other path.
pub(crate) async fn nothing_here() -> Response {
    let text = "AWS calls are POST /; the sandbox's own are GET /_sandbox/calls, GET /_sandbox/arrivals, POST \
                /_sandbox/reset-calls, GET /_sandbox/operations, GET /_sandbox/organization, GET and POST /_sandbox/faults and POST \
                /_sandbox/release\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn calls(State(service): State<Service>) -> Response {
    Json(service.desk.calls()).into_response()
}

async fn arrivals(State(service): State<Service>) -> Response {
    let (arrivals, forgotten) = service.desk.arrivals();
    Json(json!({"arrivals": arrivals, "forgotten": forgotten})).into_response()
}

async fn reset_calls(State(service): State<Service>) -> Response {
    service.desk.reset_calls();
    Json(service.desk.calls()).into_response()
}

async fn operations() -> Response {
    Json(json!({"operations": operations::targets().collect::<Vec<_>>()})).into_response()
}

async fn counts(State(service): State<Service>) -> Response {
    Json(service.desk.counts()).into_response()
}

async fn faults(State(service): State<Service>) -> Response {
    Json(json!({"faults": service.desk.faults(), "waiting": service.room.waiting()})).into_response()
}

async fn set_faults(State(service): State<Service>, body: Bytes) -> Response {
    let set = Faults::from_json(&body).and_then(|wanted| service.set_faults(wanted));
    match set {
        Ok(()) => faults(State(service)).await,
        Err(error) => wrong(&error),
    }
}

/// The calls to release; all waiting ones by default.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Release {
    operation: String,
    count: Option<usize>,
}

async fn release(State(service): State<Service>, body: Bytes) -> Response {
    let asked = if body.iter().all(u8::is_ascii_whitespace) {
        Ok(Release::default())
    } else {
        serde_json::from_slice(&body).map_err(|error| BadFaults(error.to_string()))
    };
    let checked = asked.and_then(|asked: Release| {
        operations::check_pattern(&asked.operation).map_err(BadFaults)?;
        Ok(asked)
    });
    match checked {
        Ok(Release { operation, count }) => {
            let released = service.room.release(&operation, count);
            Json(json!({"released": released, "waiting": service.room.waiting()})).into_response()
        }
        Err(error) => wrong(&error),
    }
}

fn wrong(error: &BadFaults) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error.to_string()}))).into_response()
}

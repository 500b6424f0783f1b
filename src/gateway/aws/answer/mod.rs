//! Checks each answer of AWS before the SDK reads it: its length, its form and the members that it must have.
//!
//! Guarantee: an answer that is too long, too deep or incomplete is an error, never an empty list. The SDK itself takes an
//! empty body, `{}` and `null` for a list without entries.

mod form;
mod shape;
#[cfg(test)]
mod tests;

use crate::http::{self, BodyError};
use crate::model::excerpt;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use form::Form;
use std::error::Error;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The most bytes of a page or of another successful answer.
const LONGEST_ANSWER: u64 = 32 * 1024 * 1024;
/// The most bytes of an error answer that are read: AWS's have a few hundred.
const LONGEST_ERROR: u64 = 1024 * 1024;
/// The most bytes of a header that a message shows.
const HEADER_EXCERPT: usize = 64;

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerFault {
    /// The connection failed before the end of the body.
    #[error("{0}")]
    BrokeOff(String),
    /// The answer cannot come from AWS, or something on the way changed it.
    #[error("{0}")]
    Unusable(String),
}

/// The fault of the answer in a chain of errors.
pub(super) fn fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a AnswerFault> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// The turn to read a large body, which the clients of all services share.
pub(super) type LargeBodies = Arc<Mutex<()>>;

/// A client that checks each answer.
pub(super) fn checked(inner: SharedHttpClient, turn: &LargeBodies) -> SharedHttpClient {
    SharedHttpClient::new(Checked { inner, turn: Arc::clone(turn) })
}

#[derive(Debug)]
struct Checked {
    inner: SharedHttpClient,
    turn: LargeBodies,
}

impl HttpClient for Checked {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CheckedConnector { inner, turn: Arc::clone(&self.turn) })
    }
}

#[derive(Debug)]
struct CheckedConnector {
    inner: SharedHttpConnector,
    turn: LargeBodies,
}

impl HttpConnector for CheckedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // The query protocol of STS has no such header; its answers are XML, which `sts.rs` judges.
        let form = request.headers().get("x-amz-target").map(Form::of);
        let (answer, turn) = (self.inner.call(request), Arc::clone(&self.turn));
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            let body =
                read(&mut response, form, &turn).await.map_err(|fault| ConnectorError::other(fault.into(), None))?;
            *response.body_mut() = SdkBody::from(body);
            Ok(response)
        })
    }
}

/// The body of an answer, checked.
async fn read(response: &mut HttpResponse, form: Option<Form>, turn: &Mutex<()>) -> Result<Vec<u8>, AnswerFault> {
    let is_success = response.status().is_success();
    let limit = if is_success { LONGEST_ANSWER } else { LONGEST_ERROR };
    let body = match http::whole(response, limit, turn).await {
        Ok(body) => body,
        Err(BodyError::Broken(error)) => return Err(AnswerFault::BrokeOff(crate::aws::innermost(error.as_ref()))),
        // Without a body the status alone decides what the error means.
        Err(BodyError::TooLong { limit }) if !is_success => {
            tracing::debug!(status = response.status().as_u16(), limit, "an error answer is too long to be read");
            return Ok(Vec::new());
        }
        Err(error) => return Err(AnswerFault::Unusable(error.to_string())),
    };
    if is_success && let Some(form) = form {
        judge(response, &body, form)?;
    }
    Ok(body)
}

/// Refuses a success that the SDK would take for less than it is.
fn judge(response: &HttpResponse, body: &[u8], form: Form) -> Result<(), AnswerFault> {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(|text| excerpt(text, HEADER_EXCERPT));
    if let Some(encoding) = header("content-encoding").filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(AnswerFault::Unusable(format!("it is encoded as `{encoding}`, which was not requested")));
    }
    if body.is_empty() {
        // AWS answers some changes without a body, and every call with the id of the request.
        let is_complete = form == Form::Nothing && header("x-amzn-requestid").is_some();
        return if is_complete { Ok(()) } else { Err(AnswerFault::Unusable(format!("HTTP {status} without a body"))) };
    }
    let found = match shape::of(body, form.member()) {
        Ok(found) => found,
        Err(error) if error.is_eof() => return Err(AnswerFault::BrokeOff(error.to_string())),
        Err(error) if error.is_data() => return Err(AnswerFault::Unusable(excerpt(&error.to_string(), 200))),
        Err(error) => {
            let kind = header("content-type").map(|kind| format!(" (content type `{kind}`)")).unwrap_or_default();
            return Err(AnswerFault::Unusable(format!("it is not JSON{kind}: {}", excerpt(&error.to_string(), 200))));
        }
    };
    form.judge(&found).map_err(AnswerFault::Unusable)
}

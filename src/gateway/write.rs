//! Makes a change, from the fence to the close. Every write to AWS goes through it.
//!
//! Guarantee: after [`Writer::write`] returns, no later read is served from an entry fetched before it, whatever the
//! outcome of the change. If the writer dies, the fence stays.

use super::api::GetCall;
use super::api::InstanceTarget;
use super::core::CachePolicy;
use super::core::Gateway;
use super::error::GatewayError;
use super::journal::Journal;
use super::journal::MutationOutcome;
use super::mutation::Mutation;
use super::mutation::Pending;
use super::unchanged;
use super::waiting;
use crate::cache::{CacheError, ChangeEvent, Dirt, Fences, RecordedInvalidation, dirty};
use crate::gateway::before_image;
use crate::progress::Progress;
use crate::state::StateError;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Request ids of AWS have 36 characters.
const LONGEST_REQUEST_ID: usize = 128;
/// The first interval between two polls of an accepted change; each further one is 1.5 times as long.
const FIRST_LOOK: Duration = Duration::from_millis(200);
/// The longest such interval.
const LAST_LOOK: Duration = Duration::from_secs(3);

/// What a change needs in addition to the gateway.
pub struct Writing {
    /// Invalidates the entries that the change affects.
    pub fences: Fences,
    /// The journal; `None` if it cannot be opened, which was reported.
    pub journal: Option<Journal>,
    /// How long an accepted change is polled.
    pub patience: Duration,
}

/// The result of a change that AWS made.
#[derive(Debug)]
pub struct Written {
    /// The answer of AWS; for an asynchronous change, its last status object.
    pub answer: Value,
    /// The before-image, if it was read.
    pub before: Value,
    /// Its number in the journal.
    pub journal: Option<i64>,
    /// The number of entries that were removed from the cache.
    pub invalidated: u64,
    /// AWS was changed and the invalidation could not be recorded: exit code 12, after the answer.
    pub untold: Option<CacheError>,
}

/// A change that was not made, or whose result is unknown.
#[derive(Debug)]
pub struct Unwritten {
    /// Why.
    pub error: GatewayError,
    /// Its number in the journal; `None` when it was refused before the call to AWS.
    pub journal: Option<i64>,
}

impl From<GatewayError> for Unwritten {
    fn from(error: GatewayError) -> Unwritten {
        Unwritten { error, journal: None }
    }
}

/// An ongoing change.
struct MutationInProgress<'a> {
    writing: &'a Writing,
    space: String,
    raised: Result<RecordedInvalidation, CacheError>,
    entry: Option<i64>,
}

/// Makes changes: fence, AWS, close, journal.
#[derive(Clone, Copy)]
pub struct Writer<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Makes changes: fence, AWS, close, journal.
    pub fn writer(&self) -> Writer<'_> {
        Writer { gateway: self }
    }
}

impl Writer<'_> {
    /// Makes a change: image, fence, AWS to its terminal state, close. An error is AWS's; the cache is updated even then,
    /// because AWS may have done part of it. `expected` is the before-image that the caller agreed to: if AWS has
    /// another state now, nothing is changed. `sent` becomes true before the first call that changes anything.
    pub async fn write(
        self,
        change: &Mutation,
        expected: Option<&Value>,
        writing: &Writing,
        sent: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Written, Unwritten> {
        let space = self.gateway.space(&CachePolicy::default()).await?;
        let target = InstanceTarget::of(space);
        let text = space.text();
        let witness = writing.fences.witness();
        let image = before_image::read(self.gateway.source(), &target, change).await?;
        must_be_unchanged(change, expected, &image.before)?;
        let dirt = dirty(&image.event);
        let entry = self.begin(writing, &text, change, &image.before, progress);
        let course = MutationInProgress { writing, raised: writing.fences.raise(&text, &dirt), space: text, entry };
        // Raising the fence may have blocked for seconds: an interruption that came meanwhile acts here, before AWS is asked.
        tokio::task::yield_now().await;
        sent.store(true, Ordering::Release);
        let mut done = self.carry_out(change, &target, &course, &dirt, progress).await;
        if let Err(GatewayError::ChangedMeanwhile { differences, .. }) = &mut done
            && let Ok(now) = before_image::read(self.gateway.source(), &target, change).await
        {
            *differences = unchanged::differences(expected.unwrap_or(&image.before), &now.before);
        }
        let event = match &done {
            Ok(answer) => image.event.clone().after(answer),
            Err(_) => image.event.clone(),
        };
        let told = course.close(&event, &image, &witness);
        course.end(&done, progress);
        let answer = done.map_err(|error| Unwritten { error, journal: entry })?;
        let (invalidated, untold) = match told {
            Ok(told) => (told.entries + course.raised.as_ref().map_or(0, |raised| raised.entries), None),
            Err(error) => (0, Some(error)),
        };
        Ok(Written { answer, before: image.before, journal: entry, invalidated, untold })
    }

    async fn carry_out(
        self,
        change: &Mutation,
        target: &InstanceTarget,
        course: &MutationInProgress<'_>,
        dirt: &[Dirt],
        progress: &dyn Progress,
    ) -> Result<Value, GatewayError> {
        let answer = self.gateway.source().change(target, change).await?;
        let Some(pending) = change.pending() else { return Ok(answer) };
        let id = answer["RequestId"].as_str().filter(|id| !id.is_empty() && id.len() <= LONGEST_REQUEST_ID);
        let Some(id) = id.map(str::to_owned) else {
            return Err(GatewayError::BadAnswer {
                operation: super::api::operation_words(change.operation()),
                detail: "an accepted change without a usable RequestId".into(),
            });
        };
        course.note(|journal, entry| journal.accepted(entry, &id), progress);
        self.follow(pending, &id, change, target, course, dirt, answer).await
    }

    /// Polls the status of an accepted change until it has ended, and renews the fence meanwhile.
    #[expect(clippy::too_many_arguments, reason = "the parts of one change, each of another type")]
    async fn follow(
        self,
        pending: Pending,
        id: &str,
        change: &Mutation,
        target: &InstanceTarget,
        course: &MutationInProgress<'_>,
        dirt: &[Dirt],
        mut status: Value,
    ) -> Result<Value, GatewayError> {
        let (mut pause, mut waited, mut fenced) = (FIRST_LOOK, Duration::ZERO, Duration::ZERO);
        loop {
            match status["Status"].as_str() {
                Some("SUCCEEDED") => return Ok(status),
                Some("FAILED") => {
                    return Err(GatewayError::ChangeFailed {
                        what: change.subject(),
                        reason: status["FailureReason"].as_str().unwrap_or("AWS gave no reason").to_owned(),
                        request_id: id.to_owned(),
                    });
                }
                _ => {}
            }
            if waited >= course.writing.patience {
                return Err(GatewayError::ChangePending { what: change.subject(), request_id: id.to_owned() });
            }
            let aws = || format!("AWS to finish {}", change.subject());
            waiting::visible(aws, tokio::time::sleep(pause)).await;
            waited += pause;
            fenced += pause;
            if fenced > course.writing.fences.keep() / 2 {
                // If the fence cannot be renewed, the present one covers the keys for the rest of its time.
                let _ = course.writing.fences.raise(&course.space, dirt);
                fenced = Duration::ZERO;
            }
            pause = (pause * 3 / 2).min(LAST_LOOK);
            match self.gateway.source().fetch(Some(target), &GetCall::Status(pending, id.to_owned())).await {
                Ok(found) => status = found,
                // AWS may not show the status immediately: wait for it until the timeout.
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn begin(
        self,
        writing: &Writing,
        space: &str,
        change: &Mutation,
        before: &Value,
        progress: &dyn Progress,
    ) -> Option<i64> {
        let journal = writing.journal.as_ref()?;
        let now = self.gateway.cache().clock().now();
        match journal.begin(now, space, change.operation(), &change.request(), before) {
            Ok(entry) => Some(entry),
            Err(fault) => {
                progress.notice(&format!("this change is not in the journal: {fault}"));
                None
            }
        }
    }
}

/// Refuses a change if the object has changed since the caller read it.
fn must_be_unchanged(change: &Mutation, expected: Option<&Value>, now: &Value) -> Result<(), GatewayError> {
    let differences = expected.map(|expected| unchanged::differences(expected, now)).unwrap_or_default();
    if differences.is_empty() {
        return Ok(());
    }
    Err(GatewayError::ChangedMeanwhile { what: change.subject(), differences })
}

impl MutationInProgress<'_> {
    fn note(&self, write: impl FnOnce(&Journal, i64) -> Result<(), StateError>, progress: &dyn Progress) {
        if let (Some(journal), Some(entry)) = (&self.writing.journal, self.entry)
            && let Err(fault) = write(journal, entry)
        {
            progress.notice(&format!("the journal could not be completed: {fault}"));
        }
    }

    fn end(&self, done: &Result<Value, GatewayError>, progress: &dyn Progress) {
        let outcome = match done {
            Ok(_) => MutationOutcome::Done,
            Err(error) if error.leaves_doubt() => MutationOutcome::Unknown(error.to_string()),
            Err(error) => MutationOutcome::Failed(error.to_string()),
        };
        self.note(|journal, entry| journal.end(entry, &outcome), progress);
    }

    fn close(
        &self,
        event: &ChangeEvent,
        image: &before_image::Image,
        witness: &crate::cache::Witness,
    ) -> Result<RecordedInvalidation, CacheError> {
        let (fences, raised) = (&self.writing.fences, self.raised.as_ref().ok());
        // What was there before is the ground on which exact keys were chosen: if another process changed it since, all
        // that it could have been goes.
        let shaken = image.is_read() && fences.overtaken(witness, &self.space, &image.ground, raised);
        let event = if shaken { event.clone().forget_image() } else { event.clone() };
        fences.close(&self.space, &dirty(&event), raised)
    }
}

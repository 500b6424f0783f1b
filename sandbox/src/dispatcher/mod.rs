//! Dispatches calls: applies quotas and faults, counts, and answers.
//!
//! Guarantee: one lock protects all state. The result depends only on the calls and their times. No call can make it
//! fail. A throttled call is counted, an unknown operation is not.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::aws_json::Service;
use crate::call_log::Arrival;
use crate::call_log::Arrivals;
use crate::call_log::CallCounts;
use crate::clock::Now;
use crate::config::Conduct;
use crate::eventual_consistency::Lagging;
use crate::faults::injector::Course;
use crate::faults::injector::Judge;
use crate::faults::injector::Verdict;
use crate::faults::rules::BadFaults;
use crate::faults::rules::Faults;
use crate::faults::rules::Rule;
use crate::generate::Dice;
use crate::operations;
use crate::operations::Action;
use crate::operations::Found;
use crate::services::sts;
use crate::services::sts::Asking;
use crate::services::sts::Sessions;
use crate::signature::Signed;
use crate::state::Counts;
use crate::state::Organization;
use crate::token_bucket::Buckets;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// A call: its `X-Amz-Target`, and its body.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Call<'a> {
    /// `AWSIdentityStore.ListUsers`; absent in the query protocol.
    pub(crate) target: Option<&'a str>,
    /// JSON, or a form without a target.
    pub(crate) body: &'a [u8],
    /// The names in its signature.
    pub(crate) signed: Signed<'a>,
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `application/x-amz-json-1.1` or `text/xml`.
    pub(crate) content_type: &'static str,
    /// For the header `x-amzn-RequestId`.
    pub(crate) request_id: String,
    /// For the header `x-amzn-errortype`.
    pub(crate) error: Option<&'static str>,
    /// The document.
    pub(crate) body: String,
}

/// A call that is counted and checked, and waits for its answer.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// `AWSIdentityStore.ListUsers`, or the unknown operation.
    pub(crate) operation: String,
    /// Its latency and connection faults.
    pub(crate) course: Course,
    asked: Asked,
    refusal: Option<Refusal>,
    /// The answer of another region, instead of the service's.
    elsewhere: Option<Answer>,
    lost: Option<Refusal>,
    request_id: String,
}

#[derive(Debug)]
enum Asked {
    Json(Found, Result<Request, Refusal>),
    Form { form: Vec<u8>, access_key: Option<String> },
    Unknown,
}

/// The state of the sandbox.
#[derive(Debug)]
pub(crate) struct Desk {
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    organization: Organization,
    lagging: Lagging,
    buckets: Buckets,
    calls: CallCounts,
    arrivals: Arrivals,
    judge: Judge,
    dice: Dice,
    sessions: Sessions,
    latency: Duration,
    async_delay: Duration,
}

impl Desk {
    pub(crate) fn new(organization: Organization, conduct: &Conduct) -> Result<Desk, BadFaults> {
        let dice = Dice::new(0, organization.instance_arn());
        let world = World {
            organization,
            lagging: Lagging::default(),
            buckets: Buckets::new(conduct.limits.tps),
            calls: CallCounts::default(),
            arrivals: Arrivals::default(),
            judge: Judge::default(),
            dice,
            sessions: Sessions::default(),
            latency: conduct.limits.latency,
            async_delay: conduct.async_delay,
        };
        let desk = Desk { world: Mutex::new(world) };
        desk.set_faults(conduct.faults.clone())?;
        Ok(desk)
    }

    /// Accepts a call: counts it, applies quotas, and chooses its faults.
    pub(crate) fn admit(&self, now: Now, call: Call<'_>) -> Admitted {
        self.world().admit(now, call)
    }

    /// Executes a call and answers it.
    pub(crate) fn answer(&self, now: Now, call: Admitted) -> Reply {
        self.world().answer(now, call)
    }

    /// Both steps, for callers without a network.
    #[cfg(test)]
    pub(crate) fn answer_at_once(&self, now: Now, call: Call<'_>) -> Reply {
        self.answer(now, self.admit(now, call))
    }

    /// The current organization.
    #[cfg(test)]
    pub(crate) fn organization(&self) -> Organization {
        self.world().organization.clone()
    }

    /// Replaces the faults.
    pub(crate) fn set_faults(&self, faults: Faults) -> Result<(), BadFaults> {
        let mut world = self.world();
        let (rates, lag) = (faults.tps, Duration::from_millis(faults.read_lag_ms));
        let delay = faults.async_delay_ms.map_or(world.async_delay, Duration::from_millis);
        world.judge.set(faults)?;
        world.buckets.set_rates(rates);
        world.lagging.set(lag, delay);
        Ok(())
    }

    /// The current faults.
    pub(crate) fn faults(&self) -> Faults {
        self.world().judge.faults().clone()
    }

    /// Adds a hold to the current faults.
    pub(crate) fn add_hold(&self, hold: Rule) -> Result<(), BadFaults> {
        self.world().judge.add_hold(hold)
    }

    /// The number of calls.
    pub(crate) fn calls(&self) -> CallCounts {
        self.world().calls.clone()
    }

    /// The times of the calls, and the number of dropped ones.
    pub(crate) fn arrivals(&self) -> (Vec<Arrival>, u64) {
        let world = self.world();
        (world.arrivals.all(), world.arrivals.forgotten())
    }

    /// Resets the counters.
    pub(crate) fn reset_calls(&self) {
        let mut world = self.world();
        world.calls = CallCounts::default();
        world.arrivals = Arrivals::default();
    }

    /// The size of the organization.
    pub(crate) fn counts(&self) -> Counts {
        self.world().organization.counts()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Reads change nothing and writes check before they change, so the state is consistent after a panic.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn admit(&mut self, now: Now, call: Call<'_>) -> Admitted {
        let request_id = self.dice.uuid();
        let form = || Asked::Form { form: call.body.to_owned(), access_key: call.signed.access_key.map(str::to_owned) };
        let (operation, asked) = match call.target {
            Some(target) => match operations::find(target) {
                Some(found) => (target.to_owned(), Asked::Json(found, Request::read(found.service, call.body))),
                None => return self.unjudged(target, Asked::Unknown, request_id),
            },
            None => match sts::operation(call.body) {
                Some(operation) => (operation.to_owned(), form()),
                None => return self.unjudged("", form(), request_id),
            },
        };
        let mut verdict = self.verdict(now, &operation, &asked);
        self.calls.count(&operation, verdict.throttled);
        self.arrivals.note(operation.clone(), now.since, verdict.throttled);
        let mut asked = asked;
        if let Asked::Json(_, Ok(request)) = &mut asked {
            request.mishaps = verdict.mishaps;
        }
        let (refusal, lost) = (verdict.refusal.take(), verdict.lost.take());
        let elsewhere = match &asked {
            Asked::Json(found, _) => self.organization.regions.refusal(&self.organization, call.signed.region, found),
            Asked::Form { .. } | Asked::Unknown => None,
        };
        Admitted { operation, course: verdict.course, asked, refusal, elsewhere, lost, request_id }
    }

    /// A call of an unknown operation: neither counted nor subject to faults.
    fn unjudged(&self, operation: &str, asked: Asked, request_id: String) -> Admitted {
        let course = Course { latency: self.judge.latency(operation, self.latency), ..Course::default() };
        Admitted { operation: operation.into(), course, asked, refusal: None, elsewhere: None, lost: None, request_id }
    }

    /// A throttled call is subject only to latency; no rule counts it.
    fn verdict(&mut self, now: Now, operation: &str, asked: &Asked) -> Verdict {
        let (service, request) = match asked {
            Asked::Json(found, request) => {
                if let Err(wait) = self.buckets.take(found.service, found.name, now.since) {
                    let course = Course { latency: self.judge.latency(operation, self.latency), ..Course::default() };
                    let refusal = Some(Refusal::throttled(found.service, whole_seconds(wait)));
                    return Verdict { refusal, throttled: true, course, ..Verdict::default() };
                }
                (found.service, request.as_ref().ok())
            }
            Asked::Form { .. } | Asked::Unknown => (Service::IdentityStore, None),
        };
        self.judge.judge(&self.organization, operation, service, request, self.latency)
    }

    fn answer(&mut self, now: Now, call: Admitted) -> Reply {
        let Admitted { operation, asked, refusal, elsewhere, lost, request_id, .. } = call;
        self.lagging.settle(now, &mut self.organization);
        match asked {
            Asked::Unknown => refused(None, &Refusal::unknown_operation(&operation), request_id),
            Asked::Form { form, access_key } => {
                let xml = if let Some(refusal) = refusal.or(lost) {
                    sts::failed(&refusal, &request_id)
                } else {
                    let access_key = access_key.as_deref();
                    let (organization, request_id) = (&self.organization, request_id.as_str());
                    let asking = Asking { organization, form: &form, access_key, now, request_id };
                    self.sessions.answer(&asking, &mut self.dice)
                };
                Reply { status: xml.status, content_type: "text/xml", request_id, error: None, body: xml.text }
            }
            Asked::Json(found, request) => {
                let answer = match (refusal, elsewhere) {
                    (Some(refusal), _) => Err(refusal),
                    (None, Some(answer)) => answer,
                    (None, None) => request.and_then(|request| self.carry_out(now, found.action, request)),
                };
                // Without a delay an operation ends before its caller gets the answer.
                self.lagging.settle(now, &mut self.organization);
                match lost.map_or(answer, Err) {
                    Ok(body) => json_reply(200, None, &body, request_id),
                    Err(refusal) => refused(Some(found.service), &refusal, request_id),
                }
            }
        }
    }

    fn carry_out(&mut self, now: Now, action: Action, request: Request) -> Answer {
        match action {
            Action::Read(read) => read(self.lagging.view(now, &self.organization), &request),
            Action::Follow(follow) => follow(&self.organization, &request),
            Action::Write(write) => {
                self.lagging.before_change(now, &self.organization);
                let answer = write(&mut self.organization, &request, now)?;
                self.lagging.wrote(now, write, request);
                Ok(answer)
            }
        }
    }
}

fn refused(service: Option<Service>, refusal: &Refusal, request_id: String) -> Reply {
    let body = refusal.body(service, &request_id);
    json_reply(refusal.status, Some(refusal.code), &body, request_id)
}

fn json_reply(status: u16, error: Option<&'static str>, body: &Value, request_id: String) -> Reply {
    Reply { status, content_type: "application/x-amz-json-1.1", request_id, error, body: body.to_string() }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;

//! A caller for the tests of the services: asks a desk without a network.
//!
//! Adds the identity store or the instance to a call that does not name one, and walks listings as an SDK does.

use crate::clock::Now;
use crate::config::Limits;
use crate::config::Shape;
use crate::dispatcher::Call;
use crate::dispatcher::Desk;
use crate::records::Moment;
use crate::state::Organization;
use serde_json::Value;
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;

/// When its calls begin, in milliseconds.
pub(crate) const AT: i64 = 1_800_000_000_000;

/// Asks an organization that it also shows.
pub(crate) struct Caller {
    /// As it was at first.
    pub(crate) organization: Organization,
    pub(crate) desk: Desk,
    since: Cell<Duration>,
}

impl Caller {
    pub(crate) fn new(shape: &Shape) -> Caller {
        let organization = Organization::generate(shape);
        let limits = Limits { tps: 0.0, latency: Duration::ZERO };
        let desk = Desk::new(organization.clone(), &limits.into()).expect("no faults are no bad faults");
        Caller { desk, organization, since: Cell::new(Duration::ZERO) }
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, ms: u64) {
        self.since.set(self.since.get() + Duration::from_millis(ms));
    }

    /// The answer of a call that must succeed.
    pub(crate) fn ask(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call(target, body);
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// The error of a call that must be refused.
    pub(crate) fn refused(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call(target, body);
        assert_eq!(status, 400, "{target}: {answer}");
        answer
    }

    /// All pages of a listing: how long each was, and everything that they held.
    pub(crate) fn walk(&self, target: &str, field: &str, mut body: Value) -> (Vec<usize>, Vec<Value>) {
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        loop {
            let mut answer = self.ask(target, body.clone());
            let Value::Array(items) = answer[field].take() else { panic!("{target}: no {field} in {answer}") };
            sizes.push(items.len());
            all.extend(items);
            match answer.get("NextToken") {
                None => return (sizes, all),
                Some(token) => body["NextToken"] = token.clone(),
            }
            assert!(sizes.len() < 1_000, "{target} never ends");
        }
    }

    /// Status and answer of a call.
    pub(crate) fn call(&self, target: &str, mut body: Value) -> (u16, Value) {
        let own = match target.split('.').next() {
            Some("AWSIdentityStore") => Some(("IdentityStoreId", self.organization.identity_store())),
            Some("SWBExternalService") => Some(("InstanceArn", self.organization.instance_arn())),
            _ => None,
        };
        if let Some((field, value)) = own
            && body.get(field).is_none()
        {
            body[field] = json!(value);
        }
        let body = body.to_string();
        let at = Moment(AT + i64::try_from(self.since.get().as_millis()).expect("a short test"));
        let now = Now { since: self.since.get(), at };
        let reply =
            self.desk.answer_at_once(now, Call { target: Some(target), body: body.as_bytes(), ..Call::default() });
        (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
    }
}

//! The desk: takes a call as it came over the wire, meters it, counts it and has it answered.
//!
//! Neighbours: `server.rs` brings calls from the network, the services answer them. Promise: one lock holds all that
//! changes; a pure function of the calls and of the times handed in; no call makes it fail. A throttled call is
//! counted, an operation that does not exist is not.

use super::arrivals::{Arrival, Arrivals};
use super::bucket::Buckets;
use super::generate::Dice;
use super::identitystore;
use super::organisation::Counts;
use super::organisation::Organisation;
use super::organizations;
use super::shape::Limits;
use super::ssoadmin;
use super::sts;
use super::wire::Operation;
use super::wire::Refusal;
use super::wire::Request;
use super::wire::Service;
use crate::report::Calls;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// A call: its `X-Amz-Target`, and its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// `AWSIdentityStore.ListUsers`; absent in the query protocol.
    pub(super) target: Option<&'a str>,
    /// JSON, or a form without a target.
    pub(super) body: &'a [u8],
}

/// What goes back over the wire.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// `application/x-amz-json-1.1` or `text/xml`.
    pub(super) content_type: &'static str,
    /// For the header `x-amzn-RequestId`.
    pub(super) request_id: String,
    /// For the header `x-amzn-errortype`.
    pub(super) error: Option<&'static str>,
    /// The document.
    pub(super) body: String,
}

/// Everything behind the wire.
#[derive(Debug)]
pub(super) struct Desk {
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    organisation: Organisation,
    buckets: Buckets,
    calls: Calls,
    arrivals: Arrivals,
    dice: Dice,
}

impl Desk {
    pub(super) fn new(organisation: Organisation, limits: &Limits) -> Desk {
        let dice = Dice::new(0, organisation.instance_arn());
        let world = World {
            organisation,
            buckets: Buckets::new(limits.tps),
            calls: Calls::default(),
            arrivals: Arrivals::default(),
            dice,
        };
        Desk { world: Mutex::new(world) }
    }

    /// Answers a call that came `now` after the start.
    pub(super) fn answer(&self, now: Duration, call: Call<'_>) -> Reply {
        let mut world = self.world();
        let request_id = world.dice.uuid();
        match call.target {
            Some(target) => world.answer_json(now, target, call.body, request_id),
            None => world.answer_form(call.body, request_id),
        }
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> Calls {
        self.world().calls.clone()
    }

    /// When they came.
    pub(super) fn arrivals(&self) -> (Vec<Arrival>, u64) {
        let world = self.world();
        (world.arrivals.all(), world.arrivals.forgotten())
    }

    /// Counts from zero again.
    pub(super) fn reset_calls(&self) {
        let mut world = self.world();
        world.calls = Calls::default();
        world.arrivals = Arrivals::default();
    }

    /// How large the organisation is.
    pub(super) fn counts(&self) -> Counts {
        self.world().organisation.counts()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Operations only read; whatever broke off left the world whole.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn answer_json(&mut self, now: Duration, target: &str, body: &[u8], request_id: String) -> Reply {
        let Some((service, name, operation)) = find(target) else {
            return refused(None, &Refusal::unknown_operation(target), request_id);
        };
        let turn = self.buckets.take(service, name, now);
        self.calls.count(target, turn.is_err());
        self.arrivals.note(target.to_owned(), now, turn.is_err());
        let answer = match turn {
            Err(wait) => Err(Refusal::throttled(service, whole_seconds(wait))),
            Ok(()) => Request::read(service, body).and_then(|request| operation(&self.organisation, &request)),
        };
        match answer {
            Ok(body) => json_reply(200, None, &body, request_id),
            Err(refusal) => refused(Some(service), &refusal, request_id),
        }
    }

    fn answer_form(&mut self, form: &[u8], request_id: String) -> Reply {
        let sts::Xml { status, text, operation } = sts::answer(&self.organisation, form, &request_id);
        if let Some(operation) = operation {
            self.calls.count(operation, false);
        }
        Reply { status, content_type: "text/xml", request_id, error: None, body: text }
    }
}

fn find(target: &str) -> Option<(Service, &'static str, Operation)> {
    let (prefix, asked) = target.split_once('.')?;
    let service = Service::of_prefix(prefix)?;
    let operations = match service {
        Service::IdentityStore => identitystore::OPERATIONS,
        Service::SsoAdmin => ssoadmin::OPERATIONS,
        Service::Organizations => organizations::OPERATIONS,
    };
    operations.iter().find(|(name, _)| *name == asked).map(|(name, operation)| (service, *name, *operation))
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
mod tests {
    use super::*;
    use crate::sandbox::shape::Shape;
    use serde_json::json;

    fn desk(tps: f64) -> Desk {
        Desk::new(Organisation::generate(&Shape::default()), &Limits { tps, latency: Duration::ZERO })
    }

    fn ask(desk: &Desk, at_ms: u64, target: &str) -> (u16, Value) {
        let reply = desk.answer(Duration::from_millis(at_ms), Call { target: Some(target), body: b"{}" });
        (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
    }

    #[test]
    fn each_service_says_in_its_own_way_that_there_were_too_many_calls() {
        let desk = desk(1.0);
        for target in
            ["AWSIdentityStore.ListUsers", "SWBExternalService.ListInstances", "AWSOrganizationsV20161128.ListAccounts"]
        {
            ask(&desk, 0, target);
        }
        let (status, body) = ask(&desk, 0, "AWSIdentityStore.ListUsers");
        assert_eq!(
            (status, &body["__type"], &body["RetryAfterSeconds"]),
            (400, &json!("ThrottlingException"), &json!(1))
        );
        let (status, body) = ask(&desk, 0, "SWBExternalService.ListPermissionSets");
        assert_eq!(
            (status, &body["__type"], body.get("RetryAfterSeconds")),
            (400, &json!("ThrottlingException"), None)
        );
        let (status, body) = ask(&desk, 0, "AWSOrganizationsV20161128.ListRoots");
        assert_eq!((status, &body["__type"]), (400, &json!("TooManyRequestsException")));
        assert!(!body["Message"].as_str().expect("a text").contains("  "), "{body}");
        let (status, _) = ask(&desk, 1_000, "SWBExternalService.ListInstances");
        assert_eq!(status, 200, "a second later there is room");
        let calls = desk.calls();
        assert_eq!((calls.total, calls.throttled), (7, 3));
        assert_eq!(calls.by_operation["AWSIdentityStore.ListUsers"], 2);
    }

    #[test]
    fn calls_are_counted_until_the_counters_are_reset() {
        let desk = desk(0.0);
        for _ in 0..3 {
            ask(&desk, 0, "SWBExternalService.ListInstances");
        }
        desk.answer(Duration::ZERO, Call { target: None, body: b"Action=GetCallerIdentity&Version=2011-06-15" });
        let calls = desk.calls();
        assert_eq!((calls.total, calls.throttled), (4, 0));
        assert_eq!(calls.by_operation["SWBExternalService.ListInstances"], 3);
        assert_eq!(calls.by_operation[sts::CALLER_IDENTITY], 1);
        desk.reset_calls();
        assert_eq!(desk.calls(), Calls::default());
    }

    #[test]
    fn an_unknown_operation_is_named_and_neither_counted_nor_a_500() {
        let desk = desk(1.0);
        for target in ["AWSIdentityStore.DropTables", "Nonsense.ListUsers", "ListUsers", ""] {
            let (status, body) = ask(&desk, 0, target);
            assert_eq!((status, &body["__type"]), (404, &json!("UnknownOperationException")));
            assert!(body["Message"].as_str().is_some_and(|message| message.contains(target)));
        }
        assert_eq!(desk.calls().total, 0);
    }

    #[test]
    fn garbage_is_refused_without_failing() {
        let desk = desk(0.0);
        let mut dice = Dice::new(7, "garbage");
        let pieces =
            ["{", "}", "\"IdentityStoreId\"", ":", "\"d-90670123ab\"", "null", "[", "]", ",", "1e999", "\u{0}", "ö"];
        for _ in 0..5_000 {
            let body: String = (0..dice.below(12)).map(|_| dice.one_of(&pieces)).collect();
            let service = dice.one_of(&[identitystore::OPERATIONS, ssoadmin::OPERATIONS, organizations::OPERATIONS]);
            let prefix = match service.len() {
                n if n == identitystore::OPERATIONS.len() => "AWSIdentityStore",
                n if n == ssoadmin::OPERATIONS.len() => "SWBExternalService",
                _ => "AWSOrganizationsV20161128",
            };
            let (name, _) = dice.one_of(service);
            let reply =
                desk.answer(Duration::ZERO, Call { target: Some(&format!("{prefix}.{name}")), body: body.as_bytes() });
            assert!(matches!(reply.status, 200 | 400), "{} {name} {body}", reply.status);
        }
    }
}

//! A caller for the tests of the services: asks a desk without a network.
//!
//! Neighbours: the tests of `identitystore.rs`, `ssoadmin.rs` and `organizations.rs`. Promise: adds the identity store
//! or the instance to a call that does not name one, and walks listings as an SDK does.

use super::desk::Call;
use super::desk::Desk;
use super::organisation::Organisation;
use super::shape::Limits;
use super::shape::Shape;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Asks an organisation that it also shows.
pub(super) struct Caller {
    pub(super) organisation: Organisation,
    desk: Desk,
}

impl Caller {
    pub(super) fn new(shape: &Shape) -> Caller {
        let organisation = Organisation::generate(shape);
        let limits = Limits { tps: 0.0, latency: Duration::ZERO };
        Caller { desk: Desk::new(organisation.clone(), &limits), organisation }
    }

    /// The answer of a call that must succeed.
    pub(super) fn ask(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call(target, body);
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }

    /// The error of a call that must be refused.
    pub(super) fn refused(&self, target: &str, body: Value) -> Value {
        let (status, answer) = self.call(target, body);
        assert_eq!(status, 400, "{target}: {answer}");
        answer
    }

    /// All pages of a listing: how long each was, and everything that they held.
    pub(super) fn walk(&self, target: &str, field: &str, mut body: Value) -> (Vec<usize>, Vec<Value>) {
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

    fn call(&self, target: &str, mut body: Value) -> (u16, Value) {
        let own = match target.split('.').next() {
            Some("AWSIdentityStore") => Some(("IdentityStoreId", self.organisation.identity_store())),
            Some("SWBExternalService") => Some(("InstanceArn", self.organisation.instance_arn())),
            _ => None,
        };
        if let Some((field, value)) = own
            && body.get(field).is_none()
        {
            body[field] = json!(value);
        }
        let body = body.to_string();
        let reply = self.desk.answer(Duration::ZERO, Call { target: Some(target), body: body.as_bytes() });
        (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
    }
}

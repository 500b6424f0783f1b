//! The wire: what a call asks for, what an answer or a refusal looks like in AWS JSON 1.1.
//!
//! Neighbours: `desk.rs` reads calls and sends answers with it, the services ask a [`Request`] for their arguments and
//! answer with a [`Refusal`] when those do not do. Promise: every refusal has the code, the fields and the wording
//! that the service itself uses; a malformed body is AWS's `SerializationException`, never a failure of ours.

use super::forms::Form;
use super::organisation::Organisation;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The services that speak JSON here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Service {
    /// identitystore.
    IdentityStore,
    /// sso-admin.
    SsoAdmin,
    /// organizations.
    Organizations,
}

impl Service {
    /// The service of a target prefix.
    pub(super) fn of_prefix(prefix: &str) -> Option<Service> {
        match prefix {
            "AWSIdentityStore" => Some(Service::IdentityStore),
            "SWBExternalService" => Some(Service::SsoAdmin),
            "AWSOrganizationsV20161128" => Some(Service::Organizations),
            _ => None,
        }
    }

    /// The largest page that the service gives, which is also what it gives unasked.
    pub(super) fn page_limit(self) -> usize {
        match self {
            Service::IdentityStore | Service::SsoAdmin => 100,
            Service::Organizations => 20,
        }
    }
}

/// What a service answers: the JSON body, or why not.
pub(super) type Answer = Result<Value, Refusal>;

/// An operation: reads the organisation, knows nothing of HTTP, quotas or counters.
pub(super) type Operation = fn(&Organisation, &Request) -> Answer;

/// A call's arguments.
#[derive(Debug)]
pub(super) struct Request {
    service: Service,
    body: Map<String, Value>,
}

impl Request {
    /// Reads the body of a call; an empty one is no arguments.
    pub(super) fn read(service: Service, body: &[u8]) -> Result<Request, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Request { service, body: Map::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => Ok(Request { service, body }),
            Ok(_) => Err(Refusal::serialization("Start of structure or map found where not expected.")),
            Err(error) => Err(Refusal::serialization(&format!("the body is not JSON: {error}"))),
        }
    }

    /// The service that was asked.
    pub(super) fn service(&self) -> Service {
        self.service
    }

    /// An argument as it came; JSON null is no argument.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.body.get(field).filter(|value| !value.is_null())
    }

    /// A text that may be missing.
    pub(super) fn optional_text(&self, field: &str) -> Result<Option<&str>, Refusal> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::serialization(&format!("{field} can not be converted to a String"))),
        }
    }

    /// An id that must be there and have its form.
    pub(super) fn id(&self, field: &str, form: Form) -> Result<&str, Refusal> {
        match self.optional_text(field)? {
            None => Err(self.missing(field)),
            Some(text) => self.formed(field, text, form),
        }
    }

    /// An id that may be missing, but not have another form.
    pub(super) fn optional_id(&self, field: &str, form: Form) -> Result<Option<&str>, Refusal> {
        self.optional_text(field)?.map(|text| self.formed(field, text, form)).transpose()
    }

    /// Holds a text to a form.
    pub(super) fn formed<'a>(&self, field: &str, text: &'a str, form: Form) -> Result<&'a str, Refusal> {
        if form.fits(text) {
            Ok(text)
        } else {
            let rule = format!("Member must satisfy regular expression pattern: {}", form.pattern());
            Err(self.invalid(field, "INVALID_PATTERN", &rule))
        }
    }

    /// One of a few words; `None` when nothing was given.
    pub(super) fn word(&self, field: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.optional_text(field)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == text).copied();
        known.map(Some).ok_or_else(|| {
            let rule = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.invalid(field, "INVALID_ENUM", &rule)
        })
    }

    /// The refusal of a missing argument.
    pub(super) fn missing(&self, field: &str) -> Refusal {
        self.invalid(field, "INPUT_REQUIRED", "Member must not be null")
    }

    /// The refusal of an argument that breaks `rule`; `reason` is the word that Organizations has for it.
    pub(super) fn invalid(&self, field: &str, reason: &'static str, rule: &str) -> Refusal {
        let mut name = field.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let message = format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}");
        Refusal::validation(self.service, reason, &message)
    }
}

/// A call that is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// AWS's error code.
    pub(super) code: &'static str,
    /// AWS's words.
    pub(super) message: String,
    /// Fields that this code has beside its message.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status: 400, code, message: message.into(), fields: Vec::new() }
    }

    fn with(mut self, field: &'static str, value: impl Into<Value>) -> Refusal {
        self.fields.push((field, value.into()));
        self
    }

    /// An argument that cannot be: `ValidationException`, and for Organizations `InvalidInputException`.
    pub(super) fn validation(service: Service, reason: &'static str, message: &str) -> Refusal {
        match service {
            Service::IdentityStore | Service::SsoAdmin => Refusal::new("ValidationException", message),
            Service::Organizations => Refusal::new("InvalidInputException", message).with("Reason", reason),
        }
    }

    /// A body that is not what the protocol asks for.
    pub(super) fn serialization(message: &str) -> Refusal {
        Refusal::new("SerializationException", message)
    }

    /// An operation that does not exist, or not here.
    pub(super) fn unknown_operation(target: &str) -> Refusal {
        let message = format!("the sandbox does not know the operation {target}");
        Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) }
    }

    /// identitystore: `USER`, `GROUP`, `GROUP_MEMBERSHIP` or `IDENTITY_STORE` with this id is not there.
    pub(super) fn not_in_store(kind: &'static str, id: Option<&str>) -> Refusal {
        let refusal =
            Refusal::new("ResourceNotFoundException", format!("{kind} not found.")).with("ResourceType", kind);
        match id {
            Some(id) => refusal.with("ResourceId", id),
            None => refusal,
        }
    }

    /// sso-admin: what does not exist.
    pub(super) fn not_found(message: String) -> Refusal {
        Refusal::new("ResourceNotFoundException", message)
    }

    /// organizations: what does not exist has a code of its own for each kind.
    pub(super) fn organizations(code: &'static str, message: &str) -> Refusal {
        Refusal::new(code, message)
    }

    /// What the caller may not see.
    pub(super) fn denied(message: String) -> Refusal {
        Refusal::new("AccessDeniedException", message)
    }

    /// Too many calls: each service has its own way to say it.
    pub(super) fn throttled(service: Service, retry_after_seconds: u64) -> Refusal {
        match service {
            Service::IdentityStore => {
                Refusal::new("ThrottlingException", "Rate exceeded").with("RetryAfterSeconds", retry_after_seconds)
            }
            Service::SsoAdmin => Refusal::new("ThrottlingException", "Rate exceeded"),
            Service::Organizations => Refusal::new(
                "TooManyRequestsException",
                "AWS Organizations can't complete your \
                request because you called the API too often; try again later.",
            )
            .with("Type", "THROTTLED"),
        }
    }

    /// The body: code, message, the code's own fields, and the id of the request where the service gives it.
    pub(super) fn body(&self, service: Option<Service>, request_id: &str) -> Value {
        let mut body = Map::new();
        body.insert("__type".into(), json!(self.code));
        body.insert("Message".into(), json!(self.message));
        for (field, value) in &self.fields {
            body.insert((*field).into(), value.clone());
        }
        if service == Some(Service::IdentityStore) {
            body.insert("RequestId".into(), json!(request_id));
        }
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(service: Service, body: &str) -> Request {
        Request::read(service, body.as_bytes()).expect("a body")
    }

    #[test]
    fn missing_and_misshapen_arguments_are_named_in_the_service_s_own_code() {
        let store = request(Service::IdentityStore, "{\"UserId\":\"alice\"}");
        let refusal = store.id("UserId", Form::ResourceId).expect_err("no id");
        assert_eq!((refusal.status, refusal.code), (400, "ValidationException"));
        assert!(refusal.message.contains("'userId'"), "{}", refusal.message);
        let refusal = store.id("GroupId", Form::ResourceId).expect_err("missing");
        assert!(refusal.message.ends_with("'groupId' failed to satisfy constraint: Member must not be null"));
        let refusal = request(Service::Organizations, "").id("AccountId", Form::AccountId).expect_err("missing");
        assert_eq!(refusal.code, "InvalidInputException");
        assert_eq!(refusal.fields, [("Reason", json!("INPUT_REQUIRED"))]);
    }

    #[test]
    fn what_is_not_a_json_object_is_a_serialization_exception() {
        for body in ["[]", "7", "{\"a\":", "not json", "\"x\""] {
            let refusal = Request::read(Service::SsoAdmin, body.as_bytes()).expect_err("refused");
            assert_eq!((refusal.status, refusal.code), (400, "SerializationException"), "{body}");
        }
        let request = request(Service::SsoAdmin, "{\"InstanceArn\":5}");
        assert_eq!(request.id("InstanceArn", Form::InstanceArn).expect_err("a number").code, "SerializationException");
    }
}

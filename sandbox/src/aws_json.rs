//! The protocol AWS JSON 1.1: services, requests and arguments.
//!
//! Guarantee: an invalid argument gets the error of the service. A malformed body is AWS's `SerializationException`,
//! never a failure of the sandbox.

use crate::clock::Now;
pub(crate) use crate::error_response::Refusal;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::Map;
use serde_json::Value;

/// The services with this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    /// identitystore.
    IdentityStore,
    /// sso-admin.
    SsoAdmin,
    /// organizations.
    Organizations,
}

impl Service {
    /// All services.
    pub(crate) const ALL: [Service; 3] = [Service::IdentityStore, Service::SsoAdmin, Service::Organizations];

    /// The service of a target prefix.
    pub(crate) fn of_prefix(prefix: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.prefix() == prefix)
    }

    /// The prefix of its targets.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Service::IdentityStore => "AWSIdentityStore",
            Service::SsoAdmin => "SWBExternalService",
            Service::Organizations => "AWSOrganizationsV20161128",
        }
    }

    /// The largest page, which is also the default.
    pub(crate) fn page_limit(self) -> usize {
        match self {
            Service::IdentityStore | Service::SsoAdmin => 100,
            Service::Organizations => 20,
        }
    }
}

/// The answer of a service: the JSON body or an error.
pub(crate) type Answer = Result<Value, Refusal>;

/// A read of the organization. It knows nothing of HTTP, quotas or counters.
pub(crate) type Operation = fn(&Organization, &Request) -> Answer;

/// A write to the organization: complete, or without effect if it is refused.
pub(crate) type Write = fn(&mut Organization, &Request, Now) -> Answer;

/// The arguments of a call.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    service: Service,
    body: Map<String, Value>,
    /// The faults of this call.
    pub(crate) mishaps: Mishaps,
}

/// Faults that affect the operation itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Mishaps {
    /// The most rows of a page.
    pub(crate) rows: Option<usize>,
    /// Whether a listing answers with the token of its request.
    pub(crate) repeat_token: bool,
    /// Whether the asynchronous operation that it starts fails.
    pub(crate) fail_async: bool,
    /// Whether the caller is a delegated administrator.
    pub(crate) delegated_admin: bool,
    /// Whether the deprecated `Filters` are refused.
    pub(crate) refuse_filters: bool,
    /// Whether accounts have no `Status`, which AWS retired.
    pub(crate) no_account_status: bool,
}

impl Request {
    /// Parses the body of a call; an empty one has no arguments.
    pub(crate) fn read(service: Service, body: &[u8]) -> Result<Request, Refusal> {
        let with = |body| Request { service, body, mishaps: Mishaps::default() };
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(with(Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => Ok(with(body)),
            Ok(_) => Err(Refusal::serialization("Start of structure or map found where not expected.")),
            Err(error) => Err(Refusal::serialization(&format!("the body is not JSON: {error}"))),
        }
    }

    /// The service of the request.
    pub(crate) fn service(&self) -> Service {
        self.service
    }

    /// All arguments.
    pub(crate) fn body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// Whether the request names this account.
    pub(crate) fn names_account(&self, account: &str) -> bool {
        let filter = self.value("Filter").and_then(|filter| filter.get("AccountId"));
        let named = [self.value("AccountId"), self.value("TargetId"), filter];
        named.into_iter().flatten().any(|value| value.as_str() == Some(account))
    }

    /// An argument; JSON null is absent.
    pub(crate) fn value(&self, field: &str) -> Option<&Value> {
        self.body.get(field).filter(|value| !value.is_null())
    }

    /// An optional text.
    pub(crate) fn optional_text(&self, field: &str) -> Result<Option<&str>, Refusal> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::serialization(&format!("{field} can not be converted to a String"))),
        }
    }

    /// A required id of this form.
    pub(crate) fn id(&self, field: &str, form: Form) -> Result<&str, Refusal> {
        match self.optional_text(field)? {
            None => Err(self.missing(field)),
            Some(text) => self.formed(field, text, form),
        }
    }

    /// An optional id of this form.
    pub(crate) fn optional_id(&self, field: &str, form: Form) -> Result<Option<&str>, Refusal> {
        self.optional_text(field)?.map(|text| self.formed(field, text, form)).transpose()
    }

    /// Checks the form of a text.
    pub(crate) fn formed<'a>(&self, field: &str, text: &'a str, form: Form) -> Result<&'a str, Refusal> {
        if form.fits(text) {
            Ok(text)
        } else {
            let rule = format!("Member must satisfy regular expression pattern: {}", form.pattern());
            Err(self.invalid(field, "INVALID_PATTERN", &rule))
        }
    }

    /// One of these words; `None` if the argument is absent.
    pub(crate) fn word(&self, field: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(text) = self.optional_text(field)? else { return Ok(None) };
        let known = words.iter().find(|word| **word == text).copied();
        known.map(Some).ok_or_else(|| {
            let rule = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.invalid(field, "INVALID_ENUM", &rule)
        })
    }

    /// The error of a missing argument.
    pub(crate) fn missing(&self, field: &str) -> Refusal {
        self.invalid(field, "INPUT_REQUIRED", "Member must not be null")
    }

    /// The error of an argument that breaks `rule`; `reason` is the reason code of Organizations.
    pub(crate) fn invalid(&self, field: &str, reason: &'static str, rule: &str) -> Refusal {
        let mut name = field.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let message = format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: {rule}");
        Refusal::validation(self.service, reason, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

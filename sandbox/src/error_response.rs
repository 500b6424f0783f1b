//! Refusals: what a call that cannot be answered gets, in the words of the service.
//!
//! Every refusal has the code, the fields and the wording that the service itself uses.

use crate::aws_json::Service;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// A call that is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// AWS's error code.
    pub(crate) code: &'static str,
    /// AWS's words.
    pub(crate) message: String,
    /// Fields that this code has beside its message.
    pub(crate) fields: Vec<(&'static str, Value)>,
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
    pub(crate) fn validation(service: Service, reason: &'static str, message: &str) -> Refusal {
        match service {
            Service::IdentityStore | Service::SsoAdmin => Refusal::new("ValidationException", message),
            Service::Organizations => Refusal::new("InvalidInputException", message).with("Reason", reason),
        }
    }

    /// A body that is not what the protocol asks for.
    pub(crate) fn serialization(message: &str) -> Refusal {
        Refusal::new("SerializationException", message)
    }

    /// An operation that does not exist, or not here.
    pub(crate) fn unknown_operation(target: &str) -> Refusal {
        let message = format!("the sandbox does not know the operation {target}");
        Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) }
    }

    /// identitystore: `USER`, `GROUP`, `GROUP_MEMBERSHIP` or `IDENTITY_STORE` with this id is not there.
    pub(crate) fn not_in_store(kind: &'static str, id: Option<&str>) -> Refusal {
        let message = match (kind, id) {
            ("IDENTITY_STORE", Some(id)) => format!("IdentityStore not present for IdentityStoreId: {id}"),
            _ => format!("{kind} not found."),
        };
        let refusal = Refusal::new("ResourceNotFoundException", message).with("ResourceType", kind);
        match id {
            Some(id) => refusal.with("ResourceId", id),
            None => refusal,
        }
    }

    /// sso-admin: what does not exist.
    pub(crate) fn not_found(message: String) -> Refusal {
        Refusal::new("ResourceNotFoundException", message)
    }

    /// organizations: what does not exist has a code of its own for each kind.
    pub(crate) fn organizations(code: &'static str, message: &str) -> Refusal {
        Refusal::new(code, message)
    }

    /// What the caller may not see.
    pub(crate) fn denied(message: String) -> Refusal {
        Refusal::new("AccessDeniedException", message)
    }

    /// Too many calls: each service has its own way to say it.
    pub(crate) fn throttled(service: Service, retry_after_seconds: u64) -> Refusal {
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

    /// identitystore: something that must be there once is there already.
    pub(crate) fn not_unique(message: impl Into<String>) -> Refusal {
        Refusal::new("ConflictException", message).with("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
    }

    /// identitystore: what is to be changed is no longer what the caller knows.
    pub(crate) fn changed_meanwhile(kind: &str) -> Refusal {
        let message = format!("The {kind} was changed by another request; read it again and retry.");
        Refusal::new("ConflictException", message).with("Reason", "CONCURRENT_MODIFICATION")
    }

    /// sso-admin: what cannot be done as things stand.
    pub(crate) fn conflict(message: impl Into<String>) -> Refusal {
        Refusal::new("ConflictException", message)
    }

    /// sso-admin: more than may be.
    pub(crate) fn over_quota(message: impl Into<String>) -> Refusal {
        Refusal::new("ServiceQuotaExceededException", message)
    }

    /// sso-admin: too many asynchronous operations at once.
    pub(crate) fn too_many_under_way() -> Refusal {
        Refusal::new("ThrottlingException", "There are too many requests processing. Please try again later.")
    }

    /// A failure of the service's own, with its HTTP status.
    pub(crate) fn failed(service: Service, status: u16) -> Refusal {
        let code = match service {
            Service::IdentityStore | Service::SsoAdmin => "InternalServerException",
            Service::Organizations => "ServiceException",
        };
        Refusal { status, ..Refusal::new(code, "An unexpected internal service exception was encountered") }
    }

    /// The body: code, message, the code's own fields, and the id of the request where the service gives it.
    pub(crate) fn body(&self, service: Option<Service>, request_id: &str) -> Value {
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

//! Error responses of the services.
//!
//! Guarantee: code, fields and message are those of the service.

use crate::aws_json::Service;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// AWS's error code.
    pub(crate) code: &'static str,
    /// The message of AWS.
    pub(crate) message: String,
    /// Additional fields of this code.
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

    /// An invalid argument: `ValidationException`, and for Organizations `InvalidInputException`.
    pub(crate) fn validation(service: Service, reason: &'static str, message: &str) -> Refusal {
        match service {
            Service::IdentityStore | Service::SsoAdmin => Refusal::new("ValidationException", message),
            Service::Organizations => Refusal::new("InvalidInputException", message).with("Reason", reason),
        }
    }

    /// A malformed body.
    pub(crate) fn serialization(message: &str) -> Refusal {
        Refusal::new("SerializationException", message)
    }

    /// An unknown operation.
    pub(crate) fn unknown_operation(target: &str) -> Refusal {
        let message = format!("the sandbox does not know the operation {target}");
        Refusal { status: 404, ..Refusal::new("UnknownOperationException", message) }
    }

    /// identitystore: no `USER`, `GROUP`, `GROUP_MEMBERSHIP` or `IDENTITY_STORE` has this id.
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

    /// sso-admin: the resource does not exist.
    pub(crate) fn not_found(message: String) -> Refusal {
        Refusal::new("ResourceNotFoundException", message)
    }

    /// organizations: the resource does not exist; each kind has a separate code.
    pub(crate) fn organizations(code: &'static str, message: &str) -> Refusal {
        Refusal::new(code, message)
    }

    /// The caller lacks permission.
    pub(crate) fn denied(message: String) -> Refusal {
        Refusal::new("AccessDeniedException", message)
    }

    /// Throttling, as each service reports it.
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

    /// identitystore: a unique value exists already.
    pub(crate) fn not_unique(message: impl Into<String>) -> Refusal {
        Refusal::new("ConflictException", message).with("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
    }

    /// identitystore: the resource has changed since the caller read it.
    pub(crate) fn changed_meanwhile(kind: &str) -> Refusal {
        let message = format!("The {kind} was changed by another request; read it again and retry.");
        Refusal::new("ConflictException", message).with("Reason", "CONCURRENT_MODIFICATION")
    }

    /// sso-admin: the state of the resource does not permit the change.
    pub(crate) fn conflict(message: impl Into<String>) -> Refusal {
        Refusal::new("ConflictException", message)
    }

    /// sso-admin: a quota is exceeded.
    pub(crate) fn over_quota(message: impl Into<String>) -> Refusal {
        Refusal::new("ServiceQuotaExceededException", message)
    }

    /// sso-admin: too many concurrent asynchronous operations.
    pub(crate) fn too_many_under_way() -> Refusal {
        Refusal::new("ThrottlingException", "There are too many requests processing. Please try again later.")
    }

    /// An internal failure of the service, with its HTTP status.
    pub(crate) fn failed(service: Service, status: u16) -> Refusal {
        let code = match service {
            Service::IdentityStore | Service::SsoAdmin => "InternalServerException",
            Service::Organizations => "ServiceException",
        };
        Refusal { status, ..Refusal::new(code, "An unexpected internal service exception was encountered") }
    }

    /// The body: code, message, additional fields, and the request id if the service includes it.
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

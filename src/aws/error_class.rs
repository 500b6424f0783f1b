//! The table of AWS error codes: their class, and the exit code of a command that ends with them.

/// The class of an error answer of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// AWS throttles.
    Throttled,
    /// The service failed, or cannot answer now.
    Unavailable,
    /// The answer has no AWS error code: another server (a proxy, a captive portal) answered.
    NotAws,
    /// The login or the temporary keys have expired.
    Expired,
    /// AWS does not know the keys.
    UnknownKey,
    /// The signature was not accepted: the secret key or the clock is wrong.
    BadSignature,
    /// The permission is missing.
    Denied,
    /// The resource does not exist.
    NotFound,
    /// The request conflicts with another change, or the name is taken.
    Conflict,
    /// AWS does not accept a value of the request.
    Invalid,
    /// AWS refused the request for another reason.
    Refused,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [ErrorClass; 11] = [
        ErrorClass::Throttled,
        ErrorClass::Unavailable,
        ErrorClass::NotAws,
        ErrorClass::Expired,
        ErrorClass::UnknownKey,
        ErrorClass::BadSignature,
        ErrorClass::Denied,
        ErrorClass::NotFound,
        ErrorClass::Conflict,
        ErrorClass::Invalid,
        ErrorClass::Refused,
    ];

    /// The exit code; `cli/exit_code/mod.rs` documents the codes.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorClass::Throttled | ErrorClass::Unavailable | ErrorClass::NotAws => 13,
            ErrorClass::Expired | ErrorClass::UnknownKey | ErrorClass::BadSignature | ErrorClass::Denied => 4,
            ErrorClass::NotFound => 5,
            ErrorClass::Invalid => 2,
            ErrorClass::Conflict | ErrorClass::Refused => 1,
        }
    }

    /// The meaning, for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            ErrorClass::Throttled => "AWS throttles: retried, then reported",
            ErrorClass::Unavailable => "the service failed: reads are retried, then reported",
            ErrorClass::NotAws => "no AWS error in the answer: a proxy or another server answered",
            ErrorClass::Expired => "the login or the temporary keys have expired",
            ErrorClass::UnknownKey => "AWS does not know the access key",
            ErrorClass::BadSignature => "the secret key or the clock of the host is wrong",
            ErrorClass::Denied => "the permission is missing",
            ErrorClass::NotFound => "the resource does not exist",
            ErrorClass::Conflict => "another change is in progress, or the name is taken",
            ErrorClass::Invalid => "AWS does not accept a value of the request",
            ErrorClass::Refused => "AWS refused the request for the reason that it gives",
        }
    }

    /// The answers that have this class, for the documentation.
    pub fn answers(self) -> String {
        let codes = CODES.iter().filter(|(_, class)| *class == self).map(|(code, _)| format!("`{code}`"));
        let rest = match self {
            ErrorClass::Throttled => "HTTP 429",
            ErrorClass::Unavailable => "HTTP 500 to 599 with another code or none",
            ErrorClass::NotAws => "HTTP 4xx without a code",
            ErrorClass::Denied => "HTTP 401, 403, 407 without a code",
            ErrorClass::NotFound => "other codes that end in `NotFoundException`",
            ErrorClass::Refused => "any other code",
            _ => "",
        };
        codes.chain((!rest.is_empty()).then(|| rest.to_owned())).collect::<Vec<_>>().join(", ")
    }

    /// The class of an answer: by its code, or by the HTTP status if it has none.
    pub fn of(code: Option<&str>, status: u16) -> ErrorClass {
        let Some(code) = code else {
            return match status {
                429 => ErrorClass::Throttled,
                500.. => ErrorClass::Unavailable,
                401 | 403 | 407 => ErrorClass::Denied,
                _ => ErrorClass::NotAws,
            };
        };
        if let Some((_, class)) = CODES.iter().find(|(known, _)| *known == code) {
            return *class;
        }
        match status {
            _ if code.ends_with("NotFoundException") => ErrorClass::NotFound,
            429 => ErrorClass::Throttled,
            500.. => ErrorClass::Unavailable,
            _ => ErrorClass::Refused,
        }
    }
}

/// AWS error codes by class. A code that is not listed and ends in `NotFoundException` is [`ErrorClass::NotFound`];
/// for any other the HTTP status decides.
pub const CODES: &[(&str, ErrorClass)] = &[
    ("ThrottlingException", ErrorClass::Throttled),
    ("Throttling", ErrorClass::Throttled),
    ("ThrottledException", ErrorClass::Throttled),
    ("RequestThrottledException", ErrorClass::Throttled),
    ("RequestThrottled", ErrorClass::Throttled),
    ("TooManyRequestsException", ErrorClass::Throttled),
    ("RequestLimitExceeded", ErrorClass::Throttled),
    ("SlowDown", ErrorClass::Throttled),
    ("SlowDownException", ErrorClass::Throttled),
    ("slow_down", ErrorClass::Throttled),
    ("PriorRequestNotComplete", ErrorClass::Throttled),
    ("InternalServerException", ErrorClass::Unavailable),
    ("InternalFailure", ErrorClass::Unavailable),
    ("InternalServerError", ErrorClass::Unavailable),
    ("ServiceException", ErrorClass::Unavailable),
    ("ServiceUnavailable", ErrorClass::Unavailable),
    ("ServiceUnavailableException", ErrorClass::Unavailable),
    ("IDPCommunicationError", ErrorClass::Unavailable),
    ("server_error", ErrorClass::Unavailable),
    ("SERVER_ERROR", ErrorClass::Unavailable),
    ("ExpiredToken", ErrorClass::Expired),
    ("ExpiredTokenException", ErrorClass::Expired),
    ("TokenRefreshRequired", ErrorClass::Expired),
    ("RequestExpired", ErrorClass::Expired),
    ("UnauthorizedException", ErrorClass::Expired),
    ("InvalidGrantException", ErrorClass::Expired),
    ("invalid_grant", ErrorClass::Expired),
    ("InvalidClientException", ErrorClass::Expired),
    ("invalid_client", ErrorClass::Expired),
    ("UnauthorizedClientException", ErrorClass::Expired),
    ("unauthorized_client", ErrorClass::Expired),
    ("TOKEN_EXPIRED", ErrorClass::Expired),
    ("USER_CREDENTIALS_CHANGED", ErrorClass::Expired),
    ("UnrecognizedClientException", ErrorClass::UnknownKey),
    ("InvalidClientTokenId", ErrorClass::UnknownKey),
    ("InvalidAccessKeyId", ErrorClass::UnknownKey),
    ("SignatureDoesNotMatch", ErrorClass::BadSignature),
    ("InvalidSignatureException", ErrorClass::BadSignature),
    ("IncompleteSignature", ErrorClass::BadSignature),
    ("RequestTimeTooSkewed", ErrorClass::BadSignature),
    ("AccessDenied", ErrorClass::Denied),
    ("AccessDeniedException", ErrorClass::Denied),
    ("UnauthorizedOperation", ErrorClass::Denied),
    ("NotAuthorized", ErrorClass::Denied),
    ("ForbiddenException", ErrorClass::Denied),
    ("AccessDeniedForDependencyException", ErrorClass::Denied),
    ("INSUFFICIENT_PERMISSIONS", ErrorClass::Denied),
    ("NoSuchEntity", ErrorClass::NotFound),
    ("ResourceNotFoundException", ErrorClass::NotFound),
    ("AccountNotFoundException", ErrorClass::NotFound),
    ("ParentNotFoundException", ErrorClass::NotFound),
    ("ConflictException", ErrorClass::Conflict),
    ("ValidationException", ErrorClass::Invalid),
    ("ValidationError", ErrorClass::Invalid),
    ("InvalidInputException", ErrorClass::Invalid),
    ("InvalidParameterValue", ErrorClass::Invalid),
    ("InvalidRequestException", ErrorClass::Invalid),
    ("SerializationException", ErrorClass::Invalid),
    ("ServiceQuotaExceededException", ErrorClass::Refused),
    ("AWSOrganizationsNotInUseException", ErrorClass::Refused),
    ("OptInRequired", ErrorClass::Refused),
    ("SubscriptionRequiredException", ErrorClass::Refused),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_code_is_listed_once_and_each_class_has_a_code_or_a_status() {
        let codes: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
        for class in ErrorClass::ALL {
            let by_code = CODES.iter().any(|(_, of)| *of == class);
            assert!(by_code || (400..600).any(|status| ErrorClass::of(None, status) == class), "{class:?}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        let class = |status| ErrorClass::of(None, status);
        assert_eq!((class(429), class(500), class(503)), {
            (ErrorClass::Throttled, ErrorClass::Unavailable, ErrorClass::Unavailable)
        });
        assert_eq!((class(403), class(404), class(400)), {
            (ErrorClass::Denied, ErrorClass::NotAws, ErrorClass::NotAws)
        });
        assert_eq!(ErrorClass::of(Some("ChildNotFoundException"), 400), ErrorClass::NotFound);
        assert_eq!(ErrorClass::of(Some("SomethingNew"), 400), ErrorClass::Refused);
        assert_eq!(ErrorClass::of(Some("SomethingNew"), 502), ErrorClass::Unavailable);
    }
}

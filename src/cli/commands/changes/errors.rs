//! The errors of changes.
//!
//! If it is not known whether AWS made the change, the error states this, and the command that checks it.

use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::gateway::GatewayError;

/// The error of the change that `phrase` describes; `check` is the command that shows whether it was made.
pub(super) fn failure(phrase: &str, check: &str, error: GatewayError) -> CliError {
    if error.leaves_doubt() && !matches!(error, GatewayError::ChangePending { .. }) {
        let failure = CliError::from(error);
        let message = format!("{}; it is not known whether AWS made the change: {phrase}", failure.message);
        return CliError { message, ..failure }.hint(format!("run `{check}` before you repeat it"));
    }
    match error {
        GatewayError::Refused { code, detail, request_id, .. } => refused(phrase, &code, &detail, request_id),
        // Other steps, or a part of this one, may have been made: do not claim that nothing was changed.
        error @ GatewayError::ChangeFailed { .. } => {
            CliError::from(error).hint("fix what AWS names, then run it again")
        }
        GatewayError::Conflict { passing: false, detail, request_id, .. } => {
            CliError::new(Code::Failed, format!("it conflicts with what exists ({phrase}): {detail}"))
                .details(request_id.map(|id| format!("request id {id}")))
                .hint(format!("check what exists: `{check}`"))
        }
        error => error.into(),
    }
}

/// Whether AWS refused because it is so already.
pub(super) fn is_so_already(error: &GatewayError) -> bool {
    matches!(error, GatewayError::Conflict { passing: false, detail, .. } if detail.contains("already"))
}

fn refused(phrase: &str, code: &str, detail: &str, request_id: Option<String>) -> CliError {
    let id = request_id.map(|id| format!("request id {id}"));
    match code {
        "ValidationException" | "InvalidInputException" | "SerializationException" => {
            let message = format!("AWS rejects this ({phrase}): {}", constraint(detail));
            CliError::new(Code::Usage, message).details(id).hint("fix the value that is named, then run it again")
        }
        "ServiceQuotaExceededException" => {
            CliError::new(Code::Failed, format!("the AWS quota does not allow it ({phrase}): {detail}"))
                .details(id)
                .hint("remove what is no longer needed, or ask for more in the AWS console under Service Quotas")
        }
        _ => GatewayError::Refused {
            operation: phrase.into(),
            code: code.into(),
            detail: detail.into(),
            request_id: None,
        }
        .into(),
    }
}

/// `userName: Member must have length ...`, out of AWS's longer sentence.
fn constraint(detail: &str) -> String {
    let parts: Vec<String> = detail
        .split("at '")
        .skip(1)
        .filter_map(|part| {
            let (field, rest) = part.split_once('\'')?;
            let (_, rule) = rest.split_once("constraint: ")?;
            // AWS puts the next value behind a semicolon.
            let rule = rule.split("; Value").next().unwrap_or(rule);
            Some(format!("`{field}`: {}", rule.trim()))
        })
        .collect();
    if parts.is_empty() { detail.to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, detail: &str) -> CliError {
        let (code, detail) = (code.to_owned(), detail.to_owned());
        let error = GatewayError::Refused { operation: "o".into(), code, detail, request_id: Some("r-1".into()) };
        failure("create user `ada`", "awsideman user get ada", error)
    }

    #[test]
    fn a_value_that_aws_does_not_take_is_named_with_its_field() {
        let detail = "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must \
                      satisfy regular expression pattern: [a-z]+";
        let failure = of("ValidationException", detail);
        assert_eq!(failure.code, Code::Usage);
        let expected = "AWS rejects this (create user `ada`): `userName`: Member must satisfy regular expression \
                        pattern: [a-z]+";
        assert_eq!(failure.message, expected);
        let detail = "2 validation errors detected: Value at 'name' failed to satisfy constraint: too long; Value 'x' at \
                      'email' failed to satisfy constraint: too short";
        assert!(of("ValidationException", detail).message.ends_with(": `name`: too long; `email`: too short"));
        assert!(of("ValidationException", "Name is reserved").message.ends_with(": Name is reserved"));
    }

    #[test]
    fn conflicts_and_quotas_have_their_own_remedy() {
        let (operation, detail) = (String::new(), "Duplicate UserName".to_owned());
        let conflict = GatewayError::Conflict { operation, detail, passing: false, request_id: None };
        assert!(!is_so_already(&conflict));
        let failure = failure("create user `ada`", "awsideman user get ada", conflict);
        assert_eq!((failure.code, failure.hint.unwrap().contains("awsideman user get ada")), (Code::Failed, true));
        let failure = of("ServiceQuotaExceededException", "too many");
        assert_eq!((failure.code, failure.hint.unwrap().contains("Service Quotas")), (Code::Failed, true));
        assert!(of("OtherException", "x").message.contains("create user `ada`"));
    }

    #[test]
    fn a_lost_answer_says_that_it_is_not_known_and_what_to_type() {
        let error = GatewayError::BadAnswer { operation: "o".into(), detail: "d".into() };
        let failure = failure("delete user u", "awsideman user get u", error);
        assert!(failure.message.contains("not known whether AWS made the change: delete user u"), "{failure:?}");
        assert!(failure.hint.unwrap().contains("`awsideman user get u`"));
    }
}

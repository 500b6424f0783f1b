//! Checks whether a successful answer of a credential service contains credentials. The SDK would panic on some
//! invalid answers, and report others without the name of the service.
//!
//! Guarantee: no value of an answer is part of a message.

use super::credential_http::{CredentialService, HttpEnd};
use crate::aws::sso_session;
use serde_json::Value;

/// The longest validity in seconds that a service may report: the SDK adds it to the current time.
const LONGEST: i64 = i32::MAX as i64;

/// The result of a request with a successful status.
pub(super) fn classify(service: CredentialService, path: &str, text: &str) -> HttpEnd {
    let json: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    let is_document = matches!(
        service,
        CredentialService::Portal | CredentialService::Oidc | CredentialService::SignIn | CredentialService::Container
    );
    let lacking = match (service, json) {
        (CredentialService::Sts, _) if !text.contains("Response") => return HttpEnd::NotAws,
        (CredentialService::Sts, _) => sts(text),
        (CredentialService::Imds, _) if text.trim_start().starts_with('<') => return HttpEnd::NotAws,
        (CredentialService::Imds, json)
            if path.starts_with(ROLES) && path.trim_end_matches('/').len() > ROLES.len() =>
        {
            let Some(json) = json else { return HttpEnd::NotAws };
            return local(&json);
        }
        (CredentialService::Imds, _) => text.trim().is_empty().then_some("text"),
        (_, None) if is_document => return HttpEnd::NotAws,
        (CredentialService::Portal, Some(json)) => portal(&json),
        (CredentialService::Oidc, Some(json)) => first(&[
            (text_of(&json["accessToken"]), "accessToken"),
            (seconds(&json["expiresIn"]), "valid expiresIn"),
            (is_text_or_absent(&json["refreshToken"]), "valid refreshToken"),
        ]),
        (CredentialService::SignIn, Some(json)) => sign_in(&json),
        (_, Some(json)) => return local(&json),
        (_, None) => return HttpEnd::NotAws,
    };
    lacking.map_or(HttpEnd::Success, malformed)
}

/// The path of the credentials of roles in the metadata service of EC2.
const ROLES: &str = "/latest/meta-data/iam/security-credentials";

fn malformed(part: &str) -> HttpEnd {
    HttpEnd::Malformed(format!("the answer has no {part}"))
}

/// The first invalid part.
fn first(parts: &[(bool, &'static str)]) -> Option<&'static str> {
    parts.iter().find(|(is_right, _)| !is_right).map(|(_, name)| *name)
}

fn sts(text: &str) -> Option<&'static str> {
    let element = |name: &str| super::credential_http::element(text, name).filter(|text| !text.trim().is_empty());
    first(&[
        (element("AccessKeyId").is_some(), "AccessKeyId"),
        (element("SecretAccessKey").is_some(), "SecretAccessKey"),
        (element("SessionToken").is_some(), "SessionToken"),
        (element("Expiration").is_some_and(|text| sso_session::time(&text).is_some()), "valid Expiration"),
    ])
}

fn portal(json: &Value) -> Option<&'static str> {
    let found = &json["roleCredentials"];
    first(&[
        (found.is_object(), "roleCredentials"),
        (text_of(&found["accessKeyId"]), "roleCredentials.accessKeyId"),
        (text_of(&found["secretAccessKey"]), "roleCredentials.secretAccessKey"),
        (text_of(&found["sessionToken"]), "roleCredentials.sessionToken"),
        (found["expiration"].as_i64().is_some_and(|at| at > 0), "valid roleCredentials.expiration"),
    ])
}

fn sign_in(json: &Value) -> Option<&'static str> {
    let found = &json["accessToken"];
    first(&[
        (found.is_object(), "accessToken"),
        (text_of(&found["accessKeyId"]), "accessToken.accessKeyId"),
        (text_of(&found["secretAccessKey"]), "accessToken.secretAccessKey"),
        (text_of(&found["sessionToken"]), "accessToken.sessionToken"),
        (seconds(&json["expiresIn"]), "valid expiresIn"),
        (text_of(&json["refreshToken"]), "refreshToken"),
    ])
}

/// An agent on the host reports an error in an answer with success.
fn local(json: &Value) -> HttpEnd {
    let value = |name: &str| {
        let members = json.as_object();
        members.and_then(|members| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))).map(|(_, v)| v)
    };
    let text = |name: &str| value(name).is_some_and(text_of);
    if let Some(code) = value("Code").and_then(Value::as_str).filter(|code| *code != "Success") {
        let message = value("Message").and_then(Value::as_str).unwrap_or_default().to_owned();
        return HttpEnd::Error { status: 400, code: super::credential_http::code(code), message };
    }
    let ends = ["Expiration", "ExpiresAt"].iter().find_map(|name| value(name)?.as_str());
    let lacking = first(&[
        (text("AccessKeyId"), "AccessKeyId"),
        (text("SecretAccessKey"), "SecretAccessKey"),
        (text("Token") || text("SessionToken"), "Token"),
        (ends.is_some_and(|text| sso_session::time(text).is_some()), "valid Expiration"),
    ]);
    lacking.map_or(HttpEnd::Success, malformed)
}

fn text_of(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_text_or_absent(value: &Value) -> bool {
    value.is_null() || text_of(value)
}

fn seconds(value: &Value) -> bool {
    value.as_i64().is_some_and(|seconds| (0..=LONGEST).contains(&seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STS: &str = "<AssumeRoleResponse><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResponse>";
    const PORTAL: &str = r#"{"roleCredentials": {"accessKeyId": "A", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4070908800000}}"#;
    const OIDC: &str = r#"{"accessToken": "a", "expiresIn": 28800, "refreshToken": "r", "tokenType": "Bearer"}"#;
    const SIGN_IN: &str = r#"{"accessToken": {"accessKeyId": "A", "secretAccessKey": "s", "sessionToken": "t"}, "expiresIn": 900, "refreshToken": "r", "tokenType": "aws_sigv4"}"#;
    const LOCAL: &str =
        r#"{"AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}"#;
    const ROLE: &str = "/latest/meta-data/iam/security-credentials/role";

    fn services() -> [(CredentialService, &'static str, &'static str); 6] {
        [
            (CredentialService::Sts, "/", STS),
            (CredentialService::Portal, "/federation/credentials", PORTAL),
            (CredentialService::Oidc, "/token", OIDC),
            (CredentialService::SignIn, "/v1/token", SIGN_IN),
            (CredentialService::Container, "/creds", LOCAL),
            (CredentialService::Imds, ROLE, LOCAL),
        ]
    }

    #[test]
    fn a_right_answer_is_a_success_and_every_other_shape_is_none() {
        for (service, path, right) in services() {
            assert_eq!(classify(service, path, right), HttpEnd::Success, "{service:?}");
            for wrong in ["", "[]", "null", "0", "\"x\"", "{}", "{", "<html>sign in</html>", "\u{0}\u{1}"] {
                let ending = classify(service, path, wrong);
                assert!(matches!(ending, HttpEnd::NotAws | HttpEnd::Malformed(_)), "{service:?} {wrong:?}: {ending:?}");
            }
            // Cut off anywhere, it is not the whole answer.
            for end in (0..right.len() - 1).filter(|end| right.is_char_boundary(*end)) {
                let cut = &right[..end];
                if service != CredentialService::Sts {
                    assert_ne!(classify(service, path, cut), HttpEnd::Success, "{service:?} {cut}");
                }
            }
        }
        assert_eq!(classify(CredentialService::Imds, "/latest/api/token", "token"), HttpEnd::Success);
        assert_eq!(classify(CredentialService::Imds, &format!("{ROLES}/"), "role"), HttpEnd::Success);
        assert!(matches!(classify(CredentialService::Imds, &format!("{ROLES}/"), " "), HttpEnd::Malformed(_)));
    }

    /// Every member in turn null, absent, of another type, empty, negative and huge.
    #[test]
    fn every_member_that_credentials_need_is_checked() {
        let bad = [
            Value::Null,
            Value::from(""),
            Value::from("  "),
            Value::from("12"),
            Value::from(-1),
            Value::from(u64::MAX),
            Value::from(1e300),
            Value::from(true),
            serde_json::json!([]),
            serde_json::json!({}),
        ];
        let optional = ["tokenType", "refreshToken"];
        for (service, path, right) in services().into_iter().filter(|(service, ..)| *service != CredentialService::Sts)
        {
            let document: Value = serde_json::from_str(right).unwrap();
            for pointer in members("", &document) {
                if optional.iter().any(|name| pointer.ends_with(name)) && service == CredentialService::Oidc
                    || pointer == "/tokenType"
                {
                    continue;
                }
                for value in &bad {
                    let was = document.pointer(&pointer).unwrap();
                    if was.is_string() && value == "12" && !pointer.ends_with("Expiration") {
                        continue;
                    }
                    let mut changed = document.clone();
                    *changed.pointer_mut(&pointer).unwrap() = value.clone();
                    let ending = classify(service, path, &changed.to_string());
                    assert!(matches!(ending, HttpEnd::Malformed(_)), "{service:?} {pointer} = {value}: {ending:?}");
                }
            }
        }
        for part in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
            let without = STS.replace(&format!("<{part}>"), "<x>");
            assert!(
                matches!(classify(CredentialService::Sts, "/", &without), HttpEnd::Malformed(text) if text.contains(part))
            );
        }
        assert!(matches!(classify(CredentialService::Sts, "/", &STS.replace("2099", "-1")), HttpEnd::Malformed(_)));
    }

    fn members(at: &str, value: &Value) -> Vec<String> {
        let Some(object) = value.as_object() else { return Vec::new() };
        let below = |(key, value): (&String, &Value)| {
            let here = format!("{at}/{key}");
            let mut all = members(&here, value);
            all.push(here);
            all
        };
        object.iter().flat_map(below).collect()
    }

    #[test]
    fn an_agent_that_reports_an_error_with_success_is_an_error_with_its_code() {
        let failed = r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}"#;
        for (service, path) in [(CredentialService::Imds, ROLE), (CredentialService::Container, "/creds")] {
            let ending = classify(service, path, failed);
            assert!(
                matches!(&ending, HttpEnd::Error { code: Some(code), .. } if code == "AssumeRoleUnauthorizedAccess"),
                "{ending:?}"
            );
        }
    }
}

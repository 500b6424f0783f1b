//! sts: the caller's identity, and temporary credentials, in the query protocol (a form in, XML out).
//!
//! Whatever credentials a call carries, the caller is the administrator of the organization's management account, unless
//! they are credentials that `AssumeRole` or `GetSessionToken` issued: then it is the principal that they were issued to.

use crate::clock;
use crate::clock::Now;
use crate::error_response::Refusal;
use crate::generate::Dice;
use crate::state::Organization;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The prefix under which calls are counted.
pub(crate) const PREFIX: &str = "AWSSecurityTokenServiceV20110615";

/// The operations, under the names by which calls are counted.
pub(crate) const OPERATIONS: [&str; 3] = [
    "AWSSecurityTokenServiceV20110615.GetCallerIdentity",
    "AWSSecurityTokenServiceV20110615.AssumeRole",
    "AWSSecurityTokenServiceV20110615.GetSessionToken",
];

/// An answer of sts: an HTTP status and XML.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Xml {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The document.
    pub(crate) text: String,
}

/// The caller.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller {
    arn: String,
    id: String,
    account: String,
}

/// The temporary credentials that were given out: access key and caller.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<String, Caller>);

/// A call of sts that is allowed.
pub(crate) struct Asking<'a> {
    pub(crate) organization: &'a Organization,
    pub(crate) form: &'a [u8],
    /// The access key that the call is signed with.
    pub(crate) access_key: Option<&'a str>,
    pub(crate) now: Now,
    pub(crate) request_id: &'a str,
}

/// The operation that a form asks for, when there is one.
pub(crate) fn operation(form: &[u8]) -> Option<&'static str> {
    let action = field(&String::from_utf8_lossy(form), "Action")?;
    OPERATIONS
        .into_iter()
        .find(|target| target.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.')) == Some(&action))
}

impl Sessions {
    /// Answers a form.
    pub(crate) fn answer(&mut self, asking: &Asking<'_>, dice: &mut Dice) -> Xml {
        let form = String::from_utf8_lossy(asking.form);
        let answered = match field(&form, "Action").as_deref() {
            Some("GetCallerIdentity") => {
                let Caller { arn, id, account } = self.caller(asking);
                Ok(("GetCallerIdentity", format!("<Arn>{arn}</Arn><UserId>{id}</UserId><Account>{account}</Account>")))
            }
            Some("AssumeRole") => self.assume_role(asking, &form, dice).map(|result| ("AssumeRole", result)),
            Some("GetSessionToken") => {
                let caller = self.caller(asking);
                let credentials = self.credentials(asking, &form, caller, (43_200, 129_600), dice);
                credentials.map(|result| ("GetSessionToken", result))
            }
            Some(action) => {
                let message = format!("Could not find operation {action} for version 2011-06-15");
                return refused(400, "InvalidAction", &message, asking.request_id);
            }
            None => return refused(400, "MissingAction", "Missing Action", asking.request_id),
        };
        match answered {
            Ok((operation, result)) => {
                let text = format!(
                    "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                     <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>\n",
                    asking.request_id
                );
                Xml { status: 200, text }
            }
            Err(message) => refused(400, "ValidationError", &message, asking.request_id),
        }
    }

    fn caller(&self, asking: &Asking<'_>) -> Caller {
        let identity = &asking.organization.identity;
        let (account, role) = (&identity.management_account, &identity.caller_role);
        let known = asking.access_key.and_then(|key| self.0.get(key));
        known.cloned().unwrap_or_else(|| Caller {
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/sandbox"),
            id: format!("{}:sandbox", identity.caller),
            account: account.to_string(),
        })
    }

    fn assume_role(&mut self, asking: &Asking<'_>, form: &str, dice: &mut Dice) -> Result<String, String> {
        let missing = |name: &str| format!("1 validation error detected: Value at '{name}' must not be null");
        let role = field(form, "RoleArn").ok_or_else(|| missing("roleArn"))?;
        let session = field(form, "RoleSessionName").ok_or_else(|| missing("roleSessionName"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&session.len()) || !session.chars().all(fits) {
            return Err(
                "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member \
                        must satisfy regular expression pattern: [\\w+=,.@-]*"
                    .into(),
            );
        }
        let parts = role.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")).map(|(_, rest)| rest);
        let (account, path) = parts.and_then(|rest| rest.split_once(":role/")).unwrap_or_default();
        // Only the last part of the role's path is in the ARN of its sessions.
        let name = path.rsplit('/').next().unwrap_or_default();
        let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !digits || name.is_empty() || !name.chars().all(fits) {
            return Err("Request ARN is invalid".into());
        }
        let caller = Caller {
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            id: format!("AROA{}:{session}", dice.base36(17).to_ascii_uppercase()),
            account: account.to_owned(),
        };
        let user = format!(
            "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>",
            caller.id, caller.arn
        );
        Ok(self.credentials(asking, form, caller, (3_600, 43_200), dice)? + &user)
    }

    /// Gives out credentials for a caller; they end after `DurationSeconds`, or the default.
    fn credentials(
        &mut self,
        asking: &Asking<'_>,
        form: &str,
        caller: Caller,
        (default, most): (i64, i64),
        dice: &mut Dice,
    ) -> Result<String, String> {
        let seconds = field(form, "DurationSeconds").map_or(Some(default), |text| text.parse().ok());
        let seconds = seconds.filter(|seconds| (900..=most).contains(seconds)).ok_or_else(|| {
            format!(
                "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must \
                 have value between 900 and {most}"
            )
        })?;
        let key = format!("ASIA{}", dice.base36(16).to_ascii_uppercase());
        let expiration = clock::utc(asking.now.at.0 + seconds * 1_000);
        let text = format!(
            "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
             <SessionToken>{}</SessionToken><Expiration>{expiration}</Expiration></Credentials>",
            dice.base36(40),
            dice.base36(80)
        );
        self.0.insert(key, caller);
        Ok(text)
    }
}

/// What a fault does to a call, with the codes of sts.
pub(crate) fn failed(refusal: &Refusal, request_id: &str) -> Xml {
    let (status, code) = match refusal.code {
        "AccessDeniedException" => (403, "AccessDenied"),
        "ThrottlingException" => (400, "Throttling"),
        "InternalServerException" => (refusal.status, "InternalFailure"),
        code => (refusal.status, code),
    };
    refused(status, code, &refusal.message, request_id)
}

/// A refusal in XML.
fn refused(status: u16, code: &str, message: &str, request_id: &str) -> Xml {
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Control characters have no place in XML, not even escaped.
    let message = message.replace(char::is_control, "\u{fffd}");
    let text = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n"
    );
    Xml { status, text }
}

/// A field of a form.
fn field(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shape;
    use crate::records::Moment;
    use std::time::Duration;

    struct Desk {
        organization: Organization,
        sessions: Sessions,
        dice: Dice,
    }

    fn desk() -> Desk {
        let organization = Organization::generate(&Shape::default());
        Desk { organization, sessions: Sessions::default(), dice: Dice::new(0, "sts") }
    }

    impl Desk {
        fn ask(&mut self, form: &str, access_key: Option<&str>) -> Xml {
            let now = Now { since: Duration::ZERO, at: Moment(1_800_000_000_000) };
            let form = form.as_bytes();
            let asking = Asking { organization: &self.organization, form, access_key, now, request_id: "r-1" };
            self.sessions.answer(&asking, &mut self.dice)
        }
    }

    fn inside<'a>(xml: &'a Xml, tag: &str) -> &'a str {
        let (_, rest) = xml.text.split_once(&format!("<{tag}>")).expect("the tag");
        rest.split_once('<').expect("its end").0
    }

    #[test]
    fn the_caller_is_of_the_management_account() {
        let mut desk = desk();
        let xml = desk.ask("Action=GetCallerIdentity&Version=2011-06-15", Some("AKIDEXAMPLE"));
        assert_eq!(xml.status, 200);
        assert_eq!(operation(b"Action=GetCallerIdentity&Version=2011-06-15"), Some(OPERATIONS[0]));
        assert_eq!(inside(&xml, "Account"), desk.organization.management_account());
    }

    #[test]
    fn calls_with_the_credentials_of_a_role_come_from_that_role() {
        let mut desk = desk();
        let role = "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpath%2FReader&RoleSessionName=me%40host";
        let xml = desk.ask(&format!("Action=AssumeRole&{role}&DurationSeconds=900"), None);
        assert_eq!(inside(&xml, "Expiration"), "2027-01-15T08:15:00Z");
        let key = inside(&xml, "AccessKeyId").to_owned();
        let again = desk.ask("Action=GetSessionToken", Some(&key));
        for key in [key.as_str(), inside(&again, "AccessKeyId")] {
            let xml = desk.ask("Action=GetCallerIdentity", Some(key));
            assert_eq!(inside(&xml, "Account"), "111122223333");
            assert_eq!(inside(&xml, "Arn"), "arn:aws:sts::111122223333:assumed-role/Reader/me@host");
        }
    }

    #[test]
    fn a_role_or_duration_that_cannot_be_is_refused() {
        let mut desk = desk();
        for form in [
            "Action=AssumeRole&RoleSessionName=me",
            "Action=AssumeRole&RoleArn=arn:aws:iam::111122223333:role/Reader",
            "Action=AssumeRole&RoleArn=arn:aws:iam::111122223333:user/Reader&RoleSessionName=me",
            "Action=AssumeRole&RoleArn=arn:aws:iam::1:role/Reader&RoleSessionName=me",
            "Action=AssumeRole&RoleArn=arn:aws:iam::111122223333:role/Reader&RoleSessionName=m%20e",
            "Action=GetSessionToken&DurationSeconds=899",
            "Action=GetSessionToken&DurationSeconds=soon",
        ] {
            let xml = desk.ask(form, None);
            assert_eq!((xml.status, inside(&xml, "Code")), (400, "ValidationError"), "{form}");
        }
    }

    #[test]
    fn an_unknown_or_missing_action_is_an_xml_error() {
        let mut desk = desk();
        let xml = desk.ask("Version=2011-06-15&Action=Get%3CFederation%3E+Token%1b", None);
        assert_eq!((xml.status, operation(b"Action=GetFederationToken")), (400, None));
        assert!(xml.text.contains("<Code>InvalidAction</Code>"), "{}", xml.text);
        assert!(xml.text.contains("Get&lt;Federation&gt; Token\u{fffd}"), "{}", xml.text);
        assert!(desk.ask("", None).text.contains("<Code>MissingAction</Code>"));
    }
}

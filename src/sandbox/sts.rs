//! sts: who is calling, in the query protocol (a form in, XML out).
//!
//! Neighbours: `desk.rs` hands it calls that carry a form instead of a target. Promise: whatever credentials a call
//! carries, the caller is the administrator of the organisation's management account; an unknown action is the XML
//! error that AWS gives.

use super::organisation::Organisation;
use percent_encoding::percent_decode_str;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The name under which calls are counted.
pub(super) const CALLER_IDENTITY: &str = "AWSSecurityTokenServiceV20110615.GetCallerIdentity";

/// An answer of sts: an HTTP status and XML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Xml {
    /// The HTTP status.
    pub(super) status: u16,
    /// The document.
    pub(super) text: String,
}

/// The operation that a form asks for, when there is one.
pub(super) fn operation(form: &[u8]) -> Option<&'static str> {
    let action = field(&String::from_utf8_lossy(form), "Action");
    (action.as_deref() == Some("GetCallerIdentity")).then_some(CALLER_IDENTITY)
}

/// Answers a form.
pub(super) fn answer(organisation: &Organisation, form: &[u8], request_id: &str) -> Xml {
    match field(&String::from_utf8_lossy(form), "Action").as_deref() {
        Some("GetCallerIdentity") => {
            let identity = &organisation.identity;
            let (account, role) = (&identity.management_account, &identity.caller_role);
            let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/sandbox");
            let text = format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{arn}</Arn>\
                 <UserId>{}:sandbox</UserId><Account>{account}</Account></GetCallerIdentityResult>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n",
                identity.caller
            );
            Xml { status: 200, text }
        }
        Some(action) => {
            let message = format!("Could not find operation {action} for version 2011-06-15");
            refused(400, "InvalidAction", &message, request_id)
        }
        None => refused(400, "MissingAction", "Missing Action", request_id),
    }
}

/// A refusal in XML.
pub(super) fn refused(status: u16, code: &str, message: &str, request_id: &str) -> Xml {
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
    use crate::sandbox::shape::Shape;

    #[test]
    fn the_caller_is_of_the_management_account() {
        let made = Organisation::generate(&Shape::default());
        let xml = answer(&made, b"Action=GetCallerIdentity&Version=2011-06-15", "r-1");
        assert_eq!(xml.status, 200);
        assert_eq!(operation(b"Action=GetCallerIdentity&Version=2011-06-15"), Some(CALLER_IDENTITY));
        assert!(xml.text.contains(&format!("<Account>{}</Account>", made.management_account())), "{}", xml.text);
    }

    #[test]
    fn an_unknown_or_missing_action_is_an_xml_error() {
        let made = Organisation::generate(&Shape::default());
        let xml = answer(&made, b"Version=2011-06-15&Action=Get%3CSession%3E+Token%1b", "r-1");
        assert_eq!((xml.status, operation(b"Action=GetSessionToken")), (400, None));
        assert!(xml.text.contains("<Code>InvalidAction</Code>"), "{}", xml.text);
        assert!(xml.text.contains("Get&lt;Session&gt; Token\u{fffd}"), "{}", xml.text);
        assert!(answer(&made, b"", "r-1").text.contains("<Code>MissingAction</Code>"));
    }
}

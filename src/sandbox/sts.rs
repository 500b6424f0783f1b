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
    /// The operation to count, when there was one.
    pub(super) operation: Option<&'static str>,
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
            Xml { status: 200, text, operation: Some(CALLER_IDENTITY) }
        }
        Some(action) => {
            let message = format!("Could not find operation {action} for version 2011-06-15");
            refused("InvalidAction", &message, request_id)
        }
        None => refused("MissingAction", "Missing Action", request_id),
    }
}

fn refused(code: &str, message: &str, request_id: &str) -> Xml {
    let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Control characters have no place in XML, not even escaped.
    let message = message.replace(char::is_control, "\u{fffd}");
    let text = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>\n"
    );
    Xml { status: 400, text, operation: None }
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
        assert_eq!((xml.status, xml.operation), (200, Some(CALLER_IDENTITY)));
        assert!(xml.text.contains(&format!("<Account>{}</Account>", made.management_account())), "{}", xml.text);
    }

    #[test]
    fn an_unknown_or_missing_action_is_an_xml_error() {
        let made = Organisation::generate(&Shape::default());
        let xml = answer(&made, b"Version=2011-06-15&Action=Get%3CSession%3E+Token%1b", "r-1");
        assert_eq!((xml.status, xml.operation), (400, None));
        assert!(xml.text.contains("<Code>InvalidAction</Code>"), "{}", xml.text);
        assert!(xml.text.contains("Get&lt;Session&gt; Token\u{fffd}"), "{}", xml.text);
        assert!(answer(&made, b"", "r-1").text.contains("<Code>MissingAction</Code>"));
    }
}

//! Keys: `resource:operation:identifier[:sub_identifier][:#digest]`.
//!
//! Different requests never share a key: components are percent-encoded so that the mapping is injective, and the
//! digest covers every parameter that shapes the answer.

use super::CacheError;
use crate::model::Resource;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fmt::Write as _;

/// The text of a key, known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// `resource:operation:identifier`, each part one component whatever it holds.
    pub fn new(resource: Resource, operation: &str, identifier: &str) -> Key {
        let mut text = String::with_capacity(24 + identifier.len());
        text.push_str(resource.as_str());
        text.push(':');
        encode(operation, &mut text);
        text.push(':');
        encode(identifier, &mut text);
        Key(text)
    }

    /// The key with one more component.
    #[must_use]
    pub fn with(mut self, identifier: &str) -> Key {
        self.0.push(':');
        encode(identifier, &mut self.0);
        self
    }

    /// The key with a digest over all request parameters: 128 bits over their canonical JSON, where the members of
    /// an object are sorted. No parameters (null or an empty object) leave the key as it is.
    #[must_use]
    pub fn params(mut self, params: &Value) -> Key {
        if params.is_null() || params.as_object().is_some_and(serde_json::Map::is_empty) {
            return self;
        }
        let mut canonical = String::new();
        canonicalise(params, &mut canonical);
        self.0.push_str(":#");
        for byte in &Sha256::digest(canonical.as_bytes())[..16] {
            let _ = write!(self.0, "{byte:02x}");
        }
        self
    }

    /// Takes a key as a person or a program wrote it: at least one character, no control characters, no wildcards
    /// (those belong in patterns). A raw ARN in it becomes one component.
    pub fn parse(text: &str) -> Result<Key, CacheError> {
        let bad = |reason: &str| CacheError::BadKey { key: text.to_owned(), reason: reason.to_owned() };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(bad("it holds white space or control characters; write them percent-encoded"));
        }
        if text.contains(['*', '?', '[', ']']) {
            return Err(bad("it holds a wildcard; a pattern goes to --pattern"));
        }
        Ok(Key(encode_arns(text)))
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource that its first component names.
    pub fn resource(&self) -> Resource {
        Resource::of_key(&self.0)
    }

    /// Its second component; the first one when there is no other.
    pub fn operation(&self) -> &str {
        operation_of(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The operation that a stored key names.
pub fn operation_of(key: &str) -> &str {
    let mut parts = key.split(':');
    let first = parts.next().unwrap_or_default();
    parts.next().unwrap_or(first)
}

/// A pattern as a person wrote it, with the colons of raw ARNs encoded as they are in keys.
pub fn pattern(text: &str) -> Result<String, CacheError> {
    if text.is_empty() {
        return Err(CacheError::BadKey { key: String::new(), reason: "an empty pattern matches nothing".into() });
    }
    Ok(encode_arns(text))
}

/// What a component stands for, decoded for people.
pub fn decode(component: &str) -> String {
    percent_encoding::percent_decode_str(component).decode_utf8_lossy().into_owned()
}

/// A text as it stands in a key, where it is one component whatever it holds.
pub(super) fn component(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, &mut encoded);
    encoded
}

fn encode(component: &str, into: &mut String) {
    // Next to another component it would read as the beginning of an ARN.
    if component == "arn" {
        return into.push_str(NAMED_ARN);
    }
    for c in component.chars() {
        if matches!(c, ':' | '%' | '*' | '?' | '[' | ']' | '#') || c.is_whitespace() || c.is_control() {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(into, "%{byte:02X}");
            }
        } else {
            into.push(c);
        }
    }
}

/// What a component that is `arn` and no ARN is in a key.
const NAMED_ARN: &str = "%61rn";

/// An ARN has five colons before its resource part; in a key they are `%3A`.
fn encode_arns(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 10);
    let mut rest = text;
    let begins = |rest: &str, at: usize| at == 0 || rest.as_bytes()[at - 1] == b':';
    while let Some((start, _)) = rest.match_indices("arn:").find(|(at, _)| begins(rest, *at)) {
        out.push_str(&rest[..start]);
        let arn = &rest[start..];
        let end = arn.match_indices(':').nth(5).map_or(arn.len(), |(at, _)| at);
        out.push_str(&arn[..end].replace(':', "%3A"));
        // The resource part may itself be cut short by a pattern: what is left begins with a colon or is empty.
        rest = &arn[end..];
        if let Some(tail) = rest.strip_prefix(':').filter(|_| arn[..end].matches(':').count() < 5) {
            out.push(':');
            rest = tail;
        }
    }
    out.push_str(rest);
    if let Some(before) = out.strip_suffix(":arn") {
        out = format!("{before}:{NAMED_ARN}");
    }
    out
}

fn canonicalise(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (i, name) in names.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                canonicalise(&members[name], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonicalise(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_read_as_people_expect() {
        assert_eq!(Key::new(Resource::User, "list", "all").as_str(), "user:list:all");
        let arn = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";
        assert_eq!(
            Key::new(Resource::PermissionSet, "policies", arn).as_str(),
            "permission_set:policies:arn%3Aaws%3Asso%3A%3A%3ApermissionSet/ssoins-1/ps-1"
        );
        let key = Key::new(Resource::Assignment, "list", "012345678901").with(arn);
        assert_eq!(key.resource(), Resource::Assignment);
        assert_eq!(key.operation(), "list");
        assert_eq!(decode(key.as_str().split(':').nth(3).unwrap()), arn);
    }

    #[test]
    fn the_same_parameters_in_any_order_give_the_same_key() {
        let key = |params| Key::new(Resource::User, "list", "all").params(&params);
        assert_eq!(key(json!({"a": 1, "b": {"c": 2, "d": 3}})), key(json!({"b": {"d": 3, "c": 2}, "a": 1})));
        assert_ne!(key(json!({"a": 1})), key(json!({"a": "1"})));
        assert_eq!(key(json!({})).as_str(), "user:list:all");
        let digest = key(json!({"store": "123"}));
        assert_eq!(digest.as_str().split_once('#').unwrap().1.len(), 32);
    }

    #[test]
    fn a_component_that_is_arn_begins_no_arn() {
        for made in [
            Key::new(Resource::User, "describe", "arn").with(""),
            Key::new(Resource::User, "by_name", "arn").with("aws:sso:::x"),
            Key::new(Resource::User, "by_name", "arn"),
        ] {
            assert_eq!(Key::parse(made.as_str()).unwrap(), made);
            assert_eq!(decode(made.as_str().split(':').nth(2).unwrap()), "arn");
        }
        let built = Key::new(Resource::User, "by_name", "arn");
        assert_eq!(Key::parse("user:by_name:arn").unwrap(), built, "as a person writes it");
        let arn = "arn:aws:sso:::x/y";
        let built = Key::new(Resource::Assignment, "list", "barn").with(arn);
        assert_eq!(Key::parse(&format!("assignment:list:barn:{arn}")).unwrap(), built, "whatever ends in it before");
    }

    #[test]
    fn raw_arns_in_keys_and_patterns_become_one_component() {
        let arn = "arn:aws:sso:::permissionSet/ssoins-1/ps-1";
        let built = Key::new(Resource::PermissionSet, "describe", arn);
        assert_eq!(Key::parse(&format!("permission_set:describe:{arn}")).unwrap(), built);
        assert_eq!(pattern(&format!("*:{arn}")).unwrap(), "*:arn%3Aaws%3Asso%3A%3A%3ApermissionSet/ssoins-1/ps-1");
        assert_eq!(pattern("assignment:*:arn:aws:sso*").unwrap(), "assignment:*:arn%3Aaws%3Asso*");
        assert_eq!(pattern("user:*").unwrap(), "user:*");
        assert!(crate::model::matches(&pattern(&format!("*:{arn}")).unwrap(), built.as_str()));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_with_the_reason() {
        for (text, part) in [("", "empty"), ("user:*", "wildcard"), ("user list", "white space")] {
            let error = Key::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(Key::parse("thread_key_1").unwrap().resource(), Resource::Custom);
    }

    /// Space (instance, endpoint), resource, operation, ids, parameters.
    type KeyParts = ([String; 2], Resource, String, Vec<String>, Option<(String, u8)>);

    /// Out of so few texts that two of them are often alike, and made of what keys and spaces are divided by.
    fn asked() -> impl Strategy<Value = KeyParts> {
        let text = |pattern: &'static str| prop_oneof![Just("a".to_owned()), pattern.prop_map(String::from)];
        let ids = prop::collection::vec(text("[a-c:%*#|\\[\\]? ]{0,3}"), 1..3);
        let parameters = prop::option::of((text("[a:|]{0,2}"), 0_u8..2));
        let space = [text("[a|%7C]{0,3}"), text("[a|%]{0,2}")];
        let resource = prop::sample::select(vec![Resource::User, Resource::Group, Resource::Custom]);
        (space, resource, text("[a-b_:#%]{1,3}"), ids, parameters)
    }

    fn stored_under((space, resource, operation, ids, parameters): &KeyParts) -> (String, Key) {
        let space = crate::model::Namespace {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            instance: space[0].clone(),
            identity_store: "d".into(),
            endpoint: Some(format!("e{}", space[1])),
        };
        let first = Key::new(*resource, operation, &ids[0]);
        let key = ids[1..].iter().fold(first, |key, id| key.with(id));
        let parameters = parameters.as_ref().map(|(name, value)| json!({ "is": true, name.as_str(): value }));
        (space.text(), key.params(&parameters.unwrap_or_default()))
    }

    proptest! {
        #[test]
        fn different_requests_never_share_a_key(a in asked(), b in asked()) {
            prop_assert_eq!(a == b, stored_under(&a) == stored_under(&b));
        }

        #[test]
        fn a_digest_is_never_mistaken_for_a_component(id in ".{0,40}") {
            let plain = Key::new(Resource::User, "list", "all").with(&id);
            prop_assert!(!plain.as_str().contains('#'));
        }
    }
}

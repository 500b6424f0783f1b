//! An item of a list in two numbers: a hash of its identity, and a hash of its content.

use serde_json::Value;
use std::hash::Hasher;
use xxhash_rust::xxh3::Xxh3;

/// An item in two hashes: its identity, and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ItemHash {
    pub(crate) identity: u64,
    pub(crate) content: u64,
}

impl ItemHash {
    pub(crate) fn of(item: &Value) -> ItemHash {
        ItemHash { identity: identity(item), content: content(item) }
    }
}

/// A hash of what makes an item this one and no other.
pub(super) fn identity(item: &Value) -> u64 {
    const OF_GRANTS: [&str; 4] = ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"];
    let mut hash = Xxh3::new();
    let mut add = |field: &str| {
        let text = item[field].as_str().unwrap_or_default();
        hash.write(text.as_bytes());
        hash.write(&[0]);
    };
    if item["PrincipalId"].is_string() {
        OF_GRANTS.into_iter().for_each(add);
        return hash.finish();
    }
    let ids = ["MembershipId", "UserId", "GroupId", "PermissionSetArn", "Id"];
    match ids.into_iter().find(|field| item[*field].is_string()) {
        Some(field) => add(field),
        None => return content(item),
    }
    hash.finish()
}

/// A hash of all that an item says, whatever the order in which its fields stand.
pub(super) fn content(value: &Value) -> u64 {
    let mut hash = Xxh3::new();
    match value {
        Value::Object(fields) => {
            let sum = fields.iter().fold(0_u64, |sum, (name, value)| {
                let mut field = Xxh3::new();
                field.write(name.as_bytes());
                field.write_u64(content(value));
                sum.wrapping_add(field.finish())
            });
            hash.write(b"{");
            hash.write_u64(sum);
        }
        Value::Array(items) => {
            hash.write(b"[");
            for item in items {
                hash.write_u64(content(item));
            }
        }
        Value::String(text) => {
            hash.write(b"\"");
            hash.write(text.as_bytes());
        }
        plain => hash.write(plain.to_string().as_bytes()),
    }
    hash.finish()
}

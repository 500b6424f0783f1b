//! The records of an organisation, with the field names and forms that AWS gives them on the wire.
//!
//! Neighbours: `organisation.rs` holds them, `generate.rs` makes them, the services serialise them as they are.
//! Promise: an absent field is absent, a moment is a number of seconds, a duration is an ISO 8601 text.

#![expect(clippy::struct_field_names, reason = "the fields carry the names that AWS gives them")]

use serde::Serialize;
use serde::Serializer;
use serde_json::Map;
use serde_json::Value;
use std::borrow::Borrow;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A text that is mostly one of few.
pub(super) type Text = Cow<'static, str>;

/// Attributes that are kept as they came; nearly everybody has none.
pub(super) type More = Option<Box<Map<String, Value>>>;

/// An id or an ARN, which indexes hold several times; a copy costs a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(Arc<str>);

impl From<String> for Id {
    fn from(text: String) -> Id {
        Id(text.into())
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Id {
        Id(text.into())
    }
}

impl Deref for Id {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A moment in milliseconds; on the wire it is seconds as a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit into 53 bits")]
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

/// A person, as `DescribeUser` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct User {
    pub(super) identity_store_id: Id,
    pub(super) user_id: Id,
    pub(super) user_arn: String,
    pub(super) revision: String,
    pub(super) user_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) external_ids: Vec<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) emails: Vec<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<Text>,
    #[serde(flatten)]
    pub(super) more: More,
    pub(super) user_status: &'static str,
    pub(super) created_at: Moment,
    pub(super) updated_at: Moment,
}

/// What an outside identity provider calls a person or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExternalId {
    pub(super) issuer: String,
    pub(super) id: String,
}

/// A person's name in parts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Name {
    pub(super) family_name: String,
    pub(super) given_name: String,
    #[serde(flatten)]
    pub(super) more: More,
}

/// An address for mail.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Email {
    pub(super) value: String,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<Text>,
    pub(super) primary: bool,
}

/// A group, as `DescribeGroup` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    pub(super) identity_store_id: Id,
    pub(super) group_id: Id,
    pub(super) group_arn: String,
    pub(super) revision: String,
    pub(super) display_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) external_ids: Vec<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) created_at: Moment,
    pub(super) updated_at: Moment,
}

/// That a user is in a group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Membership {
    pub(super) identity_store_id: Id,
    pub(super) membership_id: Id,
    pub(super) group_id: Id,
    pub(super) member_id: MemberId,
}

/// The ARN of a `user`, `group` or `membership` of an identity store.
pub(super) fn store_arn(kind: &str, id: &str) -> String {
    format!("arn:aws:identitystore:::{kind}/{id}")
}

/// Who is in a group: a user, the only kind that there is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MemberId {
    pub(super) user_id: Id,
}

/// A permission set, as `DescribePermissionSet` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PermissionSet {
    pub(super) name: String,
    pub(super) permission_set_arn: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) created_date: Moment,
    pub(super) session_duration: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) relay_state: Option<Text>,
}

/// What a permission set permits.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policies {
    pub(super) managed: Vec<ManagedPolicy>,
    pub(super) customer_managed: Vec<CustomerManagedPolicy>,
    pub(super) inline: String,
    pub(super) boundary: Option<Boundary>,
}

/// A policy of AWS's own.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ManagedPolicy {
    pub(super) name: Text,
    pub(super) arn: String,
}

/// A policy that each account must have under this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CustomerManagedPolicy {
    pub(super) name: Text,
    pub(super) path: Text,
}

/// The most that a permission set can permit: one of the two.
#[derive(Debug, Clone, Serialize)]
pub(super) enum Boundary {
    /// A policy that each account must have.
    #[serde(rename = "CustomerManagedPolicyReference")]
    Customer(CustomerManagedPolicy),
    /// A policy of AWS's own.
    #[serde(rename = "ManagedPolicyArn")]
    Managed(String),
}

/// USER or GROUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum PrincipalType {
    Group,
    User,
}

impl PrincipalType {
    /// AWS's word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            PrincipalType::Group => "GROUP",
            PrincipalType::User => "USER",
        }
    }
}

/// Who has which permission set in which account. The order of the fields is the order of listings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Assignment {
    pub(super) account_id: Id,
    pub(super) permission_set_arn: Id,
    pub(super) principal_type: PrincipalType,
    pub(super) principal_id: Id,
}

/// An account, as `DescribeAccount` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Account {
    pub(super) id: Id,
    pub(super) arn: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) state: &'static str,
    pub(super) paths: Vec<String>,
    pub(super) joined_method: &'static str,
    pub(super) joined_timestamp: Moment,
}

/// An organizational unit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Unit {
    pub(super) id: Id,
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) path: String,
}

/// A tag.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: Text,
    pub(super) value: Text,
}

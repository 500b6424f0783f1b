//! The records of an organization, with the field names and forms that AWS gives them on the wire.
//!
//! An absent field is absent, a moment is a number of seconds, a duration is an ISO 8601 text.

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
pub(crate) type Text = Cow<'static, str>;

/// Attributes that are kept as they came; nearly everybody has none.
pub(crate) type More = Option<Box<Map<String, Value>>>;

/// An id or an ARN, which indexes hold several times; a copy costs a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(Arc<str>);

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
pub(crate) struct Moment(pub(crate) i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit into 53 bits")]
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

/// A person, as `DescribeUser` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct User {
    pub(crate) identity_store_id: Id,
    pub(crate) user_id: Id,
    pub(crate) user_arn: String,
    pub(crate) revision: String,
    pub(crate) user_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_ids: Vec<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) emails: Vec<Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<Text>,
    #[serde(flatten)]
    pub(crate) more: More,
    pub(crate) user_status: &'static str,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
}

/// What an outside identity provider calls a person or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ExternalId {
    pub(crate) issuer: String,
    pub(crate) id: String,
}

/// A person's name in parts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Name {
    pub(crate) family_name: String,
    pub(crate) given_name: String,
    #[serde(flatten)]
    pub(crate) more: More,
}

/// An address for mail.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Email {
    pub(crate) value: String,
    #[serde(rename = "Type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Text>,
    pub(crate) primary: bool,
}

/// A group, as `DescribeGroup` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Group {
    pub(crate) identity_store_id: Id,
    pub(crate) group_id: Id,
    pub(crate) group_arn: String,
    pub(crate) revision: String,
    pub(crate) display_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) external_ids: Vec<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) created_at: Moment,
    pub(crate) updated_at: Moment,
}

/// That a user is in a group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Membership {
    pub(crate) identity_store_id: Id,
    pub(crate) membership_id: Id,
    pub(crate) group_id: Id,
    pub(crate) member_id: MemberId,
}

/// The ARN of a `user`, `group` or `membership` of an identity store.
pub(crate) fn store_arn(kind: &str, id: &str) -> String {
    format!("arn:aws:identitystore:::{kind}/{id}")
}

/// Who is in a group: a user, the only kind that there is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MemberId {
    pub(crate) user_id: Id,
}

/// A permission set, as `DescribePermissionSet` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PermissionSet {
    pub(crate) name: String,
    pub(crate) permission_set_arn: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) created_date: Moment,
    pub(crate) session_duration: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) relay_state: Option<Text>,
}

/// What a permission set permits.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Policies {
    pub(crate) managed: Vec<ManagedPolicy>,
    pub(crate) customer_managed: Vec<CustomerManagedPolicy>,
    pub(crate) inline: String,
    pub(crate) boundary: Option<Boundary>,
}

/// A policy of AWS's own.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ManagedPolicy {
    pub(crate) name: Text,
    pub(crate) arn: String,
}

/// A policy that each account must have under this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CustomerManagedPolicy {
    pub(crate) name: Text,
    pub(crate) path: Text,
}

/// The most that a permission set can permit: one of the two.
#[derive(Debug, Clone, Serialize)]
pub(crate) enum Boundary {
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
pub(crate) enum PrincipalType {
    Group,
    User,
}

impl PrincipalType {
    /// AWS's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PrincipalType::Group => "GROUP",
            PrincipalType::User => "USER",
        }
    }
}

/// Who has which permission set in which account. The order of the fields is the order of listings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Assignment {
    pub(crate) account_id: Id,
    pub(crate) permission_set_arn: Id,
    pub(crate) principal_type: PrincipalType,
    pub(crate) principal_id: Id,
}

/// An account, as `DescribeAccount` gives one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Account {
    pub(crate) id: Id,
    pub(crate) arn: String,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) state: &'static str,
    pub(crate) paths: Vec<String>,
    pub(crate) joined_method: &'static str,
    pub(crate) joined_timestamp: Moment,
}

/// An organizational unit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Unit {
    pub(crate) id: Id,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) path: String,
}

/// A tag.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    pub(crate) key: Text,
    pub(crate) value: Text,
}

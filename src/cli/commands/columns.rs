//! The fields that answers have: headers of tables and words for `--columns`, `--filter` and `--sort`.
//!
//! The first ones fit a terminal; the others are printed when chosen.

use crate::cli::output::Column;
use serde_json::Value;

pub(super) const USERS: &[Column] = &[
    Column::new("UserName"),
    Column::new("DisplayName"),
    Column::made("Email", primary_email),
    Column::new("UserId"),
    Column::at("GivenName", "Name.GivenName").extra(),
    Column::at("FamilyName", "Name.FamilyName").extra(),
    Column::new("UserStatus").extra(),
    Column::new("Title").extra(),
    Column::new("UserType").extra(),
    Column::new("ExternalIds").extra(),
    Column::new("IdentityStoreId").extra(),
];

pub(super) const GROUPS: &[Column] = &[
    Column::new("DisplayName"),
    Column::new("Description"),
    Column::new("GroupId"),
    Column::new("ExternalIds").extra(),
    Column::new("IdentityStoreId").extra(),
];

pub(super) const MEMBERS: &[Column] = &[
    Column::formatted("UserName", member_name),
    Column::new("DisplayName"),
    Column::at("UserId", "MemberId.UserId"),
    Column::new("MembershipId").extra(),
    Column::new("GroupId").extra(),
];

pub(super) const MEMBERSHIPS: &[Column] = &[
    Column::formatted("GroupName", |row| name_or_id(row, "GroupName", &row["GroupId"])),
    Column::new("GroupDescription"),
    Column::new("GroupId"),
    Column::new("MembershipId").extra(),
];

pub(super) const PERMISSION_SETS: &[Column] = &[
    Column::new("Name"),
    Column::new("Description"),
    Column::new("SessionDuration"),
    Column::new("PermissionSetArn"),
    Column::new("RelayState").extra(),
    Column::new("CreatedDate").extra(),
];

pub(super) const ACCOUNTS: &[Column] = &[
    Column::new("Id"),
    Column::new("Name"),
    Column::new("Email"),
    Column::made("Status", account_state),
    Column::new("Arn").extra(),
    Column::new("JoinedMethod").extra(),
    Column::new("JoinedTimestamp").extra(),
];

pub(super) const OUS: &[Column] = &[
    Column::new("Path"),
    Column::new("Id"),
    Column::new("ParentId").extra(),
    Column::new("Name").extra(),
    Column::new("Arn").extra(),
];

pub(super) const INSTANCES: &[Column] = &[
    Column::new("InstanceArn"),
    Column::new("IdentityStoreId"),
    Column::new("Name"),
    Column::new("Status"),
    Column::new("OwnerAccountId").extra(),
    Column::new("CreatedDate").extra(),
];

pub(super) const ASSIGNMENTS: &[Column] = &[
    Column::new("AccountName"),
    Column::new("AccountId"),
    Column::formatted("PermissionSetName", permission_set_name),
    Column::new("PrincipalType"),
    Column::formatted("PrincipalName", |row| name_or_id(row, "PrincipalName", &row["PrincipalId"])),
    Column::new("PrincipalId").extra(),
    Column::new("PermissionSetArn").extra(),
];

/// The mark of a user or group that is no longer in the directory.
pub(super) const STATE: &str = "PrincipalState";
/// Its value.
pub(super) const DELETED: &str = "deleted";

/// The name in a row, else the id, with a mark if the directory no longer has it.
fn name_or_id(row: &Value, name: &str, id: &Value) -> String {
    match (&row[name], id.as_str().unwrap_or_default()) {
        (Value::String(name), _) => name.clone(),
        (_, id) if row[STATE] == DELETED => format!("{id} (deleted)"),
        (_, id) => id.to_owned(),
    }
}

fn member_name(row: &Value) -> String {
    name_or_id(row, "UserName", &row["MemberId"]["UserId"])
}

/// A permission set whose name is not known is shown by its ARN.
fn permission_set_name(row: &Value) -> String {
    row["PermissionSetName"].as_str().or(row["PermissionSetArn"].as_str()).unwrap_or_default().to_owned()
}

/// The primary address, else the first.
fn primary_email(user: &Value) -> String {
    let emails = user["Emails"].as_array().map(Vec::as_slice).unwrap_or_default();
    let chosen = emails.iter().find(|email| email["Primary"] == true).or(emails.first());
    chosen.and_then(|email| email["Value"].as_str()).unwrap_or_default().to_owned()
}

/// `State` took the place of `Status` in 2026; answers carry one or both.
fn account_state(account: &Value) -> String {
    let field = |name: &str| account[name].as_str().filter(|text| !text.is_empty());
    field("State").or_else(|| field("Status")).unwrap_or_default().to_owned()
}

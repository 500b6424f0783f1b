//! Compares the confirmed state with the current state in AWS, just before the change.
//!
//! Guarantee: a difference that matters to the user who confirmed is reported. List entries that disappeared in the
//! meantime are no difference, because less is lost than was confirmed. A part that cannot be read is not compared.

use super::fetch::text;
use crate::gateway::diff::compare::Differences;
use crate::gateway::diff::compare::compare_fields;
use serde_json::Value;

/// The lists of a before-image: the losses with the object that a change deletes.
const LISTS: &[(&str, &str)] = &[
    ("Memberships", "membership"),
    ("Assignments", "assignment"),
    ("Accounts", "account"),
    ("ManagedPolicies", "managed policy"),
    ("CustomerManagedPolicies", "customer managed policy"),
];

/// Fields that change with every edit, whatever its content.
const BOOKKEEPING: &[&str] = &["Revision", "UpdatedAt", "UpdatedBy"];

/// What differs, one sentence each; empty when `now` is what `expected` describes.
pub(super) fn differences(expected: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let (mut object, mut current) = (expected.clone(), now.clone());
    for (list, item) in LISTS {
        let taken = |from: &mut Value| from.as_object_mut().and_then(|fields| fields.remove(*list));
        let (Some(Value::Array(before)), Some(Value::Array(after))) = (taken(&mut object), taken(&mut current)) else {
            continue;
        };
        let is_new = |row: &&Value| !before.iter().any(|known| same_row(known, row));
        found.extend(after.iter().filter(is_new).map(|row| format!("1 more {item}: {}", shown_row(row))));
    }
    let revisions = revision(&object).zip(revision(&current)).filter(|(before, after)| before != after);
    let revisions = revisions.map(|(before, after)| format!("the revision was {before} and is now {after}"));
    drop_bookkeeping(&mut object);
    drop_bookkeeping(&mut current);
    let mut fields = Differences::default();
    compare_fields(&object, &current, &mut fields);
    found.extend(fields.first.iter().map(|one| {
        let part = |name: &str| one.at.strip_prefix(name);
        let at = part("User.").or_else(|| part("Group.")).or_else(|| part("PermissionSet.")).unwrap_or(&one.at);
        format!("{at} was {} and is now {}", shown(&one.cached), shown(&one.aws))
    }));
    if found.is_empty() {
        found.extend(revisions);
    }
    found
}

/// The revision of a user or group, alone or as a part of a before-image.
fn revision(value: &Value) -> Option<String> {
    let parts = [value, &value["User"], &value["Group"]];
    parts.into_iter().find_map(|part| part["Revision"].as_str().map(str::to_owned))
}

fn drop_bookkeeping(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    for part in ["User", "Group"] {
        if let Some(part) = fields.get_mut(part) {
            drop_bookkeeping(part);
        }
    }
}

/// Memberships are the same by id, everything else by content.
fn same_row(one: &Value, other: &Value) -> bool {
    match (one["MembershipId"].as_str(), other["MembershipId"].as_str()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn shown_row(row: &Value) -> String {
    if row["PrincipalId"].is_string() {
        format!("permission set {} in account {}", text(row, "PermissionSetArn"), text(row, "AccountId"))
    } else if row["MembershipId"].is_string() {
        format!("user {} in group {}", text(&row["MemberId"], "UserId"), text(row, "GroupId"))
    } else {
        ["Arn", "Name"].into_iter().find_map(|field| row[field].as_str()).map_or_else(|| shown(row), str::to_owned)
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_edited_field_is_named_with_both_values() {
        let before = json!({"UserId": "u", "UserName": "ada", "Name": {"GivenName": "A"}, "Revision": "1"});
        let after = json!({"UserId": "u", "UserName": "eva", "Name": {"GivenName": "E"}, "Revision": "2"});
        let expected = ["Name.GivenName was `A` and is now `E`", "UserName was `ada` and is now `eva`"];
        assert_eq!(differences(&before, &after), expected);
        let whole = |user: &Value| json!({"User": user, "Memberships": null, "Assignments": []});
        assert_eq!(differences(&whole(&before), &whole(&after)), expected);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn an_edit_that_changes_no_visible_field_is_named_by_its_revision() {
        let with = |revision: &str| json!({"UserId": "u", "Revision": revision, "UpdatedAt": revision});
        assert_eq!(differences(&with("1"), &with("2")), ["the revision was 1 and is now 2"]);
    }

    #[test]
    fn an_added_row_is_a_difference_and_a_removed_one_is_not() {
        let row = |account: &str| json!({"AccountId": account, "PermissionSetArn": "p", "PrincipalId": "u"});
        let with = |rows: &[Value]| json!({"User": {"UserId": "u"}, "Assignments": rows});
        assert!(differences(&with(&[row("1"), row("2")]), &with(&[row("2")])).is_empty());
        let found = differences(&with(&[row("1")]), &with(&[row("1"), row("2")]));
        assert_eq!(found, ["1 more assignment: permission set p in account 2"]);
        let unseen = json!({"User": {"UserId": "u"}, "Assignments": null});
        assert!(differences(&unseen, &with(&[row("1")])).is_empty(), "what cannot be read is not compared");
    }
}

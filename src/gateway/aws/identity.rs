//! Whether an answer is about what was asked, and whether each entry of a page has the id by which it is stored.
//!
//! Guarantee: nothing is stored under an id that AWS did not name, and nothing of another identity store.

use super::errors::Ask;
use crate::gateway::api::{GetCall, InstanceTarget, ListCall, Page};
use crate::gateway::error::GatewayError;
use crate::model::excerpt;
use serde_json::Value;
use std::collections::HashSet;

/// The longest id; the longest of AWS's are ARNs of up to 1224 bytes.
const LONGEST_ID: usize = 2048;

/// Whether a text can be the id of something that a change created.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
}

/// Refuses a page with an entry that lacks its id, has one that another entry has, or belongs to something else.
pub(super) fn page(
    page: Page,
    listing: &ListCall,
    target: Option<&InstanceTarget>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let mut seen = HashSet::new();
    for (index, item) in page.items.iter().enumerate() {
        let Some(id) = listing.identity(item) else {
            let names = listing.id_members().join(", ");
            let names = if names.is_empty() { "text" } else { &names };
            return Err(ask.bad_answer(&format!("entry {} of a page has no {names}", index + 1)));
        };
        if id.iter().any(|part| part.len() > LONGEST_ID) {
            return Err(
                ask.bad_answer(&format!("entry {} of a page has an id of more than {LONGEST_ID} bytes", index + 1))
            );
        }
        if !seen.insert(id) {
            return Err(ask.bad_answer(&format!("entry {} of a page repeats the id of another entry", index + 1)));
        }
        for (name, asked) in questions(listing, target) {
            belongs(&item[name], name, asked, ask)?;
        }
        same_instance(item, listing, target, ask)?;
        if let ListCall::MembershipsForMember(user) = listing {
            belongs(&item["MemberId"]["UserId"], "MemberId", user, ask)?;
        }
    }
    Ok(page)
}

/// Refuses the description of something else.
pub(super) fn single(
    found: Value,
    single: &GetCall,
    target: Option<&InstanceTarget>,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let store = ("IdentityStoreId", target.map_or("", |target| target.identity_store.as_str()));
    let asked: &[(&str, &str)] = match single {
        GetCall::User(id) => &[("UserId", id), store],
        GetCall::Group(id) => &[("GroupId", id), store],
        GetCall::UserIdByName(_) | GetCall::GroupIdByName(_) => &[store],
        GetCall::PermissionSet(arn) => &[("PermissionSetArn", arn)],
        GetCall::Account(id) => &[("Id", id)],
        GetCall::Status(_, id) => &[("RequestId", id)],
        GetCall::InlinePolicy(_)
        | GetCall::PermissionsBoundary(_)
        | GetCall::MembershipId { .. }
        | GetCall::CallerIdentity => &[],
    };
    let needed: &[&str] = match single {
        GetCall::User(_) | GetCall::UserIdByName(_) => &["UserId"],
        GetCall::Group(_) | GetCall::GroupIdByName(_) => &["GroupId"],
        GetCall::PermissionSet(_) => &["PermissionSetArn", "Name"],
        GetCall::Account(_) => &["Id"],
        GetCall::MembershipId { .. } => &["MembershipId"],
        GetCall::Status(..) => &["Status"],
        GetCall::CallerIdentity => &["UserId", "Account", "Arn"],
        GetCall::InlinePolicy(_) | GetCall::PermissionsBoundary(_) => &[],
    };
    for name in needed {
        match found[*name].as_str().map_or(0, str::len) {
            0 => return Err(ask.lacking(name)),
            length if length > LONGEST_ID => return Err(ask.bad_answer(&format!("its {name} has {length} bytes"))),
            _ => {}
        }
    }
    asked.iter().try_for_each(|(name, asked)| belongs(&found[*name], name, asked, ask))?;
    Ok(found)
}

/// The members of an entry whose values the request fixes.
fn questions<'a>(listing: &'a ListCall, target: Option<&'a InstanceTarget>) -> Vec<(&'static str, &'a str)> {
    let store = ("IdentityStoreId", target.map_or("", |target| target.identity_store.as_str()));
    match listing {
        ListCall::Users | ListCall::Groups | ListCall::MembershipsForMember(_) => vec![store],
        ListCall::GroupMemberships(group) => vec![store, ("GroupId", group)],
        ListCall::Assignments { account, permission_set } => {
            vec![("AccountId", account), ("PermissionSetArn", permission_set)]
        }
        _ => Vec::new(),
    }
}

/// Refuses a permission set of another instance: its ARN names the instance that it belongs to.
fn same_instance(
    item: &Value,
    listing: &ListCall,
    target: Option<&InstanceTarget>,
    ask: &Ask,
) -> Result<(), GatewayError> {
    let arn = match listing {
        ListCall::PermissionSets | ListCall::ProvisionedPermissionSets(_) => item.as_str(),
        ListCall::AssignmentsForPrincipal { .. } => item["PermissionSetArn"].as_str(),
        _ => None,
    };
    let asked = target.and_then(|target| target.instance.rsplit_once(":instance/")).map(|(_, id)| id);
    let found = arn.and_then(|arn| arn.rsplit_once(":permissionSet/")?.1.split_once('/')).map(|(id, _)| id);
    match (found, asked) {
        (Some(found), Some(asked)) if found != asked => Err(ask.bad_answer(&format!(
            "a permission set belongs to the instance `{}`, not to `{}`",
            excerpt(found, 128),
            excerpt(asked, 128)
        ))),
        _ => Ok(()),
    }
}

/// A member that AWS left out says nothing; one with another value is an answer to another question.
fn belongs(found: &Value, name: &str, asked: &str, ask: &Ask) -> Result<(), GatewayError> {
    match found.as_str() {
        Some(other) if !asked.is_empty() && !other.eq_ignore_ascii_case(asked) => {
            Err(ask.bad_answer(&format!("its {name} is `{}`, not `{}`", excerpt(other, 128), excerpt(asked, 128))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::api::PrincipalKind;
    use serde_json::json;

    fn target() -> InstanceTarget {
        InstanceTarget {
            instance: "arn:aws:sso:::instance/ssoins-1".into(),
            identity_store: "d-1".into(),
            region: String::new(),
        }
    }

    #[test]
    fn a_permission_set_of_another_instance_is_refused_in_every_listing_that_names_one() {
        let arn = |instance: &str| format!("arn:aws:sso:::permissionSet/{instance}/ps-1");
        let row = |instance: &str| json!({"AccountId": "1", "PermissionSetArn": arn(instance), "PrincipalType": "USER", "PrincipalId": "u"});
        let principal = ListCall::AssignmentsForPrincipal { kind: PrincipalKind::User, id: "u".into() };
        let pair = ListCall::Assignments { account: "1".into(), permission_set: arn("ssoins-1") };
        for (listing, entry) in [
            (ListCall::PermissionSets, &(|instance: &str| Value::from(arn(instance))) as &dyn Fn(&str) -> Value),
            (ListCall::ProvisionedPermissionSets("1".into()), &|instance| Value::from(arn(instance))),
            (principal, &row),
            (pair, &row),
        ] {
            let judged = |instance: &str| {
                let ask = Ask::listing(&listing, Some(&target()), None);
                page(Page { items: vec![entry(instance)], next: None }, &listing, Some(&target()), &ask)
            };
            assert!(judged("ssoins-1").is_ok(), "{listing:?}");
            assert!(matches!(judged("ssoins-2"), Err(GatewayError::BadAnswer { .. })), "{listing:?}");
        }
    }
}

//! Whether an answer is about what was asked, and whether each entry of a page has the id by which it is stored.
//!
//! Guarantee: nothing is stored under an id that AWS did not name, and nothing of another identity store.

use super::errors::Ask;
use crate::gateway::{GatewayError, Listing, Page, Single, Target};
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
pub(super) fn page(page: Page, listing: &Listing, target: Option<&Target>, ask: &Ask) -> Result<Page, GatewayError> {
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
        if let Listing::MembershipsForMember(user) = listing {
            belongs(&item["MemberId"]["UserId"], "MemberId", user, ask)?;
        }
    }
    Ok(page)
}

/// Refuses the description of something else.
pub(super) fn single(found: Value, single: &Single, target: Option<&Target>, ask: &Ask) -> Result<Value, GatewayError> {
    let store = ("IdentityStoreId", target.map_or("", |target| target.identity_store.as_str()));
    let asked: &[(&str, &str)] = match single {
        Single::User(id) => &[("UserId", id), store],
        Single::Group(id) => &[("GroupId", id), store],
        Single::UserIdByName(_) | Single::GroupIdByName(_) => &[store],
        Single::PermissionSet(arn) => &[("PermissionSetArn", arn)],
        Single::Account(id) => &[("Id", id)],
        Single::Status(_, id) => &[("RequestId", id)],
        Single::InlinePolicy(_)
        | Single::PermissionsBoundary(_)
        | Single::MembershipId { .. }
        | Single::CallerIdentity => &[],
    };
    let needed: &[&str] = match single {
        Single::User(_) | Single::UserIdByName(_) => &["UserId"],
        Single::Group(_) | Single::GroupIdByName(_) => &["GroupId"],
        Single::PermissionSet(_) => &["PermissionSetArn", "Name"],
        Single::Account(_) => &["Id"],
        Single::MembershipId { .. } => &["MembershipId"],
        Single::Status(..) => &["Status"],
        Single::CallerIdentity => &["UserId", "Account", "Arn"],
        Single::InlinePolicy(_) | Single::PermissionsBoundary(_) => &[],
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
fn questions<'a>(listing: &'a Listing, target: Option<&'a Target>) -> Vec<(&'static str, &'a str)> {
    let store = ("IdentityStoreId", target.map_or("", |target| target.identity_store.as_str()));
    match listing {
        Listing::Users | Listing::Groups | Listing::MembershipsForMember(_) => vec![store],
        Listing::GroupMemberships(group) => vec![store, ("GroupId", group)],
        Listing::Assignments { account, permission_set } => {
            vec![("AccountId", account), ("PermissionSetArn", permission_set)]
        }
        _ => Vec::new(),
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

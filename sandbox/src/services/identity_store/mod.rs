//! identitystore: people, groups and memberships.
//!
//! Whole objects in listings, an unknown id is `ResourceNotFoundException` with its kind, and `Filters` are taken
//! as AWS takes them unless the faults refuse them.

use crate::aws_json::Answer;
use crate::aws_json::Operation;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::paging::Paging;
use crate::records::Id;
use crate::records::Membership;
use crate::records::store_arn;
use crate::state;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// What can be asked.
pub(crate) const OPERATIONS: &[(&str, Operation)] = &[
    ("ListUsers", list_users),
    ("DescribeUser", describe_user),
    ("GetUserId", get_user_id),
    ("ListGroups", list_groups),
    ("DescribeGroup", describe_group),
    ("GetGroupId", get_group_id),
    ("ListGroupMemberships", list_group_memberships),
    ("ListGroupMembershipsForMember", list_group_memberships_for_member),
    ("DescribeGroupMembership", describe_group_membership),
    ("GetGroupMembershipId", get_group_membership_id),
    ("IsMemberInGroups", is_member_in_groups),
];

fn list_users(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let index = &organization.index.user_by_name;
    let wanted = Wanted::read(request, "UserName", index)?;
    let paging = Paging::read(request, &[store, "ListUsers", wanted.scope()])?;
    let rows = state::after(&organization.users, paging.after()).filter(|(id, _)| wanted.has(id));
    Ok(paging.page("Users", rows.map(|(id, user)| (id.clone(), json!(user)))))
}

fn describe_user(organization: &Organization, request: &Request) -> Answer {
    store(organization, request)?;
    let id = request.id("UserId", Form::ResourceId)?;
    organization.users.get(id).map(|user| json!(user)).ok_or_else(|| Refusal::not_in_store("USER", Some(id)))
}

fn get_user_id(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let index = &organization.index;
    let found = match alternate(request)? {
        Alternate::Attribute { path, value } if path.eq_ignore_ascii_case("userName") => {
            index.user_by_name.get(&value.to_lowercase())
        }
        Alternate::Attribute { path, value } if path.eq_ignore_ascii_case("emails.value") => {
            index.user_by_email.get(&value.to_lowercase())
        }
        Alternate::Attribute { path, .. } => return Err(unknown_path(request, path, "userName, emails.value")),
        Alternate::External { issuer, id } => {
            let has = |user: &&crate::records::User| user.external_ids.iter().any(|e| e.issuer == issuer && e.id == id);
            organization.users.values().find(has).map(|user| &user.user_id)
        }
    };
    let id = found.ok_or_else(|| Refusal::not_in_store("USER", None))?;
    Ok(json!({"IdentityStoreId": store, "UserId": id, "UserArn": store_arn("user", id)}))
}

fn list_groups(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let index = &organization.index.group_by_name;
    let wanted = Wanted::read(request, "DisplayName", index)?;
    let paging = Paging::read(request, &[store, "ListGroups", wanted.scope()])?;
    let rows = state::after(&organization.groups, paging.after()).filter(|(id, _)| wanted.has(id));
    Ok(paging.page("Groups", rows.map(|(id, group)| (id.clone(), json!(group)))))
}

fn describe_group(organization: &Organization, request: &Request) -> Answer {
    store(organization, request)?;
    let id = group(organization, request)?;
    Ok(json!(organization.groups.get(id)))
}

fn get_group_id(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let found = match alternate(request)? {
        Alternate::Attribute { path, value } if path.eq_ignore_ascii_case("displayName") => {
            organization.index.group_by_name.get(&value.to_lowercase())
        }
        Alternate::Attribute { path, .. } => return Err(unknown_path(request, path, "displayName")),
        Alternate::External { issuer, id } => {
            let has =
                |group: &&crate::records::Group| group.external_ids.iter().any(|e| e.issuer == issuer && e.id == id);
            organization.groups.values().find(has).map(|group| &group.group_id)
        }
    };
    let id = found.ok_or_else(|| Refusal::not_in_store("GROUP", None))?;
    Ok(json!({"GroupId": id, "IdentityStoreId": store, "GroupArn": store_arn("group", id)}))
}

fn list_group_memberships(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let group = group(organization, request)?;
    let paging = Paging::read(request, &[store, "ListGroupMemberships", group])?;
    let ids = state::seconds(&organization.index.members, group, paging.after());
    Ok(memberships(organization, &paging, ids))
}

fn list_group_memberships_for_member(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let user = member(organization, request)?;
    let paging = Paging::read(request, &[store, "ListGroupMembershipsForMember", user])?;
    let ids = state::seconds(&organization.index.memberships_of, user, paging.after());
    Ok(memberships(organization, &paging, ids))
}

fn memberships<'a>(organization: &Organization, paging: &Paging, ids: impl Iterator<Item = &'a Id>) -> Value {
    let rows = ids.filter_map(|id| organization.memberships.get(id).map(|found| (id.clone(), whole(found))));
    paging.page("GroupMemberships", rows)
}

/// A membership with its ARN, which is not stored: there may be hundreds of thousands.
fn whole(membership: &Membership) -> Value {
    let mut row = json!(membership);
    row["MembershipArn"] = json!(store_arn("membership", &membership.membership_id));
    row
}

fn describe_group_membership(organization: &Organization, request: &Request) -> Answer {
    store(organization, request)?;
    let id = request.id("MembershipId", Form::ResourceId)?;
    let found: Option<&Membership> = organization.memberships.get(id);
    found.map(whole).ok_or_else(|| Refusal::not_in_store("GROUP_MEMBERSHIP", Some(id)))
}

fn get_group_membership_id(organization: &Organization, request: &Request) -> Answer {
    let store = store(organization, request)?;
    let (group, user) = (group(organization, request)?, member(organization, request)?);
    let pair = (Id::from(group), Id::from(user));
    let found = organization.index.membership_by_pair.get(&pair);
    let id = found.ok_or_else(|| Refusal::not_in_store("GROUP_MEMBERSHIP", None))?;
    let arn = store_arn("membership", id);
    Ok(json!({"IdentityStoreId": store, "MembershipId": id, "MembershipArn": arn}))
}

fn is_member_in_groups(organization: &Organization, request: &Request) -> Answer {
    store(organization, request)?;
    let user = member(organization, request)?;
    let groups = match request.value("GroupIds") {
        None => return Err(request.missing("GroupIds")),
        Some(Value::Array(groups)) => groups,
        Some(_) => return Err(Refusal::serialization("GroupIds can not be converted to a list")),
    };
    if !(1..=100).contains(&groups.len()) {
        let rule = "Member must have length between 1 and 100, inclusive";
        return Err(request.invalid("GroupIds", "INVALID_LIST_MEMBER", rule));
    }
    let mut results = Vec::new();
    for group in groups {
        let text = group.as_str().ok_or_else(|| Refusal::serialization("GroupIds can only hold texts"))?;
        let group = request.formed("GroupIds", text, Form::ResourceId)?;
        if !organization.groups.contains_key(group) {
            return Err(Refusal::not_in_store("GROUP", Some(group)));
        }
        let pair = (Id::from(group), Id::from(user));
        let exists = organization.index.membership_by_pair.contains_key(&pair);
        results.push(json!({"GroupId": group, "MemberId": {"UserId": user}, "MembershipExists": exists}));
    }
    Ok(json!({"Results": results}))
}

/// The identity store of the call, which must be the one that there is.
pub(crate) fn store<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let store = request.id("IdentityStoreId", Form::IdentityStoreId)?;
    if *store == *organization.identity.store {
        Ok(store)
    } else {
        Err(Refusal::not_in_store("IDENTITY_STORE", Some(store)))
    }
}

/// The group of the call, which must exist.
pub(crate) fn group<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let id = request.id("GroupId", Form::ResourceId)?;
    if organization.groups.contains_key(id) { Ok(id) } else { Err(Refusal::not_in_store("GROUP", Some(id))) }
}

/// The user of the call's `MemberId`, who must exist.
pub(crate) fn member<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let member = request.value("MemberId").ok_or_else(|| request.missing("MemberId"))?;
    let Some(Value::String(id)) = member.get("UserId") else { return Err(request.missing("MemberId.UserId")) };
    let id = request.formed("MemberId.UserId", id, Form::ResourceId)?;
    if organization.users.contains_key(id) { Ok(id) } else { Err(Refusal::not_in_store("USER", Some(id))) }
}

/// What the `Filters` of a listing leave: everything, or the one with a name, or nothing.
enum Wanted<'a> {
    All,
    Named(&'a str, Option<&'a Id>),
}

impl<'a> Wanted<'a> {
    /// Reads `Filters`: AWS deprecates them and still takes one, on the attribute that is unique.
    fn read(request: &'a Request, attribute: &str, index: &'a BTreeMap<String, Id>) -> Result<Wanted<'a>, Refusal> {
        let filters = match request.value("Filters") {
            None => return Ok(Wanted::All),
            Some(Value::Array(filters)) => filters,
            Some(_) => return Err(Refusal::serialization("Filters can not be converted to a list")),
        };
        let [filter] = filters.as_slice() else {
            let rule = "Member must have length less than or equal to 1";
            return if filters.is_empty() { Ok(Wanted::All) } else { Err(request.invalid("Filters", "", rule)) };
        };
        if request.mishaps.refuse_filters {
            let message = "Filter is deprecated, please remove filter from request";
            return Err(Refusal::validation(request.service(), "", message));
        }
        let text = |field: &str| filter.get(field).and_then(Value::as_str);
        let path = text("AttributePath").ok_or_else(|| request.missing("Filters.AttributePath"))?;
        let value = text("AttributeValue").ok_or_else(|| request.missing("Filters.AttributeValue"))?;
        if path.eq_ignore_ascii_case(attribute) {
            Ok(Wanted::Named(value, index.get(&value.to_lowercase())))
        } else {
            Err(unknown_path(request, path, attribute))
        }
    }

    /// The mark that distinguishes its list from others.
    fn scope(&self) -> &str {
        match self {
            Wanted::All => "",
            Wanted::Named(name, _) => name,
        }
    }

    fn has(&self, id: &Id) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Named(_, found) => *found == Some(id),
        }
    }
}

/// What stands for an id in a search.
enum Alternate<'a> {
    Attribute { path: &'a str, value: &'a str },
    External { issuer: &'a str, id: &'a str },
}

fn alternate(request: &Request) -> Result<Alternate<'_>, Refusal> {
    const FIELD: &str = "AlternateIdentifier";
    let alternate = request.value(FIELD).ok_or_else(|| request.missing(FIELD))?;
    let text = |kind: &str, field: &str| alternate.get(kind).and_then(|inner| inner.get(field)).and_then(Value::as_str);
    match (alternate.get("UniqueAttribute"), alternate.get("ExternalId")) {
        (Some(_), None) => {
            match (text("UniqueAttribute", "AttributePath"), text("UniqueAttribute", "AttributeValue")) {
                (Some(path), Some(value)) => Ok(Alternate::Attribute { path, value }),
                (None, _) => Err(request.missing("AlternateIdentifier.UniqueAttribute.AttributePath")),
                (_, None) => Err(request.missing("AlternateIdentifier.UniqueAttribute.AttributeValue")),
            }
        }
        (None, Some(_)) => match (text("ExternalId", "Issuer"), text("ExternalId", "Id")) {
            (Some(issuer), Some(id)) => Ok(Alternate::External { issuer, id }),
            _ => Err(request.missing("AlternateIdentifier.ExternalId")),
        },
        _ => Err(request.invalid(FIELD, "", "Member must have exactly one of UniqueAttribute and ExternalId")),
    }
}

fn unknown_path(request: &Request, path: &str, known: &str) -> Refusal {
    let message = format!("The attribute path {path} is not supported; it must be one of {known}.");
    Refusal::validation(request.service(), "", &message)
}

#[cfg(test)]
mod tests;

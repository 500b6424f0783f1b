//! Writes of memberships: add, remove.
//!
//! A membership is unique, and its group exists.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Id;
use crate::records::MemberId;
use crate::records::Membership;
use crate::services::identity_store::group;
use crate::services::identity_store::member;
use crate::services::identity_store::store;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::json;

/// `CreateGroupMembership`
pub(crate) fn create(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let store = Id::from(store(organization, request)?);
    let group_id = Id::from(group(organization, request)?);
    let user_id = Id::from(member(organization, request)?);
    if organization.index.membership_by_pair.contains_key(&(group_id.clone(), user_id.clone())) {
        return Err(Refusal::not_unique("Member and Group relationship already exists."));
    }
    let membership_id = organization.mint.next(&store, "membership").id_in(&store);
    let arn = format!("arn:aws:identitystore:::membership/{membership_id}");
    let answer = json!({"IdentityStoreId": store, "MembershipId": membership_id, "MembershipArn": arn});
    let member_id = MemberId { user_id };
    organization.add_membership(Membership { identity_store_id: store, membership_id, group_id, member_id });
    Ok(answer)
}

/// `DeleteGroupMembership`
pub(crate) fn delete(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    store(organization, request)?;
    let id = request.id("MembershipId", Form::ResourceId)?;
    if !organization.memberships.contains_key(id) {
        return Err(Refusal::not_in_store("GROUP_MEMBERSHIP", Some(id)));
    }
    organization.remove_membership(id);
    Ok(json!({}))
}

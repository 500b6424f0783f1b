//! Reads the before-image of a change from AWS, for the journal and to invalidate only the keys that it affects.
//!
//! If AWS denies the read, globs are invalidated instead. An object that does not exist is reported before
//! anything is changed.

use super::api::GetCall;
use super::api::IdentityCenterApi;
use super::api::InstanceTarget;
use super::api::ListCall;
use super::api::PrincipalKind;
use super::error::GatewayError;
use super::mutation::Mutation;
use crate::cache::{ChangeEvent, Dirt, Key};
use crate::gateway::fetch::text;
use crate::gateway::fetch::texts;
use crate::gateway::paginate::all;
use crate::model::Resource;
use serde_json::{Value, json};

/// A before-image.
pub(super) struct Image {
    /// The change with all that is known about what it touches.
    pub(super) event: ChangeEvent,
    /// What was there, as AWS gave it; null when nothing was read.
    pub(super) before: Value,
    /// The keys under which what was read is cached: another change of one of them makes the image worthless.
    pub(super) ground: Vec<Dirt>,
}

impl Image {
    /// Whether exact keys were chosen by what was read.
    pub(super) fn is_read(&self) -> bool {
        !self.ground.is_empty()
    }
}

/// Reads what `change` is about to change.
pub(super) async fn read(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    change: &Mutation,
) -> Result<Image, GatewayError> {
    let event = change.event();
    let one = async |single: GetCall| optional(source.fetch(Some(target), &single).await);
    let mut ground = Vec::new();
    let image = match change {
        Mutation::UpdateUser { id, .. } => {
            let user = one(GetCall::User(id.clone())).await?;
            ground.push(key(Resource::User, "describe", id));
            (was_named(event, user.as_ref(), "UserName"), user)
        }
        Mutation::UpdateGroup { id, .. } => {
            let group = one(GetCall::Group(id.clone())).await?;
            ground.push(key(Resource::Group, "describe", id));
            (was_named(event, group.as_ref(), "DisplayName"), group)
        }
        Mutation::DeleteUser { id, .. } => {
            let (user, memberships, assignments) = tokio::try_join!(
                one(GetCall::User(id.clone())),
                rows(source, target, ListCall::MembershipsForMember(id.clone())),
                granted(source, target, PrincipalKind::User, id)
            )?;
            ground.extend([key(Resource::User, "describe", id), key(Resource::User, "groups", id)]);
            ground.push(principal(PrincipalKind::User, id));
            let mut event = was_named(event, user.as_ref(), "UserName");
            if let Some(rows) = &memberships {
                event = event.was_in_groups(rows.iter().map(|row| text(row, "GroupId")).collect());
            }
            let before = json!({"User": user, "Memberships": memberships, "Assignments": assignments});
            (with_pairs(event, assignments.as_deref()), Some(before))
        }
        Mutation::DeleteGroup { id, .. } => {
            let (group, memberships, assignments) = tokio::try_join!(
                one(GetCall::Group(id.clone())),
                rows(source, target, ListCall::GroupMemberships(id.clone())),
                granted(source, target, PrincipalKind::Group, id)
            )?;
            ground.extend([key(Resource::Group, "describe", id), key(Resource::Group, "members", id)]);
            ground.push(principal(PrincipalKind::Group, id));
            let mut event = was_named(event, group.as_ref(), "DisplayName");
            if let Some(rows) = &memberships {
                event = event.had_members(rows.iter().map(|row| text(&row["MemberId"], "UserId")).collect());
            }
            let before = json!({"Group": group, "Memberships": memberships, "Assignments": assignments});
            (with_pairs(event, assignments.as_deref()), Some(before))
        }
        Mutation::UpdatePermissionSet { arn, .. } => (event, one(GetCall::PermissionSet(arn.clone())).await?),
        Mutation::DeletePermissionSet(arn) => {
            let (set, accounts, inline) = tokio::try_join!(
                one(GetCall::PermissionSet(arn.clone())),
                rows(source, target, ListCall::ProvisionedAccounts(arn.clone())),
                one(GetCall::InlinePolicy(arn.clone()))
            )?;
            let (managed, customer) = tokio::try_join!(
                rows(source, target, ListCall::ManagedPolicies(arn.clone())),
                rows(source, target, ListCall::CustomerManagedPolicies(arn.clone()))
            )?;
            ground.push(key(Resource::PermissionSet, "accounts", arn));
            let event = match &accounts {
                Some(accounts) => event.was_in_accounts(texts(accounts.clone())),
                None => event,
            };
            let before = json!({
                "PermissionSet": set, "Accounts": accounts, "ManagedPolicies": managed,
                "CustomerManagedPolicies": customer, "InlinePolicy": inline.map(|found| found["InlinePolicy"].clone()),
            });
            (event, Some(before))
        }
        Mutation::PutInlinePolicy { arn, .. } | Mutation::DeleteInlinePolicy(arn) => {
            (event, one(GetCall::InlinePolicy(arn.clone())).await?)
        }
        _ => (event, None),
    };
    Ok(Image { event: image.0, before: image.1.unwrap_or_default(), ground })
}

fn was_named(event: ChangeEvent, found: Option<&Value>, field: &str) -> ChangeEvent {
    match found.and_then(|found| found[field].as_str()) {
        Some(name) => event.was_named(name),
        // A thing without a name has none to be found by.
        None if found.is_some() => event.not_renamed(),
        None => event,
    }
}

fn with_pairs(event: ChangeEvent, rows: Option<&[Value]>) -> ChangeEvent {
    match rows {
        Some(rows) => event
            .had_assignments(rows.iter().map(|row| (text(row, "AccountId"), text(row, "PermissionSetArn"))).collect()),
        None => event,
    }
}

async fn granted(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    kind: PrincipalKind,
    id: &str,
) -> Result<Option<Vec<Value>>, GatewayError> {
    let found = rows(source, target, ListCall::AssignmentsForPrincipal { kind, id: id.to_owned() }).await?;
    // For a user AWS may also list assignments of a group: the rows of other principals stay where they are.
    Ok(found.map(|rows| rows.into_iter().filter(|row| row["PrincipalId"].as_str().is_none_or(|of| of == id)).collect()))
}

async fn rows(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    listing: ListCall,
) -> Result<Option<Vec<Value>>, GatewayError> {
    optional(all(source, target, listing).await)
}

/// What AWS does not let us see, or does not do for this kind of instance, is not known; everything else is an error.
fn optional<T>(answer: Result<T, GatewayError>) -> Result<Option<T>, GatewayError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(GatewayError::AccessDenied { .. } | GatewayError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn key(resource: Resource, operation: &str, id: &str) -> Dirt {
    Dirt::Key(Key::new(resource, operation, id))
}

fn principal(kind: PrincipalKind, id: &str) -> Dirt {
    Dirt::Key(Key::new(Resource::Assignment, "by_principal", kind.as_str()).with(id))
}

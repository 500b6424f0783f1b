//! `group create`, `update`, `delete`, `add-member` and `remove-member`.
//!
//! Neighbours: `changes.rs` looks names up, asks and prints. Promise: who is in the group already, or is not, is said and
//! is no failure.

use super::{Writer, missing};
use crate::cli::args::GlobalArgs;
use crate::cli::args::directory::GroupCommand;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::Output;
use crate::gateway::{Attribute, Change, GatewayError, Listing, Policy, PrincipalKind, Request};
use serde_json::{Value, json};

/// The changes among `group ...`.
pub(in crate::cli::commands) fn group(
    command: GroupCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        GroupCommand::Create { fields, change } => {
            let example = "awsideman group create --name Auditors --description 'Read everything'";
            let name = fields.name.ok_or_else(|| missing("--name", example))?;
            let writer = Writer::open(globals, &change, output)?;
            let (named, done) = (json!({"DisplayName": name}), format!("Created group {name}"));
            writer.make(&Change::CreateGroup { name, description: fields.description }, &done, &named)
        }
        GroupCommand::Update { group, fields, change } => {
            let text = |path: &str, value: &Option<String>| {
                value.as_ref().map(|value| Attribute { path: path.into(), value: Some(json!(value)) })
            };
            let attributes: Vec<Attribute> =
                [text("displayName", &fields.name), text("description", &fields.description)]
                    .into_iter()
                    .flatten()
                    .collect();
            if attributes.is_empty() {
                return Err(Failure::new(Code::Usage, "nothing to change was named")
                    .hint("name a field: --name or --description"));
            }
            let writer = Writer::open(globals, &change, output)?;
            let found = writer.wait(writer.group(&group))?;
            let named = json!({"GroupId": found.id, "DisplayName": found.name});
            let done = format!("Updated group {}", fields.name.as_ref().unwrap_or(&found.name));
            writer.make(&Change::UpdateGroup { id: found.id, attributes }, &done, &named)
        }
        GroupCommand::Delete { group, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let (found, members, granted) = writer.wait(async {
                let found = writer.group(&group).await?;
                let live = |request| writer.gateway().value(request, &Policy::BYPASS, writer.progress());
                let members = Request::GroupMembers(found.id.clone());
                let granted = Request::PrincipalAssignments { kind: PrincipalKind::Group, id: found.id.clone() };
                let members = live(&members).await?.as_array().map_or(0, Vec::len);
                let granted = live(&granted).await.ok().and_then(|rows| rows.as_array().map(Vec::len));
                Ok((found, members, granted))
            })?;
            let granted = granted.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
            let lost = format!("group {} ({}) with {members} members and {granted} assignments", found.name, found.id);
            writer.may_destroy(&format!("delete group {}", found.name), &[lost])?;
            let named = json!({"GroupId": found.id, "DisplayName": found.name});
            writer.make(&Change::DeleteGroup(found.id), &format!("Deleted group {}", found.name), &named)
        }
        GroupCommand::AddMember { group, user, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let (group, user, membership) = writer.wait(pair(&writer, &group, &user))?;
            let named = json!({
                "GroupId": group.id, "GroupName": group.name, "UserId": user.id, "UserName": user.name,
            });
            if membership.is_some() {
                return writer.already(&format!("{} is in group {} already", user.name, group.name), &named);
            }
            let done = format!("Put {} into group {}", user.name, group.name);
            writer.make(&Change::AddMember { group: group.id, user: user.id }, &done, &named)
        }
        GroupCommand::RemoveMember { group, user, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let (group, user, membership) = writer.wait(pair(&writer, &group, &user))?;
            let named = json!({
                "GroupId": group.id, "GroupName": group.name, "UserId": user.id, "UserName": user.name,
            });
            let Some(membership) = membership else {
                return writer.already(&format!("{} is not in group {}", user.name, group.name), &named);
            };
            let question = format!("take {} out of group {}", user.name, group.name);
            writer.may_destroy(&question, &[])?;
            let done = format!("Took {} out of group {}", user.name, group.name);
            writer.make(&Change::RemoveMember { membership, group: group.id, user: user.id }, &done, &named)
        }
        _ => Err(Failure::new(Code::Failed, format!("{} reads", Listing::Groups.operation()))),
    }
}

/// The group, the user, and the id of the membership when the one is in the other.
async fn pair(
    writer: &Writer<'_>,
    group: &str,
    user: &str,
) -> Result<(super::Named, super::Named, Option<String>), GatewayError> {
    let (group, user) = (writer.group(group).await?, writer.user(user).await?);
    let found: Option<Value> = writer.gateway().membership(&group.id, &user.id).await?;
    let membership = found.and_then(|found| found["MembershipId"].as_str().map(str::to_owned));
    Ok((group, user, membership))
}

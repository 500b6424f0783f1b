//! `user create`, `update` and `delete`.
//!
//! Neighbours: `changes.rs` looks names up, asks and prints. Promise: what AWS needs is asked for before anything is sent.

use super::{Writer, missing};
use crate::cli::args::GlobalArgs;
use crate::cli::args::changes::UserFields;
use crate::cli::args::directory::UserCommand;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::Output;
use crate::gateway::{Attribute, Change, Listing, NewUser, Policy, PrincipalKind, Request};
use serde_json::{Value, json};

/// The changes among `user ...`.
pub(in crate::cli::commands) fn user(
    command: UserCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        UserCommand::Create { fields, change } => {
            let user = new_user(fields)?;
            let writer = Writer::open(globals, &change, output)?;
            let named = json!({"UserName": user.user_name});
            let done = format!("Created user {}", user.user_name);
            writer.make(&Change::CreateUser(user), &done, &named)
        }
        UserCommand::Update { user, fields, change } => {
            let attributes = attributes(&fields);
            if attributes.is_empty() {
                return Err(Failure::new(Code::Usage, "nothing to change was named")
                    .hint("name a field: --username, --display-name, --email, --first-name or --last-name"));
            }
            let writer = Writer::open(globals, &change, output)?;
            let found = writer.wait(writer.user(&user))?;
            let named = json!({"UserId": found.id, "UserName": found.name});
            let done = format!("Updated user {}", fields.username.as_ref().unwrap_or(&found.name));
            writer.make(&Change::UpdateUser { id: found.id, attributes }, &done, &named)
        }
        UserCommand::Delete { user, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let (found, groups, assignments) = writer.wait(async {
                let found = writer.user(&user).await?;
                let live = |request| writer.gateway().value(request, &Policy::BYPASS, writer.progress());
                let groups = Request::UserGroups(found.id.clone());
                let granted = Request::PrincipalAssignments { kind: PrincipalKind::User, id: found.id.clone() };
                let groups = live(&groups).await?.as_array().map_or(0, Vec::len);
                // Counted where AWS lets us; the deletion does not hang on it.
                let granted = live(&granted).await.ok().and_then(|rows| rows.as_array().map(Vec::len));
                Ok((found, groups, granted))
            })?;
            let assignments = assignments.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
            let lost = format!(
                "user {} ({}), a member of {groups} groups, with {assignments} assignments of its own",
                found.name, found.id
            );
            writer.may_destroy(&format!("delete user {}", found.name), &[lost])?;
            let named = json!({"UserId": found.id, "UserName": found.name});
            writer.make(&Change::DeleteUser(found.id), &format!("Deleted user {}", found.name), &named)
        }
        _ => Err(Failure::new(Code::Failed, format!("{} reads", Listing::Users.operation()))),
    }
}

fn new_user(fields: UserFields) -> Result<NewUser, Failure> {
    let example =
        "awsideman user create --username ada --display-name 'Ada Lovelace' --first-name Ada --last-name Lovelace";
    let user_name = fields.username.ok_or_else(|| missing("--username", example))?;
    let given_name = fields.first_name.ok_or_else(|| missing("--first-name", example))?;
    let family_name = fields.last_name.ok_or_else(|| missing("--last-name", example))?;
    let display_name = fields.display_name.unwrap_or_else(|| format!("{given_name} {family_name}"));
    Ok(NewUser { user_name, display_name, given_name, family_name, email: fields.email })
}

fn attributes(fields: &UserFields) -> Vec<Attribute> {
    let text = |path: &str, value: &Option<String>| {
        value.as_ref().map(|value| Attribute { path: path.into(), value: Some(json!(value)) })
    };
    let mails = |address: &String| {
        let value: Value = json!([{"Value": address, "Type": "work", "Primary": true}]);
        Attribute { path: "emails".into(), value: Some(value) }
    };
    [
        text("userName", &fields.username),
        text("displayName", &fields.display_name),
        text("name.givenName", &fields.first_name),
        text("name.familyName", &fields.last_name),
        fields.email.as_ref().map(mails),
    ]
    .into_iter()
    .flatten()
    .collect()
}

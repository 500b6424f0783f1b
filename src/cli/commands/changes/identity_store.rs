//! `user create|update|delete`, `group create|update|delete|add-member|remove-member`.
//!
//! An update changes only the attributes that differ in AWS. To add a member or to remove a non-member is no error.

use crate::cli::args::GlobalArgs;
use crate::cli::args::identity_store::GroupChangesArgs;
use crate::cli::args::identity_store::MemberArgs;
use crate::cli::args::identity_store::NewGroupArgs;
use crate::cli::args::identity_store::NewUserArgs;
use crate::cli::args::identity_store::Orphans;
use crate::cli::args::identity_store::UserChangesArgs;
use crate::cli::commands::changes::ChangeArgs;
use crate::cli::commands::changes::WriteSession;
use crate::cli::commands::changes::deleting;
use crate::cli::commands::changes::executor::How;
use crate::cli::commands::changes::operation::Act;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::commands::changes::operation::quoted;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::gateway::{Attribute, Confirmed, GatewayError, GetCall, Mutation, NewUser, PrincipalKind, ResourceKind};
use serde_json::{Value, json};

pub(super) const USER: (&str, &str) = ("UserId", "UserName");
pub(super) const GROUP: (&str, &str) = ("GroupId", "DisplayName");

/// The changes of users.
#[derive(Debug, Clone)]
pub(crate) enum UserChange {
    Create(NewUserArgs),
    Update(UserChangesArgs),
    Delete(String, Orphans, ChangeArgs),
}

impl UserChange {
    fn how(&self) -> &ChangeArgs {
        match self {
            UserChange::Create(arguments) => &arguments.change,
            UserChange::Update(arguments) => &arguments.change,
            UserChange::Delete(_, _, how) => how,
        }
    }
}

/// The changes of groups.
#[derive(Debug, Clone)]
pub(crate) enum GroupChange {
    Create(NewGroupArgs),
    Update(GroupChangesArgs),
    Delete(String, Orphans, ChangeArgs),
    Add(MemberArgs),
    Remove(MemberArgs),
}

impl GroupChange {
    fn how(&self) -> &ChangeArgs {
        match self {
            GroupChange::Create(arguments) => &arguments.change,
            GroupChange::Update(arguments) => &arguments.change,
            GroupChange::Delete(_, _, how) => how,
            GroupChange::Add(arguments) | GroupChange::Remove(arguments) => &arguments.change,
        }
    }
}

/// `user create|update|delete`
pub(crate) fn users(change: UserChange, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let writer = WriteSession::open(globals, change.how(), output)?;
    let (step, destroys) = match change {
        UserChange::Create(new) => {
            let made = new.change.clone();
            if made.dry_run {
                writer
                    .must_be_free(&GetCall::UserIdByName(new.username.clone()), &format!("user `{}`", new.username))?;
            }
            (create_user(new), false)
        }
        UserChange::Update(changes) => {
            let user = writer.certain(ResourceKind::User, &changes.user)?;
            (update_user(&user, &changes)?, false)
        }
        UserChange::Delete(text, orphans, _) => {
            return deleting::delete(writer, PrincipalKind::User, &text, orphans);
        }
    };
    writer.finish(vec![step], destroys)
}

/// `group create|update|delete|add-member|remove-member`
pub(crate) fn groups(change: GroupChange, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let writer = WriteSession::open(globals, change.how(), output)?;
    let (step, destroys) = match change {
        GroupChange::Create(new) => {
            let NewGroupArgs { name, description, change: _ } = new;
            if writer.dry_run {
                writer.must_be_free(&GetCall::GroupIdByName(name.clone()), &format!("group `{name}`"))?;
            }
            let change = Mutation::CreateGroup { name: name.clone(), description };
            let step = ChangeStep::new(change, format!("create group `{name}`"), check("group", &name));
            (step.with("DisplayName", name), false)
        }
        GroupChange::Update(changes) => {
            let group = writer.certain(ResourceKind::Group, &changes.group)?;
            (update_group(&group, &changes)?, false)
        }
        GroupChange::Delete(text, orphans, _) => {
            return deleting::delete(writer, PrincipalKind::Group, &text, orphans);
        }
        GroupChange::Add(MemberArgs { group, user, .. }) => {
            let (group, user, membership) = writer.membership(&group, &user)?;
            let change = Mutation::AddMember { group: group.id.clone(), user: user.id.clone() };
            let phrase = format!("add user {} to group {}", user.words(), group.words());
            (member_step(change, phrase, &group, &user).already(membership.is_some()), false)
        }
        GroupChange::Remove(MemberArgs { group, user, .. }) => {
            let (group, user, membership) = writer.membership(&group, &user)?;
            let already = membership.is_none();
            let membership = membership.unwrap_or_default();
            let change = Mutation::RemoveMember { membership, group: group.id.clone(), user: user.id.clone() };
            let phrase = format!("remove user {} from group {}", user.words(), group.words());
            (member_step(change, phrase, &group, &user).already(already), true)
        }
    };
    writer.finish(vec![step], destroys)
}

impl WriteSession<'_> {
    pub(super) fn certain(&self, noun: ResourceKind, text: &str) -> Result<Confirmed, CliError> {
        let found = self.wait(self.gateway().confirmer().certain(noun, text, &self.policy, self.progress()))?;
        self.note(noun, &found);
        Ok(found)
    }

    /// Rejects a name that is taken, as a real run would.
    fn must_be_free(&self, by_name: &GetCall, what: &str) -> Result<(), CliError> {
        match self.session.wait(self.gateway().confirmer().ask(by_name))? {
            Ok(_) => Err(CliError::new(Code::Failed, format!("{what} exists already")).hint("choose another name")),
            Err(GatewayError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Both ends of a membership and, when there is one, its id.
    fn membership(&self, group: &str, user: &str) -> Result<(Confirmed, Confirmed, Option<String>), CliError> {
        let (group, user) = (self.certain(ResourceKind::Group, group)?, self.certain(ResourceKind::User, user)?);
        self.wait(async {
            let asked = GetCall::MembershipId { group: group.id.clone(), user: user.id.clone() };
            let membership = match self.gateway().confirmer().ask(&asked).await {
                Ok(found) => found["MembershipId"].as_str().map(str::to_owned),
                Err(GatewayError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            Ok((group, user, membership))
        })
    }

    /// Counts the losses with the object that a step deletes; the deletion must not lose more. `part` is the field of
    /// the before-image that holds the object.
    pub(super) fn with_losses(
        &self,
        step: ChangeStep,
        (part, object): (&str, &Confirmed),
    ) -> Result<ChangeStep, CliError> {
        let Act::Make(change) = &step.act else { return Ok(step) };
        let mut before = self.wait(self.gateway().confirmer().what_goes(change))?;
        before[part] = object.found.clone();
        let count = |field: &str| before[field].as_array().map(Vec::len);
        let step = match change {
            Mutation::DeletePermissionSet(_) => step.losing("Accounts", count("Accounts"), ("account", "accounts")),
            // AWS keeps assignments: they are no loss.
            _ => step
                .losing("Memberships", count("Memberships"), ("membership", "memberships"))
                .with("Assignments", json!(count("Assignments"))),
        };
        Ok(step.expecting(before))
    }

    /// Has a person agree where something is destroyed, and makes the changes in turn.
    pub(super) fn finish(self, steps: Vec<ChangeStep>, destroys: bool) -> Result<(), CliError> {
        if destroys {
            self.agree(&steps)?;
        }
        self.carry_out(steps, How::IN_TURN)
    }
}

fn create_user(new: NewUserArgs) -> ChangeStep {
    let NewUserArgs { username, first_name, last_name, display_name, email, change: _ } = new;
    let display_name = display_name.unwrap_or_else(|| format!("{first_name} {last_name}"));
    let change = Mutation::CreateUser(NewUser {
        user_name: username.clone(),
        display_name,
        given_name: first_name,
        family_name: last_name,
        email,
    });
    let step = ChangeStep::new(change, format!("create user `{username}`"), check("user", &username));
    step.with("UserName", username)
}

fn update_user(user: &Confirmed, changes: &UserChangesArgs) -> Result<ChangeStep, CliError> {
    let found = &user.found;
    let asked = [
        ("userName", changes.username.as_ref(), &found["UserName"]),
        ("displayName", changes.display_name.as_ref(), &found["DisplayName"]),
        ("name.givenName", changes.first_name.as_ref(), &found["Name"]["GivenName"]),
        ("name.familyName", changes.last_name.as_ref(), &found["Name"]["FamilyName"]),
    ];
    must_have_name("--username", changes.username.as_ref())?;
    let mut attributes: Vec<Attribute> =
        asked.into_iter().filter_map(|(path, new, old)| differs(path, new, old)).collect();
    let old = found["Emails"].as_array().and_then(|emails| emails.first()).unwrap_or(&Value::Null);
    if let Some(email) = differs("emails", changes.email.as_ref(), &old["Value"]) {
        // The store has one address for each user; parts without a new value stay.
        let kind = old["Type"].as_str().unwrap_or("work");
        let list = |address: Value| json!([{"value": address, "type": kind, "primary": true}]);
        attributes.push(Attribute { value: email.value.map(list), ..email });
    }
    let (id, revision) = (user.id.clone(), revision(user));
    let change = Mutation::UpdateUser { id, attributes: attributes.clone(), revision };
    let step =
        ChangeStep::new(change, format!("update user {}", user.words()), check("user", &user.id)).about(USER, user);
    let step = step.with("Attributes", paths(&attributes)).already(attributes.is_empty());
    Ok(step.expecting(user.found.clone()))
}

fn update_group(group: &Confirmed, changes: &GroupChangesArgs) -> Result<ChangeStep, CliError> {
    must_have_name("--name", changes.name.as_ref())?;
    let asked = [
        ("displayName", changes.name.as_ref(), &group.found["DisplayName"]),
        ("description", changes.description.as_ref(), &group.found["Description"]),
    ];
    let attributes: Vec<Attribute> = asked.into_iter().filter_map(|(path, new, old)| differs(path, new, old)).collect();
    let (id, revision) = (group.id.clone(), revision(group));
    let change = Mutation::UpdateGroup { id, attributes: attributes.clone(), revision };
    let phrase = format!("update group {}", group.words());
    let step = ChangeStep::new(change, phrase, check("group", &group.id)).about(GROUP, group);
    let step = step.with("Attributes", paths(&attributes)).already(attributes.is_empty());
    Ok(step.expecting(group.found.clone()))
}

/// The revision that makes a change conditional; a server of an older API has none.
pub(super) fn revision(of: &Confirmed) -> Option<String> {
    of.found["Revision"].as_str().filter(|revision| !revision.is_empty()).map(str::to_owned)
}

fn member_step(change: Mutation, phrase: String, group: &Confirmed, user: &Confirmed) -> ChangeStep {
    let check = format!("awsideman group members {} --refresh", quoted(&group.id));
    ChangeStep::new(change, phrase, check)
        .with("GroupId", group.id.as_str())
        .with("GroupName", group.name.as_str())
        .about(USER, user)
}

/// The attribute when it is to be changed and differs; an empty text takes it away.
fn differs(path: &str, new: Option<&String>, old: &Value) -> Option<Attribute> {
    let new = new?;
    if old.as_str().unwrap_or_default() == new {
        return None;
    }
    Some(Attribute { path: path.to_owned(), value: (!new.is_empty()).then(|| json!(new)) })
}

fn must_have_name(flag: &str, name: Option<&String>) -> Result<(), CliError> {
    match name {
        Some(name) if name.trim().is_empty() => {
            Err(CliError::new(Code::Usage, format!("{flag}: the name is empty")).hint("pass a name"))
        }
        _ => Ok(()),
    }
}

fn paths(attributes: &[Attribute]) -> Value {
    attributes.iter().map(|attribute| json!(attribute.path)).collect()
}

pub(super) fn check(kind: &str, what: &str) -> String {
    format!("awsideman {kind} get {} --refresh", quoted(what))
}

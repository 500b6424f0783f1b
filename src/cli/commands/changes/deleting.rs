//! `user delete` and `group delete`: AWS keeps the assignments of a deleted principal, so they are revoked first or named.
//!
//! Guarantee: an assignment is left without a principal only if a flag or the user chose that; the number of
//! those that remain is counted from what AWS had just before the deletion.

use super::WriteSession;
use crate::cli::args::identity_store::Orphans as OrphanFlags;
use crate::cli::commands::changes::executor::How;
use crate::cli::commands::changes::identity_store::GROUP;
use crate::cli::commands::changes::identity_store::USER;
use crate::cli::commands::changes::identity_store::check;
use crate::cli::commands::changes::identity_store::revision;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::commands::changes::operation::quoted;
use crate::cli::confirm::can_ask;
use crate::cli::confirm::choose;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::gateway::{Confirmed, GatewayError, Grant, Mutation, PrincipalKind, Request, ResourceKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Concurrent revocations.
const CONCURRENCY: usize = 10;

/// The choice for the assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OrphanPolicy {
    /// They are revoked before the principal is deleted.
    Revoked,
    /// They stay in AWS.
    Left,
    /// No choice was made, and nothing is changed.
    Undecided,
}

/// The assignments that a deletion leaves in AWS.
pub(super) struct Remaining {
    kind: PrincipalKind,
    principal: String,
    orphan_policy: OrphanPolicy,
    revoked: Vec<Grant>,
    /// Names of permission sets by ARN, for the commands.
    names: HashMap<String, String>,
}

impl Remaining {
    /// How many remain according to the before-image, and what to report. `None` means that AWS does not show them.
    pub(super) fn count(&self, before: &Value, done: bool) -> (Option<usize>, Option<String>) {
        let Some(grants) = grants(self.kind, &self.principal, before) else {
            let text = "unknown whether assignments remain without a principal: this login is not allowed to list them";
            return (None, Some(text.to_owned()));
        };
        let left: Vec<&Grant> = grants.iter().filter(|grant| !self.revoked.contains(grant)).collect();
        let n = match left.len() {
            0 => return (Some(0), None),
            1 => "1 assignment".to_owned(),
            n => format!("{n} assignments"),
        };
        let verb = match (done, left.len()) {
            (false, _) => "would remain",
            (true, 1) => "remains",
            (true, _) => "remain",
        };
        let text = if self.orphan_policy == OrphanPolicy::Undecided {
            format!(
                "{n} {verb} without a principal: pass --revoke to revoke them first, --leave-assignments to keep them"
            )
        } else {
            let commands = self.commands(&left);
            format!("{n} {verb} without a principal; revoke with:\n{}", commands.join("\n"))
        };
        (Some(left.len()), Some(text))
    }

    /// One command for each permission set.
    fn commands(&self, left: &[&Grant]) -> Vec<String> {
        let mut accounts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for grant in left {
            accounts.entry(&grant.permission_set).or_default().push(&grant.account);
        }
        let command = |(arn, accounts): (&str, Vec<&str>)| {
            let set = quoted(self.names.get(arn).map_or(arn, String::as_str));
            let (principal, accounts, kind) = (&self.principal, accounts.join(","), self.kind.as_str());
            format!("awsideman assignment revoke {set} {principal} --accounts {accounts} --principal-type {kind}")
        };
        accounts.into_iter().map(command).collect()
    }
}

/// Deletes a user or a group.
pub(super) fn delete(
    writer: WriteSession<'_>,
    kind: PrincipalKind,
    text: &str,
    flags: OrphanFlags,
) -> Result<(), CliError> {
    let object = writer.certain(ResourceKind::from(kind), text)?;
    let (id, revision) = (object.id.clone(), revision(&object));
    let (change, part, fields) = match kind {
        PrincipalKind::User => (Mutation::DeleteUser { id, revision }, "User", USER),
        PrincipalKind::Group => (Mutation::DeleteGroup { id, revision }, "Group", GROUP),
    };
    let word = kind.as_str().to_ascii_lowercase();
    let step = ChangeStep::new(change, format!("delete {word} {}", object.words()), check(&word, &object.id));
    let mut step = writer.with_losses(step.about(fields, &object), (part, &object))?;
    let before = step.expected.clone().unwrap_or_default();
    let grants = grants(kind, &object.id, &before);
    let orphan_policy = writer.orphan_policy(&format!("{word} {}", object.words()), grants.as_deref(), flags)?;
    let grants = grants.unwrap_or_default();
    let names = writer.names(&grants)?;
    let revoked = if orphan_policy == OrphanPolicy::Revoked { grants.clone() } else { Vec::new() };
    if orphan_policy == OrphanPolicy::Left && !grants.is_empty() {
        step.phrase_end = match grants.len() {
            1 => ", leaving 1 assignment without a principal".to_owned(),
            n => format!(", leaving {n} assignments without a principal"),
        };
    }
    let mut steps: Vec<ChangeStep> = revoked.iter().map(|grant| revocation(grant, &object, &names)).collect();
    step.remaining = Some(Remaining { kind, principal: object.id.clone(), orphan_policy, revoked, names });
    step.stage = 1;
    steps.push(step);
    writer.agree(&steps)?;
    writer.carry_out(steps, How { concurrency: CONCURRENCY, stops: true })
}

impl WriteSession<'_> {
    /// Makes the choice for the assignments before anything is changed.
    fn orphan_policy(
        &self,
        what: &str,
        grants: Option<&[Grant]>,
        flags: OrphanFlags,
    ) -> Result<OrphanPolicy, CliError> {
        let (count, flags) = (grants.map_or(0, <[Grant]>::len), (flags.revoke, flags.leave_assignments));
        match flags {
            (true, _) if grants.is_none() => {
                let message = format!("--revoke: the assignments of {what} cannot be listed with this login");
                let hint = "run it from the management account, or pass --leave-assignments to keep them";
                return Err(CliError::new(Code::Refused, message).hint(hint));
            }
            (true, _) => return Ok(OrphanPolicy::Revoked),
            (_, true) => return Ok(OrphanPolicy::Left),
            _ if grants.is_some() && count == 0 => return Ok(OrphanPolicy::Left),
            _ if self.dry_run => return Ok(OrphanPolicy::Undecided),
            _ => {}
        }
        if grants.is_none() {
            let message =
                format!("the assignments of {what} cannot be listed with this login, and AWS would keep them");
            let hint = "run it from the management account, or pass --leave-assignments to delete it all the same; nothing \
                was changed";
            return Err(CliError::new(Code::Refused, message).hint(hint));
        }
        let n = if count == 1 { "1 assignment".to_owned() } else { format!("{count} assignments") };
        if self.may_go_on || !can_ask(self.output) {
            let message = format!("{what} has {n}, which AWS would keep without a principal");
            let hint = "pass --revoke to revoke them first, or --leave-assignments to keep them; nothing was changed";
            return Err(CliError::new(Code::Usage, message).hint(hint));
        }
        let question = format!("{what}: {n} would stay behind as orphans; revoke them first");
        Ok(if choose(&question, self.output)? { OrphanPolicy::Revoked } else { OrphanPolicy::Left })
    }

    /// Names of the permission sets and accounts of assignments, by id; what cannot be read keeps its id.
    fn names(&self, grants: &[Grant]) -> Result<HashMap<String, String>, CliError> {
        let sets = grants.iter().map(|grant| Request::PermissionSet(grant.permission_set.clone()));
        let accounts = grants.iter().map(|grant| Request::Account(grant.account.clone()));
        let (gateway, policy, progress) = (self.gateway(), &self.policy, self.progress());
        let mut names = HashMap::new();
        self.session.wait(async {
            for request in sets.chain(accounts) {
                let (Request::PermissionSet(id) | Request::Account(id)) = &request else { continue };
                if names.contains_key(id) {
                    continue;
                }
                let found: Result<Value, GatewayError> = gateway.reader().value(&request, policy, progress).await;
                let name = found.ok().and_then(|found| found["Name"].as_str().map(str::to_owned));
                names.insert(id.clone(), name.unwrap_or_else(|| id.clone()));
            }
        })?;
        Ok(names)
    }
}

/// The assignments in a before-image; `None` when AWS did not show them.
fn grants(kind: PrincipalKind, principal: &str, before: &Value) -> Option<Vec<Grant>> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let grant = |row: &Value| Grant {
        account: text(row, "AccountId"),
        permission_set: text(row, "PermissionSetArn"),
        kind,
        principal: principal.to_owned(),
    };
    Some(before["Assignments"].as_array()?.iter().map(grant).collect())
}

fn revocation(grant: &Grant, principal: &Confirmed, names: &HashMap<String, String>) -> ChangeStep {
    let named = |id: &str| Confirmed {
        id: id.to_owned(),
        name: names.get(id).map_or(id, String::as_str).to_owned(),
        found: json!({}),
    };
    let (set, account) = (named(&grant.permission_set), named(&grant.account));
    crate::cli::commands::changes::assignment::revocation(&set, (grant.kind, principal), &account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remaining(orphan_policy: OrphanPolicy, revoked: &[&str]) -> Remaining {
        let names = HashMap::from([("arn:1".to_owned(), "Read Only".to_owned())]);
        let grant = |account: &&str| Grant {
            account: (*account).to_owned(),
            permission_set: "arn:1".into(),
            kind: PrincipalKind::User,
            principal: "u".into(),
        };
        Remaining {
            kind: PrincipalKind::User,
            principal: "u".into(),
            orphan_policy,
            revoked: revoked.iter().map(grant).collect(),
            names,
        }
    }

    fn before(accounts: &[&str]) -> Value {
        let row = |account: &&str| json!({"AccountId": account, "PermissionSetArn": "arn:1", "PrincipalId": "u"});
        json!({"Assignments": accounts.iter().map(row).collect::<Vec<_>>()})
    }

    #[test]
    fn what_remains_is_counted_without_what_was_revoked_and_has_its_command() {
        let (count, text) = remaining(OrphanPolicy::Left, &[]).count(&before(&["1", "2"]), true);
        let expected = "2 assignments remain without a principal; revoke with:\nawsideman assignment revoke 'Read Only' u \
                        --accounts 1,2 --principal-type USER";
        assert_eq!((count, text.as_deref()), (Some(2), Some(expected)));
        assert_eq!(remaining(OrphanPolicy::Revoked, &["1", "2"]).count(&before(&["1", "2"]), true), (Some(0), None));
        let (count, text) = remaining(OrphanPolicy::Left, &["1"]).count(&before(&["1", "2"]), true);
        assert!(count == Some(1) && text.unwrap().starts_with("1 assignment remains"));
        let (count, text) = remaining(OrphanPolicy::Undecided, &[]).count(&before(&["1"]), false);
        assert!(count == Some(1) && text.unwrap().contains("--leave-assignments"));
        let (count, text) = remaining(OrphanPolicy::Left, &[]).count(&json!({"Assignments": null}), true);
        assert!(count.is_none() && text.unwrap().starts_with("unknown"));
    }
}

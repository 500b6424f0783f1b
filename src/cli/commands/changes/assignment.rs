//! `assignment assign|revoke`: one permission set, one principal, any number of accounts.
//!
//! What is assigned is asked of AWS itself first, so that only what must change is asked for and a dry run names it
//! exactly.

use crate::cli::args::GlobalArgs;
use crate::cli::args::assignment::AccountFilter;
use crate::cli::args::assignment::GrantArgs;
use crate::cli::commands::changes::WriteSession;
use crate::cli::commands::changes::executor::How;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::commands::changes::operation::quoted;
use crate::cli::commands::changes::permission_set::SET;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::Output;
use crate::gateway::{
    AccountChoice, Confirmed, GatewayError, Grant, ListCall, Mutation, PrincipalKind, ResourceKind, SelectedAccounts,
    is_directory_id,
};
use serde_json::Value;
use std::collections::HashSet;

/// Up to so many accounts are asked one by one what is assigned in them; more by one list of the principal.
const ONE_BY_ONE: usize = 3;

/// Whether it is given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Assign,
    Revoke,
}

/// `assignment assign`
pub(crate) fn assign(arguments: &GrantArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    grant(Way::Assign, arguments, globals, output)
}

/// `assignment revoke`
pub(crate) fn revoke(arguments: &GrantArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    grant(Way::Revoke, arguments, globals, output)
}

fn grant(way: Way, arguments: &GrantArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let writer = WriteSession::open(globals, &arguments.change, output)?;
    let set = writer.certain(ResourceKind::PermissionSet, &arguments.permission_set)?;
    let choice = choice(arguments);
    let SelectedAccounts { accounts, inactive } =
        writer.wait(writer.gateway().confirmer().choose_accounts(&choice, &writer.policy, writer.progress()))?;
    let (kind, principal) = writer.principal(way, arguments, &set, &accounts)?;
    if accounts.is_empty() {
        let names = inactive.iter().map(|account| format!("{}: {}", account.words(), account.inactive_words()));
        return Err(CliError::new(Code::NotFound, "no active account is chosen by these filters")
            .details(names)
            .hint("`awsideman account list` and `awsideman ou list` show what there is"));
    }
    let assigned = writer.assigned(&set, kind, &principal, &accounts)?;
    let active = accounts.iter().map(|account| {
        let is_assigned = assigned.contains(&account.id);
        step(way, &set, (kind, &principal), account).already(is_assigned == (way == Way::Assign))
    });
    let inactive = inactive
        .iter()
        .map(|account| step(way, &set, (kind, &principal), account).left_out(Some(account.inactive_words())));
    let steps: Vec<ChangeStep> = active.chain(inactive).collect();
    if way == Way::Revoke {
        for account in &accounts {
            writer.note(ResourceKind::Account, account);
        }
        writer.agree(&steps)?;
    }
    let how = How { concurrency: usize::from(arguments.batch_size), stops: arguments.stop_on_error };
    writer.carry_out(steps, how)
}

impl WriteSession<'_> {
    /// The user or group. An id that no user or group has any more is one that was deleted: its assignments can be revoked.
    fn principal(
        &self,
        way: Way,
        arguments: &GrantArgs,
        set: &Confirmed,
        accounts: &[Confirmed],
    ) -> Result<(PrincipalKind, Confirmed), CliError> {
        let kind = arguments.principal_type.map(PrincipalKind::from);
        let text = &arguments.principal;
        let found = self.gateway().confirmer().certain_principal(text, kind, &self.policy, self.progress());
        match self.session.wait(found)? {
            Ok((kind, found)) => {
                self.note(kind.into(), &found);
                Ok((kind, found))
            }
            Err(GatewayError::NotFound { .. }) if way == Way::Revoke && is_directory_id(text) => {
                let deleted = Confirmed::by_id(text);
                let kind = match kind {
                    Some(kind) => kind,
                    None => self.kind_of_deleted(&deleted, set, accounts)?,
                };
                let word = kind.as_str().to_ascii_lowercase();
                self.progress().notice(&format!("{word} {text} was deleted; its assignments may remain"));
                Ok((kind, deleted))
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Whether a deleted principal was a user or a group, from the assignments that it left.
    fn kind_of_deleted(
        &self,
        deleted: &Confirmed,
        set: &Confirmed,
        accounts: &[Confirmed],
    ) -> Result<PrincipalKind, CliError> {
        for kind in [PrincipalKind::User, PrincipalKind::Group] {
            if !self.assigned(set, kind, deleted, accounts)?.is_empty() {
                return Ok(kind);
            }
        }
        let (id, set) = (&deleted.id, set.words());
        let message =
            format!("no user or group has the id {id}, and no assignment of permission set {set} names it here");
        Err(CliError::new(Code::NotFound, message)
            .hint("`awsideman assignment list --refresh` lists the assignments that remain"))
    }

    /// The accounts in which the principal has the permission set by itself, as far as AWS lets us see.
    fn assigned(
        &self,
        set: &Confirmed,
        kind: PrincipalKind,
        principal: &Confirmed,
        accounts: &[Confirmed],
    ) -> Result<HashSet<String>, CliError> {
        let is_it = |row: &Value| {
            row["PrincipalId"] == *principal.id
                && row["PermissionSetArn"] == *set.id
                && row["PrincipalType"].as_str().is_none_or(|of| of == kind.as_str())
        };
        let in_account = |row: &Value| row["AccountId"].as_str().map(str::to_owned);
        let gateway = self.gateway();
        self.wait(async {
            if accounts.len() > ONE_BY_ONE {
                let listing = ListCall::AssignmentsForPrincipal { kind, id: principal.id.clone() };
                match gateway.confirmer().ask_all(listing).await {
                    Ok(rows) => return Ok(rows.iter().filter(|row| is_it(row)).filter_map(in_account).collect()),
                    // Only the management account may ask so, and not after who was deleted.
                    Err(
                        GatewayError::AccessDenied { .. }
                        | GatewayError::Refused { .. }
                        | GatewayError::NotFound { .. },
                    ) => {}
                    Err(error) => return Err(error),
                }
            }
            let mut found = HashSet::new();
            for account in accounts {
                let pair = ListCall::Assignments { account: account.id.clone(), permission_set: set.id.clone() };
                match gateway.confirmer().ask_all(pair).await {
                    Ok(rows) => {
                        if rows.iter().any(is_it) {
                            found.insert(account.id.clone());
                        }
                    }
                    // The change itself will tell what is wrong with this account.
                    Err(GatewayError::AccessDenied { .. } | GatewayError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(found)
        })
    }
}

/// The step that revokes one assignment.
pub(super) fn revocation(set: &Confirmed, principal: (PrincipalKind, &Confirmed), account: &Confirmed) -> ChangeStep {
    step(Way::Revoke, set, principal, account)
}

fn choice(arguments: &GrantArgs) -> AccountChoice {
    let tags = arguments.account_filter.iter().filter_map(|filter| match filter {
        AccountFilter::All => None,
        AccountFilter::Tag(key, value) => Some((key.clone(), value.clone())),
    });
    AccountChoice {
        named: arguments.account.iter().chain(&arguments.accounts).filter(|name| !name.is_empty()).cloned().collect(),
        unit: arguments.ou_filter.clone(),
        pattern: arguments.account_pattern.clone(),
        tags: tags.collect(),
    }
}

fn step(way: Way, set: &Confirmed, (kind, principal): (PrincipalKind, &Confirmed), account: &Confirmed) -> ChangeStep {
    let grant =
        Grant { account: account.id.clone(), permission_set: set.id.clone(), kind, principal: principal.id.clone() };
    let (verb, to, change) = match way {
        Way::Assign => ("assign", "to", Mutation::Assign(grant)),
        Way::Revoke => ("revoke", "from", Mutation::Revoke(grant)),
    };
    let word = kind.as_str().to_ascii_lowercase();
    let phrase = format!("{verb} `{}` {to} {word} `{}` in account {}", set.name, principal.name, account.words());
    let check =
        format!("awsideman assignment get {} {word}:{} {} --refresh", quoted(&set.name), principal.id, account.id);
    ChangeStep::new(change, phrase, check)
        .about(("AccountId", "AccountName"), account)
        .about(SET, set)
        .with("PrincipalType", kind.as_str())
        .about(("PrincipalId", "PrincipalName"), principal)
}

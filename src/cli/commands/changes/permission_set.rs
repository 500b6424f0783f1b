//! `permission-set create|update|delete|attach|detach|put-inline|delete-inline|provision`.
//!
//! After an update, prints in how many accounts the permission set is outdated; `--provision` pushes the update.

use crate::cli::args::GlobalArgs;
use crate::cli::args::permission_set::InlineArgs;
use crate::cli::args::permission_set::NewSetArgs;
use crate::cli::args::permission_set::PolicyArgs;
use crate::cli::args::permission_set::SetChangesArgs;
use crate::cli::commands::changes::ChangeArgs;
use crate::cli::commands::changes::WriteSession;
use crate::cli::commands::changes::executor::How;
use crate::cli::commands::changes::operation::Act;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::commands::changes::operation::quoted;
use crate::cli::commands::changes::policies;
use crate::cli::exit_code::CliError;
use crate::cli::output::Output;
use crate::gateway::{Confirmed, ListCall, Mutation, ResourceKind, SetFields};

/// At most this many accounts are provisioned one by one, so that each has its own outcome.
const EACH: usize = 50;
/// AWS provisions three at a time; an account that fails does not stop the others.
const PROVISIONING: How = How { concurrency: 3, stops: false };

pub(super) const SET: (&str, &str) = ("PermissionSetArn", "PermissionSetName");

/// The changes of permission sets.
#[derive(Debug, Clone)]
pub(crate) enum SetChange {
    Create(NewSetArgs),
    Update(SetChangesArgs),
    Delete(String, ChangeArgs),
    Attach(PolicyArgs),
    Detach(PolicyArgs),
    PutInline(InlineArgs),
    DeleteInline { permission_set: String, provision: bool, how: ChangeArgs },
    Provision { permission_set: String, account: Option<String>, how: ChangeArgs },
}

impl SetChange {
    fn how(&self) -> &ChangeArgs {
        match self {
            SetChange::Create(arguments) => &arguments.change,
            SetChange::Update(arguments) => &arguments.change,
            SetChange::Attach(arguments) | SetChange::Detach(arguments) => &arguments.change,
            SetChange::PutInline(arguments) => &arguments.change,
            SetChange::Delete(_, how) | SetChange::DeleteInline { how, .. } | SetChange::Provision { how, .. } => how,
        }
    }
}

/// `permission-set create|update|delete|attach|detach|put-inline|delete-inline|provision`
pub(crate) fn permission_sets(change: SetChange, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    // What must be read is read, and understood, before anything is opened.
    let inline = match &change {
        SetChange::PutInline(arguments) => Some(policies::document(&arguments.file)?),
        _ => None,
    };
    let writer = WriteSession::open(globals, change.how(), output)?;
    match change {
        SetChange::Create(new) => writer.carry_out(create(&new), How::IN_TURN),
        SetChange::Update(changes) => {
            let set = writer.certain(ResourceKind::PermissionSet, &changes.permission_set)?;
            writer.change_set(update(&set, &changes), &set, changes.provision.provision)
        }
        SetChange::Delete(text, _) => {
            let set = writer.certain(ResourceKind::PermissionSet, &text)?;
            let change = Mutation::DeletePermissionSet(set.id.clone());
            let step = ChangeStep::new(change, format!("delete permission set {}", set.words()), assigned(&set))
                .about(SET, &set);
            let step = writer.with_losses(step, ("PermissionSet", &set))?;
            writer.finish(vec![step], true)
        }
        SetChange::Attach(arguments) => {
            let set = writer.certain(ResourceKind::PermissionSet, &arguments.permission_set)?;
            let step = policies::attach(&writer, &set, &arguments)?;
            writer.change_set(step, &set, arguments.provision.provision)
        }
        SetChange::Detach(arguments) => {
            let set = writer.certain(ResourceKind::PermissionSet, &arguments.permission_set)?;
            let step = [policies::detach(&writer, &set, &arguments)?];
            writer.agree(&step)?;
            let [step] = step;
            writer.change_set(step, &set, arguments.provision.provision)
        }
        SetChange::PutInline(arguments) => {
            let set = writer.certain(ResourceKind::PermissionSet, &arguments.permission_set)?;
            let step = policies::put_inline(&writer, &set, inline.unwrap_or_default())?;
            writer.change_set(step, &set, arguments.provision.provision)
        }
        SetChange::DeleteInline { permission_set, provision, .. } => {
            let set = writer.certain(ResourceKind::PermissionSet, &permission_set)?;
            let step = [policies::delete_inline(&writer, &set)?];
            writer.agree(&step)?;
            let [step] = step;
            writer.change_set(step, &set, provision)
        }
        SetChange::Provision { permission_set, account, .. } => {
            let set = writer.certain(ResourceKind::PermissionSet, &permission_set)?;
            let steps = if let Some(account) = account {
                vec![provision(&set, Some(&writer.certain(ResourceKind::Account, &account)?))]
            } else {
                let accounts = writer.accounts_of(&set)?;
                writer.provision_all(&set, accounts.as_deref())?
            };
            writer.carry_out(steps, PROVISIONING)
        }
    }
}

impl WriteSession<'_> {
    /// Makes a change of a permission set, and brings it to its accounts or says in how many it is missing.
    fn change_set(self, step: ChangeStep, set: &Confirmed, provisions: bool) -> Result<(), CliError> {
        let already = step.already;
        let mut steps = vec![step];
        let mut notices = Vec::new();
        if !already || provisions {
            let accounts = self.accounts_of(set)?;
            match (accounts, provisions) {
                (accounts, true) => {
                    let later = self.provision_all(set, accounts.as_deref())?;
                    steps.extend(later.into_iter().map(|step| ChangeStep { stage: 1, ..step }));
                }
                (None, false) => {}
                (Some(accounts), false) if accounts.is_empty() => {}
                (Some(accounts), false) => {
                    let n = match accounts.len() {
                        1 => "1 account has".to_owned(),
                        n => format!("{n} accounts have"),
                    };
                    let name = quoted(&set.name);
                    notices.push(format!(
                        "{n} it as it was before: `awsideman permission-set provision {name}` brings the change there"
                    ));
                }
            }
        }
        self.carry_out_and_say(steps, PROVISIONING, notices)
    }

    /// The accounts that have a permission set; `None` when they cannot be read, which does not stop a change.
    fn accounts_of(&self, set: &Confirmed) -> Result<Option<Vec<String>>, CliError> {
        let listing = ListCall::ProvisionedAccounts(set.id.clone());
        match self.session.wait(self.gateway().confirmer().ask_all(listing))? {
            Ok(rows) => Ok(Some(rows.iter().filter_map(|row| row.as_str().map(str::to_owned)).collect())),
            Err(error) => {
                self.progress().notice(&format!("the accounts that have it cannot be listed: {error}"));
                Ok(None)
            }
        }
    }

    /// The steps that provision a permission set to all accounts that have it. Each account is named, unless they are many
    /// and all active: then AWS does them in one request.
    fn provision_all(&self, set: &Confirmed, accounts: Option<&[String]>) -> Result<Vec<ChangeStep>, CliError> {
        let Some(ids) = accounts else { return Ok(vec![provision(set, None)]) };
        if ids.is_empty() {
            let change = Mutation::Provision { arn: set.id.clone(), account: None };
            let phrase = format!("provision permission set {}: 0 accounts have it", set.words());
            let step = ChangeStep::new(change, phrase, check(set)).about(SET, set).with("Accounts", 0);
            return Ok(vec![step.already(true)]);
        }
        let accounts = self.session.wait(self.gateway().confirmer().accounts(ids))?;
        if accounts.len() > EACH && accounts.iter().all(|account| account.inactive().is_none()) {
            return Ok(vec![provision(set, None).with("Accounts", accounts.len())]);
        }
        Ok(accounts.iter().map(|account| provision(set, Some(account)).left_out(account.inactive())).collect())
    }
}

fn create(new: &NewSetArgs) -> Vec<ChangeStep> {
    let fields = SetFields {
        description: new.description.clone().filter(|text| !text.is_empty()),
        session_duration: new.session_duration.clone(),
        relay_state: new.relay_state.clone().filter(|text| !text.is_empty()),
    };
    let name = &new.name;
    let check = format!("awsideman permission-set get {} --refresh", quoted(name));
    let change = Mutation::CreatePermissionSet { name: name.clone(), fields };
    let first = ChangeStep::new(change, format!("create permission set `{name}`"), &check).with("Name", name.as_str());
    let attach = |policy: &String| {
        let policy = policy.clone();
        let phrase = format!("attach {policy} to permission set `{name}`");
        let field = policy.clone();
        let change = move |arn: &str| Mutation::AttachManagedPolicy { arn: arn.to_owned(), policy: policy.clone() };
        ChangeStep::of(Act::OfNewSet(Box::new(change)), phrase, &check).with("ManagedPolicyArn", field)
    };
    std::iter::once(first).chain(new.managed_policy.iter().map(attach)).collect()
}

/// All fields are sent: AWS takes away the relay state of an update that does not name it.
fn update(set: &Confirmed, changes: &SetChangesArgs) -> ChangeStep {
    let field = |name: &str, new: &Option<String>| {
        let old = || set.found[name].as_str().map(str::to_owned);
        new.clone().or_else(old).filter(|text| !text.is_empty())
    };
    let fields = SetFields {
        description: field("Description", &changes.description),
        session_duration: field("SessionDuration", &changes.session_duration),
        relay_state: field("RelayState", &changes.relay_state),
    };
    let was = |name: &str| set.found[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let old = SetFields {
        description: was("Description"),
        session_duration: was("SessionDuration"),
        relay_state: was("RelayState"),
    };
    let already = fields == old;
    let change = Mutation::UpdatePermissionSet { arn: set.id.clone(), fields };
    ChangeStep::new(change, format!("update permission set {}", set.words()), check(set))
        .about(SET, set)
        .already(already)
        .expecting(set.found.clone())
}

fn provision(set: &Confirmed, account: Option<&Confirmed>) -> ChangeStep {
    let change = Mutation::Provision { arn: set.id.clone(), account: account.map(|account| account.id.clone()) };
    let place = match account {
        Some(account) => format!("in account {}", account.words()),
        None => "in all its accounts".to_owned(),
    };
    let step = ChangeStep::new(change, format!("provision permission set {} {place}", set.words()), check(set));
    let step = step.about(SET, set);
    match account {
        Some(account) => step.about(("AccountId", "AccountName"), account),
        None => step,
    }
}

/// What stands in the way of a deletion: AWS deletes no permission set that is assigned.
fn assigned(set: &Confirmed) -> String {
    format!("awsideman assignment list --permission-set {} --refresh", quoted(&set.name))
}

pub(super) fn check(set: &Confirmed) -> String {
    format!("awsideman permission-set get {} --refresh", quoted(&set.name))
}

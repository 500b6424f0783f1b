//! `permission-set create`, `update`, `delete`, `attach`, `detach`, `put-inline`, `delete-inline` and `provision`.
//!
//! Neighbours: `changes.rs` looks names up, asks and prints. Promise: of several changes that belong together it is said
//! which were made; a change that accounts do not have yet says how they get it.

use super::{Writer, document, missing, untold};
use crate::cli::args::GlobalArgs;
use crate::cli::args::changes::{PolicyArgs, SetArgs};
use crate::cli::args::directory::PermissionSetCommand;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page};
use crate::gateway::{Change, Listing, SetFields};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// The most that AWS takes as an inline policy, with room for white space.
const LONGEST_POLICY: u64 = 256 * 1024;

/// The changes among `permission-set ...`.
pub(in crate::cli::commands) fn permission_set(
    command: PermissionSetCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        PermissionSetCommand::Create { fields, more, managed_policy, change } => {
            let name = fields.name.ok_or_else(|| {
                missing("--name", "awsideman permission-set create --name Audit --session-duration 8h")
            })?;
            let create =
                Change::CreatePermissionSet { name: name.clone(), fields: set_fields(fields.description, more) };
            create_with(Writer::open(globals, &change, output)?, &create, &name, managed_policy)
        }
        PermissionSetCommand::Update { permission_set, description, more, change } => {
            let fields = set_fields(description, more);
            if fields == SetFields::default() {
                return Err(Failure::new(Code::Usage, "nothing to change was named")
                    .hint("name a field: --description, --session-duration or --relay-state"));
            }
            let writer = Writer::open(globals, &change, output)?;
            let found = writer.wait(writer.permission_set(&permission_set))?;
            let named = json!({"PermissionSetArn": found.id, "Name": found.name});
            let done = format!("Updated permission set {}", found.name);
            later(&writer, &found.name);
            writer.make(&Change::UpdatePermissionSet { arn: found.id, fields }, &done, &named)
        }
        PermissionSetCommand::Delete { permission_set, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let found = writer.wait(writer.permission_set(&permission_set))?;
            let lost = format!("permission set {} ({}) with its policies", found.name, found.id);
            writer.may_destroy(&format!("delete permission set {}", found.name), &[lost])?;
            let named = json!({"PermissionSetArn": found.id, "Name": found.name});
            let done = format!("Deleted permission set {}", found.name);
            writer.make(&Change::DeletePermissionSet(found.id), &done, &named)
        }
        PermissionSetCommand::Attach(args) => policy(&args, true, globals, output),
        PermissionSetCommand::Detach(args) => policy(&args, false, globals, output),
        PermissionSetCommand::PutInline(args) => {
            let document = read_policy(&args.file)?;
            let writer = Writer::open(globals, &args.change, output)?;
            let found = writer.wait(writer.permission_set(&args.permission_set))?;
            let named = json!({"PermissionSetArn": found.id, "Name": found.name});
            let done = format!("Set the inline policy of permission set {}", found.name);
            later(&writer, &found.name);
            writer.make(&Change::PutInlinePolicy { arn: found.id, document }, &done, &named)
        }
        PermissionSetCommand::DeleteInline { permission_set, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let found = writer.wait(writer.permission_set(&permission_set))?;
            writer.may_destroy(&format!("take the inline policy from permission set {}", found.name), &[])?;
            let named = json!({"PermissionSetArn": found.id, "Name": found.name});
            let done = format!("Took the inline policy from permission set {}", found.name);
            later(&writer, &found.name);
            writer.make(&Change::DeleteInlinePolicy(found.id), &done, &named)
        }
        PermissionSetCommand::Provision { permission_set, account, change } => {
            let writer = Writer::open(globals, &change, output)?;
            let (found, account) = writer.wait(async {
                let found = writer.permission_set(&permission_set).await?;
                let account = match &account {
                    Some(word) => Some(writer.gateway().account_id(word, &writer.policy, writer.progress()).await?),
                    None => None,
                };
                Ok((found, account))
            })?;
            let named = json!({"PermissionSetArn": found.id, "Name": found.name, "AccountId": account});
            let place = account.as_ref().map_or("all its accounts".to_owned(), |id| format!("account {id}"));
            let done = format!("Provisioned permission set {} to {place}", found.name);
            writer.make(&Change::Provision { arn: found.id, account }, &done, &named)
        }
        _ => Err(Failure::new(Code::Failed, format!("{} reads", Listing::PermissionSets.operation()))),
    }
}

/// Creates the set, then attaches each policy; a failure half way says what stands.
fn create_with(writer: Writer<'_>, create: &Change, name: &str, policies: Vec<String>) -> Result<(), Failure> {
    let named = json!({"Name": name});
    let done = format!("Created permission set {name}");
    if policies.is_empty() || writer.dry_run {
        return writer.make(create, &done, &named);
    }
    let made = writer.wait(writer.gateway().write(create, &writer.writing, writer.progress()))?;
    let arn = made.answer["PermissionSetArn"].as_str().unwrap_or_default().to_owned();
    let mut page = Page::new().line(&done);
    let mut all = vec![document(create, &named, &made)];
    let (mut failed, mut last) = (Vec::new(), untold(made));
    for policy in policies {
        let attach = Change::AttachManagedPolicy { arn: arn.clone(), policy: policy.clone() };
        match writer.wait(writer.gateway().write(&attach, &writer.writing, writer.progress())) {
            Ok(written) => {
                page = page.line(format!("Attached {policy}"));
                all.push(document(&attach, &named, &written));
                last = untold(written).or(last);
            }
            Err(failure) => failed.push(format!("{policy}: {}", failure.message)),
        }
    }
    let failure = (!failed.is_empty()).then(|| {
        Failure::new(Code::Partial, format!("permission set {name} was created without all of its policies"))
            .details(failed)
            .hint(format!("`awsideman permission-set attach {name} ARN` attaches one"))
    });
    let document = json!({"schema_version": 1, "changed": true, "PermissionSetArn": arn, "changes": all});
    writer.close(&document, &page, last.or(failure))
}

fn policy(args: &PolicyArgs, attach: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let writer = Writer::open(globals, &args.change, output)?;
    let found = writer.wait(writer.permission_set(&args.permission_set))?;
    let (arn, path) = (found.id.clone(), args.policy_path.clone());
    let what = args.policy.clone().or_else(|| args.customer_managed.clone()).unwrap_or_default();
    let change = match (&args.policy, attach) {
        (Some(policy), true) => Change::AttachManagedPolicy { arn, policy: policy.clone() },
        (Some(policy), false) => Change::DetachManagedPolicy { arn, policy: policy.clone() },
        (None, true) => Change::AttachCustomerPolicy { arn, name: what.clone(), path },
        (None, false) => Change::DetachCustomerPolicy { arn, name: what.clone(), path },
    };
    if !attach {
        writer.may_destroy(&format!("detach {what} from permission set {}", found.name), &[])?;
    }
    let named = json!({"PermissionSetArn": found.id, "Name": found.name, "Policy": what});
    let done = if attach {
        format!("Attached {what} to permission set {}", found.name)
    } else {
        format!("Detached {what} from permission set {}", found.name)
    };
    later(&writer, &found.name);
    writer.make(&change, &done, &named)
}

/// Accounts get what was changed when they are provisioned anew.
fn later(writer: &Writer<'_>, name: &str) {
    if !writer.dry_run {
        let text = format!("accounts that have it get the change with `awsideman permission-set provision {name}`");
        writer.progress().notice(&text);
    }
}

fn set_fields(description: Option<String>, more: SetArgs) -> SetFields {
    SetFields { description, session_duration: more.session_duration, relay_state: more.relay_state }
}

/// A policy must be a JSON object before AWS is bothered with it.
fn read_policy(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Code::Usage, format!("cannot read the policy from {}: {error}", path.display()))
    };
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(LONGEST_POLICY).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(LONGEST_POLICY).read_to_string(&mut text).map_err(failed)?;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(_)) => Ok(text),
        Ok(_) => Err(Failure::new(Code::Usage, format!("{} is no policy: it is not a JSON object", path.display()))),
        Err(error) => Err(Failure::new(Code::Usage, format!("{} is no policy: {error}", path.display()))
            .hint("nothing was changed; mend the file and try again")),
    }
}

//! The policies of permission sets: attached, detached, written inline.
//!
//! Attached policies are read live from AWS. If the requested state already holds, nothing changes. A document that is not
//! JSON never leaves this host.

use super::WriteSession;
use crate::cli::args::permission_set::PolicyArgs;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::commands::changes::permission_set::SET;
use crate::cli::commands::changes::permission_set::check;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::gateway::{Confirmed, GetCall, ListCall, Mutation};
use crate::secure_fs::bounded;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// A policy as the command line names it.
enum PolicyArgument {
    Managed(String),
    Own { name: String, path: String },
}

impl PolicyArgument {
    fn of(arguments: &PolicyArgs) -> PolicyArgument {
        match (&arguments.policy, &arguments.customer_managed) {
            (Some(arn), _) => PolicyArgument::Managed(arn.clone()),
            (None, name) => PolicyArgument::Own {
                name: name.clone().unwrap_or_default(),
                path: arguments.policy_path.clone().unwrap_or_else(|| "/".to_owned()),
            },
        }
    }

    fn words(&self) -> String {
        match self {
            PolicyArgument::Managed(arn) => arn.clone(),
            PolicyArgument::Own { name, path } => format!("customer managed policy {path}{name}"),
        }
    }

    fn describe(&self, step: ChangeStep) -> ChangeStep {
        match self {
            PolicyArgument::Managed(arn) => step.with("ManagedPolicyArn", arn.as_str()),
            PolicyArgument::Own { name, path } => {
                step.with("PolicyName", name.as_str()).with("PolicyPath", path.as_str())
            }
        }
    }

    /// Whether it is among those that are attached.
    fn is_attached(&self, writer: &WriteSession<'_>, set: &Confirmed) -> Result<bool, CliError> {
        let listing = match self {
            PolicyArgument::Managed(_) => ListCall::ManagedPolicies(set.id.clone()),
            PolicyArgument::Own { .. } => ListCall::CustomerManagedPolicies(set.id.clone()),
        };
        let attached = writer.wait(writer.gateway().confirmer().ask_all(listing))?;
        Ok(attached.iter().any(|row| match self {
            PolicyArgument::Managed(arn) => row["Arn"] == **arn,
            PolicyArgument::Own { name, path } => row["Name"] == **name && row["Path"].as_str().unwrap_or("/") == path,
        }))
    }
}

pub(super) fn attach(
    writer: &WriteSession<'_>,
    set: &Confirmed,
    arguments: &PolicyArgs,
) -> Result<ChangeStep, CliError> {
    let policy = PolicyArgument::of(arguments);
    let already = policy.is_attached(writer, set)?;
    let phrase = format!("attach {} to permission set {}", policy.words(), set.words());
    let arn = set.id.clone();
    let change = match &policy {
        PolicyArgument::Managed(policy) => Mutation::AttachManagedPolicy { arn, policy: policy.clone() },
        PolicyArgument::Own { name, path } => {
            Mutation::AttachCustomerPolicy { arn, name: name.clone(), path: path.clone() }
        }
    };
    Ok(policy.describe(ChangeStep::new(change, phrase, check(set)).about(SET, set)).already(already))
}

pub(super) fn detach(
    writer: &WriteSession<'_>,
    set: &Confirmed,
    arguments: &PolicyArgs,
) -> Result<ChangeStep, CliError> {
    let policy = PolicyArgument::of(arguments);
    let already = !policy.is_attached(writer, set)?;
    let phrase = format!("detach {} from permission set {}", policy.words(), set.words());
    let arn = set.id.clone();
    let change = match &policy {
        PolicyArgument::Managed(policy) => Mutation::DetachManagedPolicy { arn, policy: policy.clone() },
        PolicyArgument::Own { name, path } => {
            Mutation::DetachCustomerPolicy { arn, name: name.clone(), path: path.clone() }
        }
    };
    Ok(policy.describe(ChangeStep::new(change, phrase, check(set)).about(SET, set)).already(already))
}

pub(super) fn put_inline(writer: &WriteSession<'_>, set: &Confirmed, document: String) -> Result<ChangeStep, CliError> {
    let now = inline_of(writer, set)?;
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let already = parsed(&now).is_some_and(|now| Some(now) == parsed(&document));
    let change = Mutation::PutInlinePolicy { arn: set.id.clone(), document };
    let phrase = format!("put the inline policy of permission set {}", set.words());
    let step = ChangeStep::new(change, phrase, check(set)).about(SET, set).already(already);
    Ok(step.expecting(json!({"InlinePolicy": now})))
}

pub(super) fn delete_inline(writer: &WriteSession<'_>, set: &Confirmed) -> Result<ChangeStep, CliError> {
    let now = inline_of(writer, set)?;
    let already = now.is_empty();
    let phrase = format!("delete the inline policy of permission set {}", set.words());
    let step = ChangeStep::new(Mutation::DeleteInlinePolicy(set.id.clone()), phrase, check(set)).about(SET, set);
    Ok(step.already(already).expecting(json!({"InlinePolicy": now})))
}

fn inline_of(writer: &WriteSession<'_>, set: &Confirmed) -> Result<String, CliError> {
    let found = writer.wait(writer.gateway().confirmer().ask(&GetCall::InlinePolicy(set.id.clone())))?;
    Ok(found["InlinePolicy"].as_str().unwrap_or_default().to_owned())
}

/// The policy document in a file, or on standard input for `-`.
pub(super) fn document(file: &str) -> Result<String, CliError> {
    let read = if file == "-" {
        let mut text = String::new();
        // One byte more shows that it is too long.
        let read = std::io::stdin().take(bounded::POLICY_FILE + 1).read_to_string(&mut text);
        read.and_then(|length| bounded::within(length as u64, bounded::POLICY_FILE)).map(|()| text)
    } else {
        bounded::bounded_named(Path::new(file), bounded::POLICY_FILE).and_then(bounded::text)
    };
    let shown = if file == "-" { "standard input" } else { file };
    let text = read.map_err(|error| {
        CliError::new(Code::Usage, format!("--file: cannot read {shown}: {error}"))
            .hint("name a file that holds the policy document, or - for standard input")
    })?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(_)) => Ok(text),
        Ok(_) => {
            Err(CliError::new(Code::Usage, format!("--file: {shown} is not a policy document: not a JSON object"))
                .hint("it begins like this: {\"Version\": \"2012-10-17\", \"Statement\": ["))
        }
        Err(error) => Err(CliError::new(Code::Usage, format!("--file: {shown} is not JSON: {error}"))
            .hint("fix the document at that place; nothing was changed")),
    }
}

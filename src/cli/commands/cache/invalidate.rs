//! `cache invalidate`: removes the entries that a change made outside awsideman affects.
//!
//! Works in every state of the cache and ends with the line "Invalidated N entries".

use crate::app::{Invalidated, Invalidator, NameResolver};
use crate::cache::Operation;
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::model::Resource;
use crate::progress::Progress;
use clap::Args;

/// Invalidate entries affected by a change made elsewhere
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Invalidate entries affected by a change made elsewhere.\n\n\
        For a change made outside awsideman: in the console, with Terraform, by an identity provider. Prints the \
        keys, and globs if the exact keys are not known, and removes their entries, also while the cache is \
        disabled, bypassed or behind an open breaker. This makes no call to AWS: names are resolved in the \
        cache, and an unknown name is used as an id, with a notice. An answer that is being fetched at that \
        moment is not stored.",
    after_help = "Examples:\n  awsideman cache invalidate update user alice\n  \
        awsideman cache invalidate add-member group Developers --dry-run\n  \
        awsideman cache invalidate assign assignment ReadOnly --json"
)]
pub struct InvalidateArgs {
    /// What happened: create, update, delete, add-member, remove-member, set-policies, provision, assign, revoke
    #[arg(value_name = "OPERATION")]
    pub operation: String,
    /// To what: user, group, permission-set, assignment
    #[arg(value_name = "RESOURCE")]
    pub resource: String,
    /// Name, id or ARN; of the permission set for an assignment
    #[arg(value_name = "NAME")]
    pub id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) fn invalidate(args: &InvalidateArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let (operation, resource) = change(args)?;
    if args.id.trim().is_empty() {
        return Err(CliError::new(Code::Usage, "the id is empty"));
    }
    let session = open_loudly(globals, output)?;
    // An assignment is named by its permission set.
    let kind = if resource == Resource::Assignment { Resource::PermissionSet } else { resource };
    let id = named::id(&NameResolver::new(&session.app), kind, &args.id, &mut |text| session.progress.notice(text))?;
    let done: Invalidated = Invalidator::new(&session.app).invalidate(operation, resource, &id, args.dry_run)?;
    let mut page = done.keys.iter().chain(&done.globs).fold(TextReport::new(), |page, dirty| page.line(dirty.clone()));
    if done.space.is_none() {
        page = page.line("(of every instance, since it is not known which one this profile belongs to)");
    }
    if done.retired {
        page = page.line("The cache could not record it, so a new cache was started");
    }
    let verb = if args.dry_run { "Would invalidate" } else { "Invalidated" };
    output.report(&done, &page.line(format!("{verb} {} entries", done.invalidated)))
}

/// Parses operation and resource.
fn change(args: &InvalidateArgs) -> Result<(Operation, Resource), CliError> {
    let words = |operations: &[Operation]| operations.iter().map(|o| o.as_str()).collect::<Vec<_>>().join(", ");
    let Some(operation) = Operation::parse(&args.operation) else {
        return Err(CliError::new(Code::Usage, format!("unknown operation `{}`", args.operation))
            .hint(format!("the operations are {}", words(&Operation::ALL))));
    };
    let resources: Vec<&str> = operation.resources().iter().map(|resource| resource.as_str()).collect();
    let Some(resource) = Resource::parse(&args.resource) else {
        return Err(CliError::new(Code::Usage, format!("`{}` is not a resource", args.resource))
            .hint(format!("{operation} applies to {}", resources.join(", "))));
    };
    if operation.resources().contains(&resource) {
        return Ok((operation, resource));
    }
    let to_it: Vec<Operation> = Operation::ALL.into_iter().filter(|o| o.resources().contains(&resource)).collect();
    let mut hint = format!("{operation} applies to {}", resources.join(", "));
    if !to_it.is_empty() {
        hint = format!("{hint}\nthe operations on {resource} are {}", words(&to_it));
    }
    Err(CliError::new(Code::Usage, format!("`{operation}` does not apply to `{resource}`")).hint(hint))
}

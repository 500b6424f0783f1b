//! The flags of commands that change users, groups and who is in which.
//!
//! A flag of `create` means the same in `update`, where an empty text takes the value away.

use crate::cli::args::read_flags::ChangeArgs;
use clap::Args;

/// `user create`
#[derive(Debug, Clone, Args)]
pub struct NewUserArgs {
    /// The name to sign in with
    #[arg(long, value_name = "NAME", required = true)]
    pub username: String,
    /// The given name
    #[arg(long, value_name = "TEXT", required = true)]
    pub first_name: String,
    /// The family name
    #[arg(long, value_name = "TEXT", required = true)]
    pub last_name: String,
    /// The display name; default: given and family name
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `user update`
#[derive(Debug, Clone, Args)]
#[group(id = "new values of a user", required = true, multiple = true,
    args = ["username", "first_name", "last_name", "display_name", "email"])]
pub struct UserChangesArgs {
    /// The name or id of the user
    pub user: String,
    /// The name to sign in with
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The given name
    #[arg(long, value_name = "TEXT")]
    pub first_name: Option<String>,
    /// The family name
    #[arg(long, value_name = "TEXT")]
    pub last_name: Option<String>,
    /// The display name; default: given and family name
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// The choice for the assignments of a deleted user or group; AWS keeps them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct Orphans {
    /// Revoke its assignments before it is deleted
    #[arg(long, conflicts_with = "leave_assignments")]
    pub revoke: bool,
    /// Keep its assignments as orphans
    #[arg(long)]
    pub leave_assignments: bool,
}

/// `group create`
#[derive(Debug, Clone, Args)]
pub struct NewGroupArgs {
    /// The name
    #[arg(long, value_name = "NAME", required = true)]
    pub name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `group update`
#[derive(Debug, Clone, Args)]
#[group(id = "new values of a group", required = true, multiple = true, args = ["name", "description"])]
pub struct GroupChangesArgs {
    /// The name or id of the group
    pub group: String,
    /// The name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `group add-member`, `group remove-member`
#[derive(Debug, Clone, Args)]
pub struct MemberArgs {
    /// The name or id of the group
    pub group: String,
    /// The name or id of the user
    pub user: String,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

//! The commands that look up what Identity Center and Organizations hold.
//!
//! Neighbours: `reading.rs` has the flags they share; `commands/` carries them out. Promise: a name, an id or an ARN
//! is taken wherever a thing is named.

use super::reading::{ListArgs, ReadArgs};
use clap::{Args, Subcommand};

/// `list`.
#[derive(Debug, Clone, Args)]
pub struct Everything {
    /// What to print.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `user ...`
#[derive(Debug, Clone, Subcommand)]
pub enum UserCommand {
    /// List all users
    #[command(after_help = "Examples:\n  awsideman user list\n  \
        awsideman user list --filter 'UserName=a*' --sort UserName\n  \
        awsideman user list --columns UserName,UserId --output csv --out users.csv")]
    List(Everything),
    /// Show one user
    #[command(after_help = "Examples:\n  awsideman user get alice\n  awsideman user get alice --json --max-age 5m")]
    Get {
        /// The name or id of the user
        user: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Find users by a part of their name or mail address
    #[command(after_help = "Examples:\n  awsideman user find smith\n  awsideman user find @example.com --limit 10")]
    Find {
        /// A part of what is looked for, or a glob
        text: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the groups that a user is in
    #[command(after_help = "Examples:\n  awsideman user groups alice\n  awsideman user groups alice --refresh")]
    Groups {
        /// The name or id of the user
        user: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
}

/// `group ...`
#[derive(Debug, Clone, Subcommand)]
pub enum GroupCommand {
    /// List all groups
    #[command(after_help = "Examples:\n  awsideman group list\n  awsideman group list --sort DisplayName:desc")]
    List(Everything),
    /// Show one group
    #[command(after_help = "Examples:\n  awsideman group get Developers\n  awsideman group get Developers --json")]
    Get {
        /// The name or id of the group
        group: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Find groups by a part of their name or description
    #[command(after_help = "Examples:\n  awsideman group find dev\n  awsideman group find 'team-*'")]
    Find {
        /// A part of what is looked for, or a glob
        text: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the members of a group
    #[command(after_help = "Examples:\n  awsideman group members Developers\n  \
        awsideman group members Developers --columns UserName --output csv")]
    Members {
        /// The name or id of the group
        group: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
}

/// `permission-set ...`
#[derive(Debug, Clone, Subcommand)]
pub enum PermissionSetCommand {
    /// List all permission sets
    #[command(after_help = "Examples:\n  awsideman permission-set list\n  awsideman ps list --output yaml")]
    List(Everything),
    /// Show one permission set with its policies
    #[command(after_help = "Examples:\n  awsideman permission-set get AdministratorAccess\n  \
        awsideman ps get ReadOnly --json")]
    Get {
        /// The name or ARN of the permission set
        permission_set: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Find permission sets by a part of their name or description
    #[command(after_help = "Examples:\n  awsideman permission-set find admin\n  awsideman ps find 'Read*'")]
    Find {
        /// A part of what is looked for, or a glob
        text: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
}

/// `account ...`
#[derive(Debug, Clone, Subcommand)]
pub enum AccountCommand {
    /// List all accounts
    #[command(after_help = "Examples:\n  awsideman account list\n  \
        awsideman account list --filter Status!=ACTIVE")]
    List(Everything),
    /// Show one account
    #[command(after_help = "Examples:\n  awsideman account get 123456789012\n  awsideman account get sandbox --json")]
    Get {
        /// The name or id of the account
        account: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
}

/// `ou ...`
#[derive(Debug, Clone, Subcommand)]
pub enum OuCommand {
    /// List all organizational units
    #[command(after_help = "Examples:\n  awsideman ou list\n  awsideman ou list --json")]
    List(Everything),
}

/// `assignment ...`
#[derive(Debug, Clone, Subcommand)]
pub enum AssignmentCommand {
    /// List assignments, all or those that the flags choose
    #[command(
        long_about = "List assignments, all or those that the flags choose.\n\n\
            Without a flag everything is listed, which takes many calls when the cache is cold: above 200 it asks back \
            first, and where nobody can answer it wants --yes. `cache warm assignments` fetches them ahead. Targets that cannot be read are named one by one, and the exit code is 3.",
        after_help = "Examples:\n  awsideman assignment list --account 123456789012\n  \
            awsideman assignment list --principal alice\n  \
            awsideman assignment list --permission-set AdministratorAccess --json"
    )]
    List {
        /// Only assignments in this account (name or id)
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// Only assignments of this permission set (name or ARN)
        #[arg(long, value_name = "NAME")]
        permission_set: Option<String>,
        /// Only assignments of this user or group (name or id)
        #[arg(long, value_name = "NAME")]
        principal: Option<String>,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
}

/// `instance ...`
#[derive(Debug, Clone, Subcommand)]
pub enum InstanceCommand {
    /// List the instances of IAM Identity Center in this region
    #[command(after_help = "Examples:\n  awsideman instance list\n  awsideman instance list --region eu-west-1 --json")]
    List(Everything),
}

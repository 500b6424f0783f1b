//! The commands that look up what Identity Center and Organizations hold.
//!
//! Neighbours: `reading.rs` has the flags they share; `commands/` carries them out. Promise: a name, an id or an ARN
//! is taken wherever a thing is named.

use super::changes::{ChangeArgs, GrantArgs, InlineArgs, NamedFields, PolicyArgs, SetArgs, UserFields};
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
    /// Create a user
    #[command(after_help = "Examples:\n  awsideman user create --username ada --first-name Ada --last-name King\n  \
        awsideman user create --username bo --first-name Bo --last-name Li --dry-run")]
    Create {
        /// Its fields.
        #[command(flatten)]
        fields: UserFields,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Change fields of a user
    #[command(after_help = "Examples:\n  awsideman user update ada --display-name 'Ada King'\n  \
        awsideman user update ada --username ada.king --email ada.king@example.com")]
    Update {
        /// The name or id of the user
        user: String,
        /// Its fields.
        #[command(flatten)]
        fields: UserFields,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Delete a user, with its memberships
    #[command(after_help = "Examples:\n  awsideman user delete ada --dry-run\n  awsideman user delete ada --yes")]
    Delete {
        /// The name or id of the user
        user: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
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
    /// Create a group
    #[command(after_help = "Examples:\n  awsideman group create --name Auditors --description 'Read everything'")]
    Create {
        /// Its fields.
        #[command(flatten)]
        fields: NamedFields,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Change the name or description of a group
    #[command(after_help = "Examples:\n  awsideman group update Auditors --description 'Read all accounts'")]
    Update {
        /// The name or id of the group
        group: String,
        /// Its fields.
        #[command(flatten)]
        fields: NamedFields,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Delete a group, with its memberships
    #[command(after_help = "Examples:\n  awsideman group delete Auditors --dry-run\n  \
        awsideman group delete Auditors --yes")]
    Delete {
        /// The name or id of the group
        group: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Put a user into a group
    #[command(after_help = "Examples:\n  awsideman group add-member Auditors ada")]
    AddMember {
        /// The name or id of the group
        group: String,
        /// The name or id of the user
        user: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Take a user out of a group
    #[command(after_help = "Examples:\n  awsideman group remove-member Auditors ada --yes")]
    RemoveMember {
        /// The name or id of the group
        group: String,
        /// The name or id of the user
        user: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
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
        #[arg(value_name = "SET")]
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
    /// Create a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set create --name Audit --session-duration 8h\n  \
        awsideman ps create --name RO --managed-policy arn:aws:iam::aws:policy/X")]
    Create {
        /// Its fields.
        #[command(flatten)]
        fields: NamedFields,
        /// Its further fields.
        #[command(flatten)]
        more: SetArgs,
        /// Attach this AWS managed policy (can be repeated)
        #[arg(long, value_name = "ARN")]
        managed_policy: Vec<String>,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Change a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set update Audit --session-duration 4h")]
    Update {
        /// The name or ARN of the permission set
        #[arg(value_name = "SET")]
        permission_set: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Its further fields.
        #[command(flatten)]
        more: SetArgs,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Delete a permission set that is assigned to nobody
    #[command(after_help = "Examples:\n  awsideman permission-set delete Audit --yes")]
    Delete {
        /// The name or ARN of the permission set
        #[arg(value_name = "SET")]
        permission_set: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Attach a policy to a permission set
    #[command(after_help = "Examples:\n  awsideman ps attach Audit arn:aws:iam::aws:policy/ReadOnlyAccess\n  \
        awsideman ps attach Audit --customer-managed Ours --policy-path /audit/")]
    Attach(PolicyArgs),
    /// Detach a policy from a permission set
    #[command(after_help = "Examples:\n  awsideman ps detach Audit arn:aws:iam::aws:policy/ReadOnlyAccess --yes")]
    Detach(PolicyArgs),
    /// Set the inline policy of a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set put-inline Audit --file policy.json\n  \
        cat policy.json | awsideman permission-set put-inline Audit --file -")]
    PutInline(InlineArgs),
    /// Take the inline policy from a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set delete-inline Audit --yes")]
    DeleteInline {
        /// The name or ARN of the permission set
        #[arg(value_name = "SET")]
        permission_set: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Bring a permission set into the accounts that have it
    #[command(after_help = "Examples:\n  awsideman permission-set provision Audit\n  \
        awsideman permission-set provision Audit 123456789012")]
    Provision {
        /// The name or ARN of the permission set
        #[arg(value_name = "SET")]
        permission_set: String,
        /// The name or id of one account; without it, all that have it
        account: Option<String>,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
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
    /// Show whether a principal has a permission set in an account
    #[command(after_help = "Examples:\n  awsideman assignment get Audit ada 123456789012\n  \
        awsideman assignment get Audit group:Auditors audit --json")]
    Get {
        /// The name or ARN of the permission set
        #[arg(value_name = "SET")]
        permission_set: String,
        /// The name or id of the user or group
        principal: String,
        /// The name or id of one account
        account: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Give a permission set to a user or group
    #[command(
        long_about = "Give a permission set to a user or group, in one account or in many.\n\n\
            Each account is followed until AWS has done it. When one fails, no further one is begun, unless \
            --continue-on-error; what failed is named account by account, and the exit code is 3.",
        after_help = "Examples:\n  awsideman assignment assign Audit ada 123456789012\n  \
            awsideman assignment assign Audit Auditors --ou-filter Production --dry-run\n  \
            awsideman assignment assign Audit Auditors --account-filter tag:Env=prod"
    )]
    Assign(GrantArgs),
    /// Take a permission set from a user or group
    #[command(after_help = "Examples:\n  awsideman assignment revoke Audit ada 123456789012 --yes\n  \
        awsideman assignment revoke Audit Auditors --accounts staging,test --dry-run")]
    Revoke(GrantArgs),
    /// Show how an accepted assignment, revocation or provisioning goes on
    #[command(after_help = "Examples:\n  awsideman assignment status 12345678-90ab-cdef-1234-567890abcdef")]
    Status {
        /// The request id that was shown
        request_id: String,
    },
}

/// `instance ...`
#[derive(Debug, Clone, Subcommand)]
pub enum InstanceCommand {
    /// List the instances of IAM Identity Center in this region
    #[command(after_help = "Examples:\n  awsideman instance list\n  awsideman instance list --region eu-west-1 --json")]
    List(Everything),
}

//! The commands that look up and change what Identity Center and Organizations hold.
//!
//! A name, an id or an ARN is taken wherever a thing is named.

use crate::cli::args::assignment::GrantArgs;
use crate::cli::args::identity_store::GroupChangesArgs;
use crate::cli::args::identity_store::MemberArgs;
use crate::cli::args::identity_store::NewGroupArgs;
use crate::cli::args::identity_store::NewUserArgs;
use crate::cli::args::identity_store::Orphans;
use crate::cli::args::identity_store::UserChangesArgs;
use crate::cli::args::permission_set::InlineArgs;
use crate::cli::args::permission_set::NewSetArgs;
use crate::cli::args::permission_set::PolicyArgs;
use crate::cli::args::permission_set::Provision;
use crate::cli::args::permission_set::SetChangesArgs;
use crate::cli::args::read_flags::ChangeArgs;
use crate::cli::args::read_flags::ListArgs;
use crate::cli::args::read_flags::ReadArgs;
use crate::cli::args::read_flags::count;
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
    /// Find users by part of their name or mail address
    #[command(after_help = "Examples:\n  awsideman user find smith\n  awsideman user find @example.com --limit 10")]
    Find {
        /// The text to search for, or a glob
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
    #[command(
        override_usage = "awsideman user create --username <NAME> [OPTIONS]",
        after_help = "Examples:\n  \
        awsideman user create --username ada --first-name Ada --last-name Lovelace\n  \
        awsideman user create --username a --first-name A --last-name B --dry-run"
    )]
    Create(NewUserArgs),
    /// Change attributes of a user; an empty value removes one
    #[command(
        override_usage = "awsideman user update <USER> [OPTIONS]",
        after_help = "Examples:\n  awsideman user update ada --email ada@example.org\n  \
        awsideman user update ada --username ada.king --last-name King"
    )]
    Update(UserChangesArgs),
    /// Delete a user and all its memberships
    #[command(
        long_about = "Delete a user and all its memberships.\n\n\
            AWS keeps the assignments of a deleted user. `--revoke` revokes them first, `--leave-assignments` keeps \
            them; on a terminal the command asks. If there are assignments, one of the two is required with `--yes` \
            and without a terminal. The result counts the remaining assignments and shows how to revoke them.",
        after_help = "Examples:\n  awsideman user delete ada\n  awsideman user delete ada --dry-run\n  \
            awsideman user delete ada --revoke --yes --json"
    )]
    Delete {
        /// The name or id of the user
        user: String,
        /// What becomes of its assignments.
        #[command(flatten)]
        orphans: Orphans,
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
    /// Find groups by part of their name or description
    #[command(after_help = "Examples:\n  awsideman group find dev\n  awsideman group find 'team-*'")]
    Find {
        /// The text to search for, or a glob
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
    #[command(after_help = "Examples:\n  awsideman group create --name Developers\n  \
        awsideman group create --name Developers --description 'All who write code'")]
    Create(NewGroupArgs),
    /// Change a group; an empty value removes the description
    #[command(
        override_usage = "awsideman group update <GROUP> [OPTIONS]",
        after_help = "Examples:\n  awsideman group update Developers --name Engineers\n  \
        awsideman group update Developers --description 'All who write code'"
    )]
    Update(GroupChangesArgs),
    /// Delete a group and all its memberships
    #[command(
        long_about = "Delete a group and all its memberships.\n\n\
            AWS keeps the assignments of a deleted group. `--revoke` revokes them first, `--leave-assignments` keeps \
            them; on a terminal the command asks. If there are assignments, one of the two is required with `--yes` \
            and without a terminal. The result counts the remaining assignments and shows how to revoke them.",
        after_help = "Examples:\n  awsideman group delete Developers\n  \
            awsideman group delete Developers --dry-run\n  awsideman group delete Developers --revoke --yes"
    )]
    Delete {
        /// The name or id of the group
        group: String,
        /// What becomes of its assignments.
        #[command(flatten)]
        orphans: Orphans,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Add a user to a group
    #[command(after_help = "Examples:\n  awsideman group add-member Developers ada\n  \
        awsideman group add-member Developers ada --json")]
    AddMember(MemberArgs),
    /// Remove a user from a group
    #[command(after_help = "Examples:\n  awsideman group remove-member Developers ada\n  \
        awsideman group remove-member Developers ada --yes")]
    RemoveMember(MemberArgs),
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
    /// Find permission sets by part of name or description
    #[command(after_help = "Examples:\n  awsideman permission-set find admin\n  awsideman ps find 'Read*'")]
    Find {
        /// The text to search for, or a glob
        text: String,
        /// What to print.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Create a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set create --name ReadOnly\n  \
        awsideman permission-set create --name ReadOnly --session-duration 8h")]
    Create(NewSetArgs),
    /// Change attributes of a permission set
    #[command(
        override_usage = "awsideman permission-set update <PERMISSION_SET> [OPTIONS]",
        after_help = "Examples:\n  awsideman permission-set update ReadOnly --session-duration 4h\n  \
        awsideman permission-set update ReadOnly --description 'Look only' --provision"
    )]
    Update(SetChangesArgs),
    /// Delete a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set delete ReadOnly\n  \
        awsideman permission-set delete ReadOnly --yes")]
    Delete {
        /// The name or ARN of the permission set
        permission_set: String,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Attach a managed policy to a permission set
    #[command(
        override_usage = "awsideman permission-set attach <PERMISSION_SET> [POLICY] [OPTIONS]",
        after_help = "Examples:\n  \
        awsideman permission-set attach Audit arn:aws:iam::aws:policy/SecurityAudit\n  \
        awsideman permission-set attach Audit --customer-managed audit-more"
    )]
    Attach(PolicyArgs),
    /// Detach a managed policy from a permission set
    #[command(
        override_usage = "awsideman permission-set detach <PERMISSION_SET> [POLICY] [OPTIONS]",
        after_help = "Examples:\n  \
        awsideman permission-set detach Audit arn:aws:iam::aws:policy/SecurityAudit\n  \
        awsideman permission-set detach Audit --customer-managed audit-more --yes"
    )]
    Detach(PolicyArgs),
    /// Set the inline policy of a permission set
    #[command(
        override_usage = "awsideman permission-set put-inline <PERMISSION_SET> --file <FILE>",
        after_help = "Examples:\n  awsideman permission-set put-inline Audit --file policy.json\n  \
        jq . policy.json | awsideman permission-set put-inline Audit --file -"
    )]
    PutInline(InlineArgs),
    /// Delete the inline policy of a permission set
    #[command(after_help = "Examples:\n  awsideman permission-set delete-inline Audit\n  \
        awsideman permission-set delete-inline Audit --yes --provision")]
    DeleteInline {
        /// The name or ARN of the permission set
        permission_set: String,
        /// Whether to bring it to its accounts.
        #[command(flatten)]
        provision: Provision,
        /// How it is made.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Provision a permission set to its accounts
    #[command(after_help = "Examples:\n  awsideman permission-set provision Audit\n  \
        awsideman permission-set provision Audit --account 123456789012")]
    Provision {
        /// The name or ARN of the permission set
        permission_set: String,
        /// Only this account (name or id)
        #[arg(long, value_name = "ACCOUNT")]
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
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum AssignmentCommand {
    List(AssignmentListArgs),
    /// Assign a permission set to a user or group in accounts
    #[command(
        override_usage = "awsideman assignment assign <PERMISSION_SET> <PRINCIPAL> [ACCOUNT]",
        long_about = "Assign a permission set to a user or group in accounts.\n\n\
            Filters are combined; accounts that are not active are reported as `skipped`. Each assignment is \
            followed until AWS has completed it. An existing assignment does not change. If some fail, the \
            result names each account with its outcome, and the exit code is 3.",
        after_help = "Examples:\n  awsideman assignment assign ReadOnly ada 123456789012\n  \
            awsideman assignment assign ReadOnly Developers --accounts dev,test\n  \
            awsideman assignment assign Audit Auditors --ou-filter /Root/Prod --dry-run\n  \
            awsideman assignment assign Audit Auditors --account-filter tag:stage=prod"
    )]
    Assign(GrantArgs),
    /// Revoke a permission set of a user or group in accounts
    #[command(
        override_usage = "awsideman assignment revoke <PERMISSION_SET> <PRINCIPAL> [ACCOUNT]",
        long_about = "Revoke a permission set of a user or group in accounts.\n\n\
            Shows the losses first and asks for confirmation. If some fail, the result names each account with \
            its outcome, and the exit code is 3.",
        after_help = "Examples:\n  awsideman assignment revoke ReadOnly ada 123456789012\n  \
            awsideman assignment revoke ReadOnly Developers --account-pattern 'dev-*'\n  \
            awsideman assignment revoke Audit Auditors --account-filter '*' --yes"
    )]
    Revoke(GrantArgs),
    /// Show one assignment
    #[command(after_help = "Examples:\n  awsideman assignment get ReadOnly ada 123456789012\n  \
        awsideman assignment get ReadOnly ada prod --json")]
    Get {
        /// The name or ARN of the permission set
        permission_set: String,
        /// The name or id of the user or group
        principal: String,
        /// The name or id of the account
        account: String,
        /// How to read it.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Show the status of an asynchronous change
    #[command(after_help = "Examples:\n  \
        awsideman assignment status 1a2b3c4d-0000-4000-8000-000000000000\n  \
        awsideman assignment status 1a2b3c4d-0000-4000-8000-000000000000 --json")]
    Status {
        /// The request id that AWS gave it
        request_id: String,
    },
}

/// `instance ...`
#[derive(Debug, Clone, Subcommand)]
pub enum InstanceCommand {
    /// List Identity Center instances in this region
    #[command(after_help = "Examples:\n  awsideman instance list\n  awsideman instance list --region eu-west-1 --json")]
    List(Everything),
}

/// List assignments, all or filtered by flags
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "List assignments, all or filtered by flags.\n\n\
        Without a flag, every account is asked about every permission set provisioned to it, which takes many \
        calls if the cache is empty. A list that needs more than 200 calls prints its cost first: on a terminal \
        it asks for confirmation, elsewhere it stops after access.max_calls (2000) calls with exit code 3 and a \
        partial list; the next one continues. Targets that cannot be read are named one by one, and the exit \
        code is 3.\n\n\
        With --principal USER the list contains the direct assignments of the user; the number of assignments \
        through groups is printed as a note.",
    after_help = "Examples:\n  awsideman assignment list --account 123456789012\n  \
        awsideman assignment list --principal alice\n  \
        awsideman assignment list --permission-set AdministratorAccess --json\n  \
        awsideman assignment list --max-calls 500 --json"
)]
pub struct AssignmentListArgs {
    /// Only this account (name or id)
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Only assignments of this permission set (name or ARN)
    #[arg(long, value_name = "NAME")]
    pub permission_set: Option<String>,
    /// Only assignments of this user or group (name or id)
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// Most calls to AWS [default: `access.max_calls`]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub max_calls: Option<u64>,
    /// What to print.
    #[command(flatten)]
    pub list: ListArgs,
}

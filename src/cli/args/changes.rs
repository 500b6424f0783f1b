//! The commands that change Identity Center: their words, one struct for each kind of change.
//!
//! Neighbours: `directory.rs` puts them beside the commands that read; `commands/changes/` carries them out. Promise: what
//! is destroyed is shown first, and asked about or agreed to with `--yes`; the flags are those of the earlier tool.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What every change takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ChangeArgs {
    /// Ask AWS; neither use nor fill the cache
    #[arg(long, help_heading = "Freshness")]
    pub no_cache: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The fields of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct UserFields {
    /// The name to sign in with
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The name to be shown
    #[arg(long, value_name = "NAME")]
    pub display_name: Option<String>,
    /// The primary mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// The given name
    #[arg(long, value_name = "NAME")]
    pub first_name: Option<String>,
    /// The family name
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,
}

/// The fields of a group or permission set that have a name and a description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NamedFields {
    /// Its name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

/// The further fields of a permission set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct SetArgs {
    /// How long a session lasts, as ISO 8601 (PT8H) or 8h
    #[arg(long, value_name = "DURATION", value_parser = session_duration)]
    pub session_duration: Option<String>,
    /// Where people land after they signed in
    #[arg(long, value_name = "URL")]
    pub relay_state: Option<String>,
}

/// A policy of a permission set.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PolicyArgs {
    /// The name or ARN of the permission set
    #[arg(value_name = "SET")]
    pub permission_set: String,
    /// The ARN of an AWS managed policy
    #[arg(required_unless_present = "customer_managed", conflicts_with = "customer_managed")]
    pub policy: Option<String>,
    /// The name of a policy that every account has itself
    #[arg(long, value_name = "NAME")]
    pub customer_managed: Option<String>,
    /// The path of that policy
    #[arg(long, value_name = "PATH", default_value = "/", requires = "customer_managed")]
    pub policy_path: String,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// USER or GROUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum PrincipalType {
    /// A person
    User,
    /// A group
    Group,
}

/// `assignment assign`, `assignment revoke`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct GrantArgs {
    /// The name or ARN of the permission set
    #[arg(value_name = "SET")]
    pub permission_set: String,
    /// The name or id of the user or group
    pub principal: String,
    /// The name or id of one account
    #[arg(conflicts_with_all = ["accounts", "ou_filter", "account_pattern", "account_filter", "all_accounts"])]
    pub account: Option<String>,
    /// Whether a user or a group is meant, where both have the name
    #[arg(long, value_name = "TYPE", value_enum, ignore_case = true)]
    pub principal_type: Option<PrincipalType>,
    /// These accounts (names or ids)
    #[arg(long, value_name = "ACCOUNT,...", value_delimiter = ',', help_heading = "Accounts")]
    pub accounts: Vec<String>,
    /// The accounts in this organizational unit and below it (name, path or id)
    #[arg(long, value_name = "OU", help_heading = "Accounts")]
    pub ou_filter: Option<String>,
    /// The accounts whose name matches this glob, whatever the case
    #[arg(long, value_name = "GLOB", help_heading = "Accounts")]
    pub account_pattern: Option<String>,
    /// The accounts that bear this tag: tag:KEY=VALUE (can be repeated)
    #[arg(long, value_name = "tag:KEY=VALUE", value_parser = tag, help_heading = "Accounts")]
    pub account_filter: Vec<(String, String)>,
    /// Every active account of the organization
    #[arg(long, help_heading = "Accounts")]
    pub all_accounts: bool,
    /// Go on with the other accounts when one fails
    #[arg(long, conflicts_with = "stop_on_error")]
    pub continue_on_error: bool,
    /// Begin with no further account when one fails
    #[arg(long)]
    pub stop_on_error: bool,
    /// How many accounts are under way at once; AWS takes 15 at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=15))]
    pub batch_size: u8,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `permission-set put-inline`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct InlineArgs {
    /// The name or ARN of the permission set
    #[arg(value_name = "SET")]
    pub permission_set: String,
    /// Read the policy from this file; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `journal ...`
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// List the changes that were made from here, newest first
    #[command(after_help = "Examples:\n  awsideman journal list\n  awsideman journal list --limit 100 --json")]
    List {
        /// Print at most this many
        #[arg(short = 'n', long, value_name = "N", help_heading = "Selection")]
        limit: Option<u64>,
    },
    /// Show one change: what was asked for, what was there before, how it ended
    #[command(after_help = "Examples:\n  awsideman journal show 12\n  awsideman journal show 12 --json")]
    Show {
        /// The number that `journal list` shows
        id: i64,
    },
}

fn session_duration(text: &str) -> Result<String, String> {
    if text.starts_with('P') {
        return Ok(text.to_owned());
    }
    let wrong = |_| format!("`{text}` is not a duration: write PT8H or 8h");
    let seconds = crate::model::parse_duration(text).map_err(|error| wrong(error.to_string()))?.as_secs();
    if !(3_600..=43_200).contains(&seconds) {
        return Err(format!("`{text}` is out of range: a session lasts from 1h to 12h"));
    }
    let (hours, minutes) = (seconds / 3_600, seconds % 3_600 / 60);
    Ok(if minutes == 0 { format!("PT{hours}H") } else { format!("PT{hours}H{minutes}M") })
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.strip_prefix("tag:").and_then(|rest| rest.split_once('=')) {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not a filter: write tag:KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_durations_are_those_of_aws_or_ours() {
        assert_eq!(session_duration("PT4H").unwrap(), "PT4H");
        assert_eq!(session_duration("8h").unwrap(), "PT8H");
        assert_eq!(session_duration("90m").unwrap(), "PT1H30M");
        for wrong in ["30m", "13h", "soon"] {
            assert!(session_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_read_as_key_and_value() {
        assert_eq!(tag("tag:Env=prod=1").unwrap(), ("Env".to_owned(), "prod=1".to_owned()));
        assert!(tag("Env=prod").is_err() && tag("tag:=x").is_err());
    }
}

//! The flags of `assignment assign` and `assignment revoke`.
//!
//! The accounts are always explicit: one, several by name, or those that filters select.

use crate::cli::args::read_flags::ChangeArgs;
use crate::gateway::PrincipalKind;
use clap::{Args, ValueEnum};

/// `assignment assign`, `assignment revoke`
#[derive(Debug, Clone, Args)]
#[group(id = "accounts to choose", required = true, multiple = true,
    args = ["account", "accounts", "ou_filter", "account_pattern", "account_filter", "all_accounts"])]
pub struct GrantArgs {
    /// The name or ARN of the permission set
    pub permission_set: String,
    /// The name or id of the user or group
    pub principal: String,
    /// The name or id of the account
    #[arg(conflicts_with_all = ["accounts", "ou_filter", "account_pattern", "account_filter", "all_accounts"])]
    pub account: Option<String>,
    /// Whether the principal is a user or a group; default: either
    #[arg(long, value_name = "TYPE", value_enum, ignore_case = true)]
    pub principal_type: Option<PrincipalChoice>,
    /// These accounts (names or ids)
    #[arg(
        long,
        value_name = "ACCOUNT,...",
        value_delimiter = ',',
        conflicts_with_all = ["ou_filter", "account_pattern", "account_filter", "all_accounts"],
        help_heading = "Accounts"
    )]
    pub accounts: Vec<String>,
    /// All accounts of this organizational unit and of those below it (name, path or id)
    #[arg(long, value_name = "OU", help_heading = "Accounts")]
    pub ou_filter: Option<String>,
    /// Accounts whose name or id this glob matches
    #[arg(long, value_name = "GLOB", help_heading = "Accounts")]
    pub account_pattern: Option<String>,
    /// Accounts that have this tag (can be repeated); * is every active account
    #[arg(long, value_name = "tag:KEY=VALUE", value_parser = AccountFilter::parse, help_heading = "Accounts")]
    pub account_filter: Vec<AccountFilter>,
    /// Every active account of the organization
    #[arg(long, help_heading = "Accounts", conflicts_with_all = ["ou_filter", "account_pattern", "account_filter"])]
    pub all_accounts: bool,
    /// Continue with other accounts after a failure (default)
    #[arg(long, conflicts_with = "stop_on_error")]
    pub continue_on_error: bool,
    /// Begin no other account after one has failed
    #[arg(long)]
    pub stop_on_error: bool,
    /// At most this many requests in progress, 1 to 15
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=15))]
    pub batch_size: u8,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// The words of `--principal-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrincipalChoice {
    /// A person
    #[value(name = "USER")]
    User,
    /// A group
    #[value(name = "GROUP")]
    Group,
}

impl From<PrincipalChoice> for PrincipalKind {
    fn from(choice: PrincipalChoice) -> PrincipalKind {
        match choice {
            PrincipalChoice::User => PrincipalKind::User,
            PrincipalChoice::Group => PrincipalKind::Group,
        }
    }
}

/// One `--account-filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountFilter {
    /// `*`: every account.
    All,
    /// `tag:KEY=VALUE`.
    Tag(String, String),
}

impl AccountFilter {
    fn parse(text: &str) -> Result<AccountFilter, String> {
        if text == "*" {
            return Ok(AccountFilter::All);
        }
        match text.strip_prefix("tag:").and_then(|tag| tag.split_once('=')) {
            Some((key, value)) if !key.is_empty() => Ok(AccountFilter::Tag(key.to_owned(), value.to_owned())),
            _ => Err(format!("`{text}` chooses no accounts: write tag:KEY=VALUE, or * for all")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_filters_are_tags_or_everything() {
        assert_eq!(AccountFilter::parse("*"), Ok(AccountFilter::All));
        assert_eq!(AccountFilter::parse("tag:a=b=c"), Ok(AccountFilter::Tag("a".into(), "b=c".into())));
        for text in ["a=b", "tag:a", "tag:=b", "prod"] {
            assert!(AccountFilter::parse(text).unwrap_err().contains("tag:KEY=VALUE"), "{text}");
        }
    }
}

//! The flags of commands that change permission sets and their policies.
//!
//! Session durations are checked, and policies are distinguished from names, before AWS is called.

use crate::cli::args::read_flags::ChangeArgs;
use crate::model::parse_duration;
use clap::Args;
use std::time::Duration;

/// `permission-set create`
#[derive(Debug, Clone, Args)]
pub struct NewSetArgs {
    /// The name
    #[arg(long, value_name = "NAME", required = true)]
    pub name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How long a session lasts, as in 8h or PT8H: 1 to 12 hours
    #[arg(long, value_name = "LENGTH", value_parser = session_duration)]
    pub session_duration: Option<String>,
    /// Where a session begins in the console
    #[arg(long, value_name = "URL")]
    pub relay_state: Option<String>,
    /// Attach this AWS managed policy (can be repeated)
    #[arg(long, value_name = "ARN", value_parser = managed_policy)]
    pub managed_policy: Vec<String>,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `permission-set update`
#[derive(Debug, Clone, Args)]
#[group(id = "new values of a permission set", required = true, multiple = true,
    args = ["description", "session_duration", "relay_state"])]
pub struct SetChangesArgs {
    /// The name or ARN of the permission set
    pub permission_set: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// How long a session lasts, as in 8h or PT8H: 1 to 12 hours
    #[arg(long, value_name = "LENGTH", value_parser = session_duration)]
    pub session_duration: Option<String>,
    /// Where a session begins in the console
    #[arg(long, value_name = "URL")]
    pub relay_state: Option<String>,
    /// Whether to bring it to its accounts.
    #[command(flatten)]
    pub provision: Provision,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `permission-set attach`, `permission-set detach`
#[derive(Debug, Clone, Args)]
#[group(id = "a policy", required = true, multiple = false, args = ["policy", "customer_managed"])]
pub struct PolicyArgs {
    /// The name or ARN of the permission set
    pub permission_set: String,
    /// The ARN of the AWS managed policy
    #[arg(value_parser = managed_policy)]
    pub policy: Option<String>,
    /// A policy of this name, which each account has for itself
    #[arg(long, value_name = "NAME")]
    pub customer_managed: Option<String>,
    /// The path of that policy; default /
    #[arg(long, value_name = "PATH", requires = "customer_managed")]
    pub policy_path: Option<String>,
    /// Whether to bring it to its accounts.
    #[command(flatten)]
    pub provision: Provision,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// `permission-set put-inline`
#[derive(Debug, Clone, Args)]
pub struct InlineArgs {
    /// The name or ARN of the permission set
    pub permission_set: String,
    /// Take the policy document from this file; - is standard input
    #[arg(long, value_name = "FILE", required = true)]
    pub file: String,
    /// Whether to bring it to its accounts.
    #[command(flatten)]
    pub provision: Provision,
    /// How it is made.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Whether accounts that have a permission set get what is new in it.
#[derive(Debug, Clone, Args)]
pub struct Provision {
    /// Bring the change to all accounts that have the permission set
    #[arg(long)]
    pub provision: bool,
}

/// Reads `8h`, `90m`, `PT8H`; gives ISO 8601 as AWS wants it.
fn session_duration(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not a session duration: write 1h to 12h, as in 8h, 90m or PT8H");
    let duration = match text.strip_prefix("PT") {
        Some(rest)
            if rest.ends_with(['H', 'M', 'S']) && rest.chars().all(|c| c.is_ascii_digit() || "HMS".contains(c)) =>
        {
            parse_duration(&rest.to_lowercase())
        }
        Some(_) => return Err(wrong()),
        None => parse_duration(text),
    };
    let minutes = duration.map_err(|_| wrong()).map(|length| length.as_secs())?;
    if !(Duration::from_hours(1).as_secs()..=Duration::from_hours(12).as_secs()).contains(&minutes) || minutes % 60 != 0
    {
        return Err(wrong());
    }
    let (hours, minutes) = (minutes / 3600, minutes % 3600 / 60);
    Ok(if minutes == 0 { format!("PT{hours}H") } else { format!("PT{hours}H{minutes}M") })
}

fn managed_policy(text: &str) -> Result<String, String> {
    let is_managed = text.starts_with("arn:") && text.split(':').nth(5).is_some_and(|path| path.starts_with("policy/"));
    if is_managed {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is not the ARN of a managed policy: write arn:aws:iam::aws:policy/ReadOnlyAccess; a policy of your own \
         is attached with `attach --customer-managed NAME`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_durations_are_read_as_people_and_as_aws_write_them() {
        for (text, iso) in
            [("8h", "PT8H"), ("90m", "PT1H30M"), ("PT8H", "PT8H"), ("PT1H30M", "PT1H30M"), ("3600", "PT1H")]
        {
            assert_eq!(session_duration(text).unwrap(), iso, "{text}");
        }
        for text in ["13h", "59m", "1h 5s", "PT", "PT8h", "PT3600", "PT1H 30M", "8H", "1y", "soon", ""] {
            assert!(session_duration(text).unwrap_err().contains("1h to 12h"), "{text}");
        }
    }

    #[test]
    fn a_name_is_no_managed_policy() {
        let arn = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess";
        assert_eq!(managed_policy(arn).unwrap(), arn);
        for text in ["ReadOnlyAccess", "arn:aws:iam::aws:role/x", "arn:"] {
            assert!(managed_policy(text).unwrap_err().contains("--customer-managed"), "{text}");
        }
    }
}

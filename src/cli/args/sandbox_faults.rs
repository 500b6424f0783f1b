//! The flags of `sandbox serve` that make it go wrong.
//!
//! Every fault can be had by a flag, and what `--faults` takes is what `POST /_sandbox/faults` takes.

use crate::model::parse_duration;
use crate::sandbox::{BadFaults, Conduct, Faults, Limits, Rates, Rule};
use clap::Args;
use std::time::Duration;

/// All keys, for the help of `--faults`.
const KEYS: &str = "Make these go wrong, as JSON\n\n\
    The same JSON is taken by POST /_sandbox/faults while it serves; GET shows what is set, and `{}` ends all. Flags \
    given in addition are added. The keys:\n\n\
    latency_ms, latency_by_operation ({\"ListUsers\": 200}), async_delay_ms, read_lag_ms, throttle_every, \
    delegated_admin (true), refuse_filters (true), no_account_status (true), access_denied_accounts (a list), tps ({\"identitystore\": 20, \"sso_admin\": 20, \
    \"organizations\": 20});\n\n\
    and lists of rules: throttle, fail, reset, truncate, short_pages, repeat_token, access_denied, fail_async, hold.\n\n\
    A rule says which calls it hits: operation (\"AWSIdentityStore.ListUsers\", \"ListUsers\", \"AWSIdentityStore.*\", \
    \"*\"), account, nth (the first that is hit), count (how many), every (each so-many-th); and where it applies when \
    (\"before\" or \"after\" what is asked for is done: fail, reset, hold), status (fail) and rows (short_pages).\n\n\
    A call that is held waits until POST /_sandbox/release, which takes {\"operation\": ..., \"count\": ...} or nothing.";

/// What goes wrong.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Faults")]
pub struct FaultArgs {
    /// Let asynchronous operations take this long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "300ms")]
    pub async_delay: Duration,
    /// Answer reads from before a write for this long after it
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0")]
    pub read_lag: Duration,
    /// Throttle each identitystore operation beyond this many calls a second, in place of --tps
    #[arg(long, value_name = "N")]
    pub identitystore_tps: Option<f64>,
    /// Throttle sso-admin beyond this many calls a second, in place of --tps
    #[arg(long, value_name = "N")]
    pub sso_admin_tps: Option<f64>,
    /// Throttle organizations beyond this many calls a second, in place of --tps
    #[arg(long, value_name = "N")]
    pub organizations_tps: Option<f64>,
    /// Throttle every N-th call
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub throttle_every: u64,
    /// Throttle this operation, or its first N calls (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub throttle: Vec<Rule>,
    /// Answer this operation, or its first N calls, with HTTP 500 (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub fail: Vec<Rule>,
    /// Reset the connection of this operation, or of its first N calls, undone (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub reset: Vec<Rule>,
    /// Reset it when the call was done and only its answer is lost (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub reset_after: Vec<Rule>,
    /// Break the answers of this operation, or of its first N calls, off (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub truncate: Vec<Rule>,
    /// Give pages of this many rows at most
    #[arg(long, value_name = "ROWS")]
    pub short_pages: Option<usize>,
    /// Answer this listing, or its first N calls, with the token it was asked with (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub repeat_token: Vec<Rule>,
    /// Deny access to this operation, or to its first N calls (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub access_denied: Vec<Rule>,
    /// Deny access to this account (can be repeated)
    #[arg(long, value_name = "ACCOUNT_ID")]
    pub access_denied_account: Vec<String>,
    /// Let the asynchronous operations that this one begins fail (can be repeated)
    #[arg(long, value_name = "OPERATION[=N]", value_parser = calls)]
    pub fail_async: Vec<Rule>,
    /// Call as a delegated administrator, who may assign nothing in the management account
    #[arg(long)]
    pub delegated_admin: bool,
    /// Refuse the deprecated filters of user and group lists
    #[arg(long)]
    pub refuse_filters: bool,
    /// Return accounts with State and without the retired Status
    #[arg(long)]
    pub no_account_status: bool,
    #[arg(long, value_name = "JSON", value_parser = json, help = "Make these go wrong, as JSON", long_help = KEYS)]
    #[expect(missing_docs, reason = "the help says it")]
    pub faults: Option<Faults>,
}

impl FaultArgs {
    /// How the sandbox behaves under these flags.
    pub fn conduct(&self, limits: Limits) -> Conduct {
        let mut faults = self.faults.clone().unwrap_or_default();
        let Rates { identitystore, sso_admin, organizations } = faults.tps;
        faults.tps = Rates {
            identitystore: self.identitystore_tps.or(identitystore),
            sso_admin: self.sso_admin_tps.or(sso_admin),
            organizations: self.organizations_tps.or(organizations),
        };
        if !self.read_lag.is_zero() {
            faults.read_lag_ms = u64::try_from(self.read_lag.as_millis()).unwrap_or(u64::MAX);
        }
        if self.throttle_every > 0 {
            faults.throttle_every = self.throttle_every;
        }
        faults.delegated_admin |= self.delegated_admin;
        faults.refuse_filters |= self.refuse_filters;
        faults.no_account_status |= self.no_account_status;
        faults.throttle.extend(self.throttle.iter().cloned());
        faults.fail.extend(self.fail.iter().cloned());
        faults.reset.extend(self.reset.iter().cloned());
        faults.reset.extend(self.reset_after.iter().cloned().map(Rule::after));
        faults.truncate.extend(self.truncate.iter().cloned());
        faults.short_pages.extend(self.short_pages.map(|rows| Rule { rows: Some(rows), ..Rule::default() }));
        faults.repeat_token.extend(self.repeat_token.iter().cloned());
        faults.access_denied.extend(self.access_denied.iter().cloned());
        faults.access_denied_accounts.extend(self.access_denied_account.iter().cloned());
        faults.fail_async.extend(self.fail_async.iter().cloned());
        Conduct { limits, async_delay: self.async_delay, faults, ..Conduct::default() }
    }
}

/// `ListUsers`, or `ListUsers=2` for the first two calls of it.
fn calls(text: &str) -> Result<Rule, String> {
    let Some((operation, count)) = text.split_once('=') else { return Ok(Rule::of(text)) };
    match count.parse() {
        Ok(count) if count > 0 => Ok(Rule::first(count, operation)),
        _ => Err(format!("`{count}` is not a number of calls: use `{operation}` or `{operation}=1`")),
    }
}

fn json(text: &str) -> Result<Faults, BadFaults> {
    Faults::from_json(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        faults: FaultArgs,
    }

    fn parse(words: &[&str]) -> Result<Conduct, String> {
        let words = std::iter::once("x").chain(words.iter().copied());
        let parsed = Alone::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(parsed.faults.conduct(Limits::default()))
    }

    #[test]
    fn flags_and_json_say_the_same_and_add_up() {
        let json = "{\"throttle\": [{\"operation\": \"ListUsers\", \"count\": 2}], \"read_lag_ms\": 5, \"tps\": {\"sso_admin\": 3}}";
        let flags = ["--throttle", "ListUsers=2", "--read-lag", "5ms", "--sso-admin-tps", "3"];
        assert_eq!(parse(&["--faults", json]).unwrap().faults, parse(&flags).unwrap().faults);
        let both = parse(&["--faults", json, "--throttle", "ListGroups"]).unwrap().faults;
        assert_eq!(both.throttle, [Rule::first(2, "ListUsers"), Rule::of("ListGroups")]);
        let after = parse(&["--reset-after", "CreateUser=1", "--short-pages", "7"]).unwrap().faults;
        assert_eq!(after.reset, [Rule::first(1, "CreateUser").after()]);
        assert_eq!(after.short_pages[0].rows, Some(7));
        assert_eq!(parse(&[]).unwrap().async_delay, Conduct::ASYNC_DELAY);
    }

    #[test]
    fn what_is_no_fault_is_refused_in_words() {
        let error = parse(&["--throttle", "ListUsers=some"]).err().unwrap();
        assert!(error.contains("`some` is not a number of calls"), "{error}");
        let error = parse(&["--faults", "{\"lag\": 1}"]).err().unwrap();
        assert!(error.contains("unknown field `lag`"), "{error}");
    }

    #[test]
    fn the_help_lists_every_key_of_the_json() {
        let faults = serde_json::to_value(Faults { hold: vec![Rule::default()], ..Faults::default() }).unwrap();
        let rule = faults["hold"][0].as_object().unwrap().keys();
        let rates = faults["tps"].as_object().unwrap().keys();
        for key in faults.as_object().unwrap().keys().chain(rule).chain(rates) {
            assert!(KEYS.contains(key.as_str()), "{key} is missing in the help of --faults");
        }
    }
}

//! The rules of fault injection.
//!
//! One struct contains every fault, for every interface. An unknown key or operation is an error that lists the known
//! ones.

use crate::operations;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// All faults; the default is none. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The latency of every call; `null` keeps the initial one.
    pub latency_ms: Option<u64>,
    /// The latency of single operations, instead of `latency_ms`.
    pub latency_by_operation: BTreeMap<String, u64>,
    /// How long after a write reads return the state before it.
    pub read_lag_ms: u64,
    /// The duration of an asynchronous operation; `null` keeps the initial one. It applies to ongoing ones too.
    pub async_delay_ms: Option<u64>,
    /// Calls per second before throttling, by family; `null` keeps the initial limit, 0 is no limit.
    pub tps: Rates,
    /// Throttle every n-th call; 0 throttles none.
    pub throttle_every: u64,
    /// Throttle these calls.
    pub throttle: Vec<Rule>,
    /// Answer these calls with an HTTP `status` of 500 or more; with `"when": "after"` they are executed first.
    pub fail: Vec<Rule>,
    /// Reset the connection of these calls without an answer; with `"when": "after"` they are executed first.
    pub reset: Vec<Rule>,
    /// Truncate the answers of these calls, which are executed.
    pub truncate: Vec<Rule>,
    /// Limit the pages of these listings to `rows` rows; pages of 0 rows are empty and have a token.
    pub short_pages: Vec<Rule>,
    /// Answer these listings with the token of their request.
    pub repeat_token: Vec<Rule>,
    /// Deny these calls.
    pub access_denied: Vec<Rule>,
    /// Deny every call of sso-admin that names one of these accounts.
    pub access_denied_accounts: Vec<String>,
    /// Let the asynchronous operations of these calls end as `FAILED`.
    pub fail_async: Vec<Rule>,
    /// The caller is a delegated administrator, which may not assign in the management account.
    pub delegated_admin: bool,
    /// Refuse the deprecated `Filters` of `ListUsers` and `ListGroups`, as some regions of AWS do.
    pub refuse_filters: bool,
    /// Return accounts with `State` alone, without `Status`, which AWS retired in September 2026.
    pub no_account_status: bool,
    /// Hold these calls until they are released: before their execution, or with `"when": "after"` before their
    /// answer. Without `count` only the first call is held.
    pub hold: Vec<Rule>,
}

/// Calls per second, by family of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// For each identitystore operation.
    pub identitystore: Option<f64>,
    /// For all sso-admin operations together.
    pub sso_admin: Option<f64>,
    /// For all organizations operations together.
    pub organizations: Option<f64>,
}

/// The calls of a fault: those of an operation (and account), and their positions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// `AWSIdentityStore.ListUsers`, `ListUsers`, `AWSIdentityStore.*`; empty or `*` is every operation.
    pub operation: String,
    /// Only calls that name this account.
    pub account: Option<String>,
    /// The first call that is hit, counted from 1; by default 1.
    pub nth: Option<u64>,
    /// The number of hits from there on; by default one for holds and with `nth` alone, otherwise all.
    pub count: Option<u64>,
    /// Only every n-th call from there on.
    pub every: Option<u64>,
    /// Whether the fault occurs before or after the execution (`fail`, `reset`, `hold`).
    pub when: When,
    /// The HTTP status (`fail`); by default 500.
    pub status: Option<u16>,
    /// The rows of a page (`short_pages`); by default 0.
    pub rows: Option<usize>,
}

/// Before or after the execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before the execution.
    #[default]
    Before,
    /// After the execution, before the answer.
    After,
}

impl Rule {
    /// Every call of an operation.
    pub fn of(operation: &str) -> Rule {
        Rule { operation: operation.into(), ..Rule::default() }
    }

    /// The first `count` calls of an operation.
    pub fn first(count: u64, operation: &str) -> Rule {
        Rule { count: Some(count), ..Rule::of(operation) }
    }

    /// The `nth` call of an operation.
    pub fn nth(nth: u64, operation: &str) -> Rule {
        Rule { nth: Some(nth), ..Rule::of(operation) }
    }

    /// The same calls, after their execution.
    #[must_use]
    pub fn after(self) -> Rule {
        Rule { when: When::After, ..self }
    }

    /// Only calls that name this account.
    #[must_use]
    pub fn in_account(self, account: &str) -> Rule {
        Rule { account: Some(account.into()), ..self }
    }
}

/// Invalid faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFaults(pub(crate) String);

impl fmt::Display for BadFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFaults {}

impl Faults {
    /// Parses faults from JSON, as in `POST /_sandbox/faults`.
    pub fn from_json(text: &[u8]) -> Result<Faults, BadFaults> {
        // A list would be parsed as the values in their order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(BadFaults("faults are a JSON object: `{}` is none".into()));
        }
        let faults: Faults = serde_json::from_slice(text).map_err(|error| BadFaults(error.to_string()))?;
        faults.check()?;
        Ok(faults)
    }

    /// Rejects rules that can never apply, so that a misspelled fault does not make a test pass.
    pub(crate) fn check(&self) -> Result<(), BadFaults> {
        let sided = ["fail", "reset", "hold"];
        for (key, rules) in self.lists() {
            for (number, rule) in rules.iter().enumerate() {
                let wrong = |what: &str| Err(BadFaults(format!("{key}[{number}]: {what}")));
                if let Err(unknown) = operations::check_pattern(&rule.operation) {
                    return wrong(&unknown);
                }
                if rule.when == When::After && !sided.contains(&key) {
                    return wrong("`when` is for `fail`, `reset` and `hold`");
                }
                if rule.status.is_some() && key != "fail" {
                    return wrong("`status` is for `fail`");
                }
                if rule.status.is_some_and(|status| !(500..600).contains(&status)) {
                    return wrong("`status` must be from 500 to 599");
                }
                if rule.rows.is_some() && key != "short_pages" {
                    return wrong("`rows` is for `short_pages`");
                }
                if [rule.nth, rule.every, rule.count].contains(&Some(0)) {
                    return wrong("`nth`, `every` and `count` begin at 1");
                }
            }
        }
        for operation in self.latency_by_operation.keys() {
            operations::check_pattern(operation).map_err(|what| BadFaults(format!("latency_by_operation: {what}")))?;
        }
        Ok(())
    }

    fn lists(&self) -> [(&'static str, &[Rule]); 9] {
        [
            ("throttle", &self.throttle),
            ("fail", &self.fail),
            ("reset", &self.reset),
            ("truncate", &self.truncate),
            ("short_pages", &self.short_pages),
            ("repeat_token", &self.repeat_token),
            ("access_denied", &self.access_denied),
            ("fail_async", &self.fail_async),
            ("hold", &self.hold),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_or_an_operation_that_nobody_knows_is_refused_by_name() {
        let refused = |text: &str| Faults::from_json(text.as_bytes()).expect_err(text).to_string();
        let words = refused("{\"read_lag\": 5}");
        assert!(words.contains("unknown field `read_lag`") && words.contains("`read_lag_ms`"), "{words}");
        assert!(words.contains("`access_denied_accounts`") && words.contains("`hold`"), "{words}");
        let words = refused("{\"hold\": [{\"operation\": \"ListUser\"}]}");
        assert!(words.starts_with("hold[0]: ") && words.contains("`ListUser`"), "{words}");
        assert!(refused("{\"hold\": [{\"op\": \"ListUsers\"}]}").contains("unknown field `op`"));
        for text in [
            "{\"throttle\": [{\"when\": \"after\"}]}",
            "{\"fail\": [{\"status\": 404}]}",
            "{\"reset\": [{\"status\": 500}]}",
            "{\"hold\": [{\"rows\": 1}]}",
            "{\"hold\": [{\"nth\": 0}]}",
            "{\"hold\": [{\"when\": \"during\"}]}",
            "{\"tps\": {\"sts\": 1}}",
            "{\"latency_by_operation\": {\"ListUser\": 1}}",
            "[]",
            "",
        ] {
            refused(text);
        }
    }

    #[test]
    fn what_is_shown_can_be_given_back() {
        let text =
            "{\"access_denied_accounts\": [\"111111111111\"], \"read_lag_ms\": 2000, \"tps\": {\"sso_admin\": 5},
            \"hold\": [{\"operation\": \"AWSIdentityStore.ListUsers\", \"nth\": 1, \"when\": \"after\"}],
            \"fail\": [{\"operation\": \"AWSIdentityStore.*\", \"status\": 503}, {}]}";
        let faults = Faults::from_json(text.as_bytes()).expect("known");
        assert_eq!(faults.hold, [Rule::nth(1, "AWSIdentityStore.ListUsers").after()]);
        let shown = serde_json::to_vec(&faults).expect("JSON");
        assert_eq!(Faults::from_json(&shown), Ok(faults));
        assert_eq!(Faults::from_json(b"{}"), Ok(Faults::default()));
    }
}

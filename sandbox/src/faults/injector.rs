//! Fault injection: applies the rules to each call.
//!
//! Each rule counts its calls in order, independent of the other rules.

use crate::aws_json::Mishaps;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::aws_json::Service;
use crate::faults::rules::BadFaults;
use crate::faults::rules::Faults;
use crate::faults::rules::Rule;
use crate::faults::rules::When;
use crate::operations;
use crate::services::sts;
use crate::state::Organization;
use std::time::Duration;

/// The faults of a call.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The error instead of its execution.
    pub(crate) refusal: Option<Refusal>,
    /// The error after its execution.
    pub(crate) lost: Option<Refusal>,
    /// Whether it counts as throttled.
    pub(crate) throttled: bool,
    /// The faults for the operation.
    pub(crate) mishaps: Mishaps,
    /// The faults for the connection.
    pub(crate) course: Course,
}

/// Latency and connection faults of a call.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// The latency before its execution.
    pub(crate) latency: Duration,
    /// The hold before its execution.
    pub(crate) hold_before: Option<Rule>,
    pub(crate) hold_after: Option<Rule>,
    /// When its connection is reset.
    pub(crate) reset: Option<When>,
    /// Whether its answer is truncated.
    pub(crate) truncate: bool,
}

/// The current faults and their counters.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    faults: Faults,
    counted: [Vec<Counted>; KINDS],
    calls: u64,
}

/// The positions of each kind of rule in the counters.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Throttle,
    Fail,
    Reset,
    Truncate,
    ShortPages,
    RepeatToken,
    AccessDenied,
    FailAsync,
    Hold,
}

const KINDS: usize = 9;

#[derive(Debug, Clone)]
struct Counted {
    rule: Rule,
    /// The most hits.
    most: Option<u64>,
    /// The matching calls.
    seen: u64,
    /// The calls that were hit.
    hit: u64,
}

impl Judge {
    /// Replaces the faults. Counters restart, except those of holds that stay.
    pub(crate) fn set(&mut self, faults: Faults) -> Result<(), BadFaults> {
        faults.check()?;
        let held = std::mem::take(&mut self.counted[Kind::Hold as usize]);
        let fresh = |rules: &[Rule]| rules.iter().cloned().map(Counted::new).collect::<Vec<_>>();
        let holds = faults.hold.iter().cloned().map(Counted::hold);
        self.counted = [
            fresh(&faults.throttle),
            fresh(&faults.fail),
            fresh(&faults.reset),
            fresh(&faults.truncate),
            fresh(&faults.short_pages),
            fresh(&faults.repeat_token),
            fresh(&faults.access_denied),
            fresh(&faults.fail_async),
            holds.collect(),
        ];
        for counted in &mut self.counted[Kind::Hold as usize] {
            if let Some(before) = held.iter().find(|before| before.rule == counted.rule) {
                *counted = before.clone();
            }
        }
        self.calls = 0;
        self.faults = faults;
        Ok(())
    }

    /// Adds a hold, which counts from now on; the other faults stay.
    pub(crate) fn add_hold(&mut self, hold: Rule) -> Result<(), BadFaults> {
        let mut faults = self.faults.clone();
        faults.hold.push(hold.clone());
        faults.check()?;
        self.faults = faults;
        self.counted[Kind::Hold as usize].push(Counted::hold(hold));
        Ok(())
    }

    /// The current faults.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Chooses the faults of a call; `base` is the initial latency of the sandbox.
    pub(crate) fn judge(
        &mut self,
        organization: &Organization,
        target: &str,
        service: Service,
        request: Option<&Request>,
        base: Duration,
    ) -> Verdict {
        self.calls += 1;
        let mut hit = |kind: Kind| -> Option<Rule> {
            let mut first = None;
            for counted in &mut self.counted[kind as usize] {
                if counted.hits(target, request) {
                    first.get_or_insert_with(|| counted.rule.clone());
                }
            }
            first
        };
        let throttle = hit(Kind::Throttle);
        let fail = hit(Kind::Fail);
        let reset = hit(Kind::Reset);
        let truncate = hit(Kind::Truncate).is_some();
        let rows = hit(Kind::ShortPages).map(|rule| rule.rows.unwrap_or(0));
        let repeat_token = hit(Kind::RepeatToken).is_some();
        let denied = hit(Kind::AccessDenied).is_some();
        let fail_async = hit(Kind::FailAsync).is_some();
        let hold = hit(Kind::Hold);
        let latency = self.latency(target, base);
        let faults = &self.faults;
        let every = faults.throttle_every > 0 && self.calls.is_multiple_of(faults.throttle_every);
        let throttled = every || throttle.is_some();
        let mut verdict = Verdict { throttled, ..Verdict::default() };
        verdict.mishaps = Mishaps {
            rows,
            repeat_token,
            fail_async,
            delegated_admin: faults.delegated_admin,
            refuse_filters: faults.refuse_filters,
            no_account_status: faults.no_account_status,
        };
        let (held_before, held_after) = match hold {
            Some(hold) if hold.when == When::After => (None, Some(hold)),
            hold => (hold, None),
        };
        let reset = reset.map(|rule| rule.when);
        verdict.course = Course { latency, hold_before: held_before, hold_after: held_after, reset, truncate };
        if throttled {
            verdict.refusal = Some(Refusal::throttled(service, 1));
        } else if denied || self.denies_account(service, request) {
            verdict.refusal = Some(denial(organization, target, service));
        }
        if let Some(rule) = fail {
            let failure = Refusal::failed(service, rule.status.unwrap_or(500));
            if rule.when == When::After {
                verdict.lost = Some(failure);
            } else {
                verdict.refusal.get_or_insert(failure);
            }
        }
        verdict
    }

    /// The latency of a call.
    pub(crate) fn latency(&self, target: &str, base: Duration) -> Duration {
        let own = self.faults.latency_by_operation.iter().find(|(pattern, _)| operations::means(pattern, target));
        own.map(|(_, ms)| *ms).or(self.faults.latency_ms).map_or(base, Duration::from_millis)
    }

    fn denies_account(&self, service: Service, request: Option<&Request>) -> bool {
        let denied = &self.faults.access_denied_accounts;
        service == Service::SsoAdmin && request.is_some_and(|r| denied.iter().any(|account| r.names_account(account)))
    }
}

impl Counted {
    fn new(rule: Rule) -> Counted {
        let one = rule.nth.is_some() && rule.every.is_none();
        Counted { most: rule.count.or(one.then_some(1)), rule, seen: 0, hit: 0 }
    }

    fn hold(rule: Rule) -> Counted {
        Counted { most: rule.count.or(Some(1)), ..Counted::new(rule) }
    }

    /// Counts a call; returns whether the rule hits it.
    fn hits(&mut self, target: &str, request: Option<&Request>) -> bool {
        let rule = &self.rule;
        let meant = operations::means(&rule.operation, target)
            && rule.account.as_ref().is_none_or(|account| request.is_some_and(|r| r.names_account(account)));
        if !meant {
            return false;
        }
        self.seen += 1;
        let Some(past) = self.seen.checked_sub(rule.nth.unwrap_or(1)) else { return false };
        let in_turn = past.is_multiple_of(rule.every.unwrap_or(1));
        let hits = in_turn && self.most.is_none_or(|most| self.hit < most);
        self.hit += u64::from(hits);
        hits
    }
}

fn denial(organization: &Organization, target: &str, service: Service) -> Refusal {
    let identity = &organization.identity;
    let (account, role) = (&identity.management_account, &identity.caller_role);
    let name = target.rsplit('.').next().unwrap_or(target);
    let prefix = match service {
        _ if target.starts_with(sts::PREFIX) => "sts",
        Service::IdentityStore => "identitystore",
        Service::SsoAdmin => "sso",
        Service::Organizations => "organizations",
    };
    Refusal::denied(format!(
        "User: arn:aws:sts::{account}:assumed-role/{role}/sandbox is not authorized to perform: {prefix}:{name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(rule: Rule, calls: u64) -> Vec<u64> {
        let mut counted = Counted::new(rule);
        (1..=calls).filter(|_| counted.hits("AWSIdentityStore.ListUsers", None)).collect()
    }

    #[test]
    fn a_rule_hits_the_calls_that_it_says() {
        let rule = |nth, every, count| Rule { nth, count, every, ..Rule::default() };
        assert_eq!(hits(rule(None, None, None), 4), [1, 2, 3, 4]);
        assert_eq!(hits(rule(None, None, Some(2)), 4), [1, 2]);
        assert_eq!(hits(rule(Some(3), None, None), 5), [3]);
        assert_eq!(hits(rule(Some(3), None, Some(2)), 9), [3, 4]);
        assert_eq!(hits(rule(Some(2), Some(2), None), 6), [2, 4, 6]);
        assert_eq!(hits(rule(Some(2), Some(3), Some(2)), 20), [2, 5]);
        assert!(hits(Rule::of("ListGroups"), 3).is_empty());
        assert!(hits(Rule::of("*").in_account("111111111111"), 3).is_empty(), "calls without an account");
    }
}

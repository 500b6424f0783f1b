//! Warming: reads from AWS ahead of the commands, all families of its APIs in parallel.
//!
//! Guarantee: entries that are fresh enough are left alone, targets that could not be read are listed, a budget of calls is
//! never exceeded, and a warm that was killed is resumed.

use super::baseline::Baseline;
use super::checkpoint::{WarmCheckpoint, is_refusal};
use super::patience::Patience;
use super::report::Warmed;
use super::round::{Renew, Renewed, Round};
use crate::clock::UnixMillis;
use crate::config::WarmTarget;
use crate::gateway::api::PrincipalKind;
use crate::gateway::assignments::Pairs;
use crate::gateway::core::{CachePolicy, Gateway};
use crate::gateway::error::GatewayError;
use crate::gateway::plan::Traversal;
use crate::gateway::request::Request;
use crate::progress::Progress;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What to warm and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmPlan {
    /// What, in any order.
    pub targets: Vec<WarmTarget>,
    /// Which of it is asked for.
    pub renew: Renew,
    /// Whether calls are counted against a budget: then one target is finished after the other, so that what is spent
    /// is not spread over lists that none of them ends.
    pub thrifty: bool,
    /// How long changes that settle are waited for, all together, and whether other processes that fetch the same are;
    /// `None` is not at all.
    pub patience: Option<Duration>,
    /// Whether the names of what changed are kept.
    pub names: bool,
}

impl WarmPlan {
    /// Everything of these targets, without a budget.
    pub fn new(targets: &[WarmTarget], renew: Renew) -> WarmPlan {
        WarmPlan { targets: targets.to_vec(), renew, thrifty: false, patience: None, names: false }
    }

    /// The targets in their order, each once.
    pub fn targets(&self) -> Vec<WarmTarget> {
        let mut targets = self.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// Keeps what a target holds for the next comparison. What cannot be kept costs that comparison only.
pub(super) fn keep_baseline(round: &Round<'_>, done: &Warmed, ended_well: bool) {
    let Some(baseline) = round.baseline else { return };
    let is_whole = ended_well && done.failures.is_empty() && done.not_kept.is_empty() && done.skipped.is_empty();
    if let Err(fault) = baseline.keep(is_whole, ended_well) {
        tracing::warn!(%fault, target = done.target, "what a warm read could not be kept for the next comparison");
    }
}

/// Opened once a target has come to an end, whatever that was.
struct TargetDone(Vec<(WarmTarget, watch::Sender<bool>)>);

impl TargetDone {
    fn open(&self, target: WarmTarget) {
        if let Some((_, gate)) = self.0.iter().find(|(gate, _)| *gate == target) {
            gate.send_replace(true);
        }
    }

    /// Waits until the target has ended; returns immediately if it is not part of this warm.
    async fn of(&self, target: WarmTarget) {
        if let Some((_, gate)) = self.0.iter().find(|(gate, _)| *gate == target) {
            // The sender lives as long as this does.
            let _ = gate.subscribe().wait_for(|settled| *settled).await;
        }
    }
}

/// What a whole warm holds on to.
struct WarmRun<'a> {
    plan: &'a WarmPlan,
    space: &'a str,
    since: Option<UnixMillis>,
    patience: Option<Patience>,
    settled: TargetDone,
    progress: &'a dyn Progress,
}

/// Nothing can be warmed where it is not known whose it would be.
fn without_space(targets: &[WarmTarget], error: GatewayError) -> (Vec<Warmed>, Option<GatewayError>) {
    let stopped = |target: &WarmTarget| Warmed { stopped: Some(error.to_string()), ..Warmed::new(*target) };
    if error.ends_everything() {
        return (targets.first().map(stopped).into_iter().collect(), Some(error));
    }
    let mut report: Vec<Warmed> = targets.iter().map(stopped).collect();
    let cause = Arc::new(error);
    for done in &mut report {
        done.cause = Some(cause.clone());
    }
    (report, None)
}

/// Asks AWS ahead of the commands.
#[derive(Clone, Copy)]
pub struct Warmer<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Asks AWS ahead of the commands.
    pub fn warmer(&self) -> Warmer<'_> {
        Warmer { gateway: self }
    }
}

impl Warmer<'_> {
    /// Warms every target of the plan. A target that fails does not stop the next, but what would fail for all of them
    /// (no login, the budget is spent) ends the warm with that error, after what was done so far.
    pub async fn warm(self, plan: &WarmPlan, progress: &dyn Progress) -> (Vec<Warmed>, Option<GatewayError>) {
        let targets = plan.targets();
        // Which instance it is, all need to know: it is asked once.
        let policy = CachePolicy::default();
        let space = tokio::select! {
            biased;
            space = self.gateway.space(&policy) => space,
            () = self.gateway.stopped() => Err(GatewayError::Interrupted),
        };
        let space = match space {
            Ok(space) => space.text(),
            Err(error) => return without_space(&targets, error),
        };
        let now = || self.gateway.cache().clock().now();
        let goes_on = self.gateway.checkpoints().mark(&space).filter(|last| last.goes_on(now()));
        let begun = goes_on.as_ref().map_or_else(now, |last| last.begun);
        if goes_on.is_none() {
            self.gateway.checkpoints().leave_mark(&space, &WarmCheckpoint { begun, ended: None, complete: false });
        }
        let run = WarmRun {
            plan,
            space: &space,
            // Entries that other processes store during this warm count too.
            since: (plan.renew == Renew::All).then_some(begun),
            patience: plan.patience.map(Patience::of),
            settled: TargetDone(targets.iter().map(|target| (*target, watch::Sender::new(false))).collect()),
            progress,
        };
        let (report, end) = self.warm_all(&targets, &run).await;
        // If the budget was spent or the login expired, the next warm continues, also one that started meanwhile.
        // While a part of it is not stored, it has not ended either.
        let is_whole = report.iter().all(|done| done.not_kept.is_empty());
        if end.is_none() && is_whole && self.gateway.checkpoints().mark(&space).is_none_or(|mark| mark.begun == begun) {
            let complete = report.iter().all(|done| done.failures.is_empty() && done.stopped.is_none());
            self.gateway.checkpoints().leave_mark(&space, &WarmCheckpoint { begun, ended: Some(now()), complete });
        }
        if let Err(error) = self.gateway.cache().store().settle() {
            self.gateway.fault(&error);
        }
        (report, end)
    }

    async fn warm_all(self, targets: &[WarmTarget], run: &WarmRun<'_>) -> (Vec<Warmed>, Option<GatewayError>) {
        let mut ended = Vec::new();
        if run.plan.thrifty {
            for target in targets {
                let one = self.warm_target(*target, run).await;
                let is_last = one.1.as_ref().is_some_and(GatewayError::ends_everything);
                ended.push(one);
                if is_last {
                    break;
                }
            }
        } else {
            ended = join_all(targets.iter().map(|target| self.warm_target(*target, run))).await;
        }
        let (mut report, mut end) = (Vec::new(), None);
        for (mut done, error) in ended {
            done.stopped = error.as_ref().map(ToString::to_string);
            match error {
                Some(error) if error.ends_everything() => end = end.or(Some(error)),
                error => done.cause = error.map(Arc::new),
            }
            report.push(done);
        }
        (report, end)
    }

    async fn warm_target(self, target: WarmTarget, run: &WarmRun<'_>) -> (Warmed, Option<GatewayError>) {
        let WarmRun { plan, space, since, patience, settled, progress } = run;
        let baseline = self.gateway.baselines.as_ref().map(|baselines| Baseline::of(baselines, space, target));
        let again =
            self.gateway.checkpoints().was_warmed(space, target) || baseline.as_ref().is_some_and(Baseline::exists);
        let round = Round {
            space,
            renew: plan.renew,
            since: *since,
            patience: patience.as_ref(),
            names: plan.names,
            again,
            baseline: baseline.as_ref(),
            progress: *progress,
        };
        let mut done = Warmed::new(target);
        done.changes.first = !again;
        let ended = tokio::select! {
            biased;
            ended = self.warm_round(target, &round, settled, &mut done) => ended,
            () = self.gateway.stopped() => Err(GatewayError::Interrupted),
        };
        let error = ended.err();
        keep_baseline(&round, &done, error.is_none());
        if error.is_none() && done.not_kept.is_empty() {
            self.gateway.checkpoints().note_warmed(space, target);
        }
        settled.open(target);
        (done, error)
    }

    async fn warm_round(
        self,
        target: WarmTarget,
        round: &Round<'_>,
        settled: &TargetDone,
        done: &mut Warmed,
    ) -> Result<(), GatewayError> {
        match target {
            WarmTarget::Users => self.renew(&Request::Users, round, done).await,
            WarmTarget::Groups => self.renew(&Request::Groups, round, done).await,
            WarmTarget::PermissionSets => self.renew(&Request::PermissionSets, round, done).await,
            WarmTarget::Accounts => self.renew(&Request::Accounts, round, done).await,
            WarmTarget::Memberships => {
                settled.of(WarmTarget::Groups).await;
                let groups = self
                    .gateway
                    .traversals()
                    .ids(&Request::Groups, "GroupId", &CachePolicy::default(), round.progress)
                    .await?;
                let count = groups.len();
                self.renew_all(groups.into_iter().map(Request::GroupMembers), count, round, done).await
            }
            WarmTarget::Assignments => self.warm_assignments(round, settled, done).await,
        }
    }

    async fn warm_assignments(
        self,
        round: &Round<'_>,
        settled: &TargetDone,
        done: &mut Warmed,
    ) -> Result<(), GatewayError> {
        let (policy, progress) = (CachePolicy::default(), round.progress);
        settled.of(WarmTarget::PermissionSets).await;
        let sets =
            self.gateway.traversals().ids(&Request::PermissionSets, "PermissionSetArn", &policy, progress).await?;
        let mut walk = self.gateway.traversals().settled_walk(round.space, sets.len(), &policy);
        let mut pairs = None;
        if walk != Some(Traversal::Principals) {
            let found = self.warm_ways(sets.clone(), round, done).await?;
            if walk.is_none() {
                let lists = async {
                    settled.of(WarmTarget::Users).await;
                    settled.of(WarmTarget::Groups).await;
                };
                walk = Some(
                    self.gateway.traversals().judge_walk(round.space, found.len(), &policy, lists, progress).await?,
                );
            }
            pairs = Some(found);
        }
        if walk == Some(Traversal::Principals) && self.warm_principals(round, settled, done).await? {
            return Ok(());
        }
        let pairs = match pairs {
            Some(pairs) => pairs,
            None => self.warm_ways(sets, round, done).await?,
        };
        let count = pairs.len();
        let request = |(account, permission_set)| Request::Assignments { account, permission_set };
        self.renew_all(pairs.into_iter().map(request), count, round, done).await
    }

    /// Renews where the permission sets are, and says it. That is only on the way to the assignments: nothing of it is
    /// counted as one.
    async fn warm_ways(
        self,
        sets: Vec<String>,
        round: &Round<'_>,
        done: &mut Warmed,
    ) -> Result<Vec<(String, String)>, GatewayError> {
        let mut way = Warmed::new(WarmTarget::Assignments);
        let requests = sets.clone().into_iter().map(Request::PermissionSetAccounts);
        self.renew_all(requests, sets.len(), round, &mut way).await?;
        done.fetched += way.fetched;
        done.fresh += way.fresh;
        done.elsewhere += way.elsewhere;
        done.not_kept.append(&mut way.not_kept);
        done.skipped.append(&mut way.skipped);
        done.failures.append(&mut way.failures);
        let Pairs { candidates: pairs, failures, ended, .. } =
            self.gateway.assignment_reader().pairs_of(sets, &CachePolicy::default(), round.progress).await?;
        if let Some(error) = ended {
            return Err(error);
        }
        for failed in failures {
            if !done.failures.iter().chain(&done.skipped).any(|known| known.target == failed.target) {
                done.failures.push(failed);
            }
        }
        Ok(pairs)
    }

    /// Asks every group and user what they have; `false` when AWS does not let this caller ask in that way.
    async fn warm_principals(
        self,
        round: &Round<'_>,
        settled: &TargetDone,
        done: &mut Warmed,
    ) -> Result<bool, GatewayError> {
        settled.of(WarmTarget::Users).await;
        settled.of(WarmTarget::Groups).await;
        let mut principals = self.gateway.traversals().principals(&CachePolicy::default(), round.progress).await?;
        if let Some((kind, id)) = principals.first().cloned() {
            match self.renew_one(&Request::PrincipalAssignments { kind, id }, round).await {
                Err(error) if is_refusal(&error) => {
                    self.gateway.traversals().walk_refused(round.space);
                    return Ok(false);
                }
                Err(error) => return Err(error),
                Ok(Renewed::NotKept(_)) => {}
                Ok(renewed) => {
                    principals.remove(0);
                    done.note(renewed);
                }
            }
        }
        let count = principals.len();
        let request = |(kind, id): (PrincipalKind, String)| Request::PrincipalAssignments { kind, id };
        self.renew_all(principals.into_iter().map(request), count, round, done).await?;
        Ok(true)
    }
}

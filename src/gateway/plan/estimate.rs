//! Learning what a walk will cost from what is held and, where that does not tell, from a few calls.
//!
//! No figure that was not counted; beyond the first ten and the pages of permission sets, each of which means a
//! hundred calls, no call is made that would bring the calls made here above a hundredth of those that are planned.

use super::traversal::Traversal;
use crate::config::WarmTarget;
use crate::gateway::api::PrincipalKind;
use crate::gateway::assignments::array;
use crate::gateway::core::CachePolicy;
use crate::gateway::core::Gateway;
use crate::gateway::error::GatewayError;
use crate::gateway::fetch::texts;
use crate::gateway::plan::cost::TargetCost;
use crate::gateway::plan::cost::WalkPlan;
use crate::gateway::plan::cost::pages;
use crate::gateway::plan::counts::ListCount;
use crate::gateway::plan::strategy::FEW;
use crate::gateway::plan::traversal::choose;
use crate::gateway::request::Request;
use crate::gateway::spool::each;
use crate::gateway::warm::Renew;
use crate::gateway::warm::Round;
use crate::gateway::warm::WarmPlan;
use crate::progress::Progress;
use crate::store::Select;
use std::ops::ControlFlow;

/// So many calls are made in any case: a hundredth of a small number teaches nothing.
const FIRST_CALLS: u64 = 10;
/// So many permission sets are asked for their accounts before anything else is.
const FIRST_WAYS: usize = 5;
/// What a short entry takes at rest when none is held to tell.
const SHORT_ENTRY: u64 = 250;
/// How many of a kind are looked at to learn what one takes at rest.
const SAMPLE: usize = 200;

/// Something counted: as it is, or as far as it was counted.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    items: u64,
    exact: bool,
}

/// Answers to one kind of question, each for one thing: those that are known, and how many there are in all.
#[derive(Debug, Clone, Copy, Default)]
struct PerObjectCalls {
    /// Things whose answer is known.
    known: u64,
    /// Items in those answers.
    items: u64,
    /// Pages of those answers.
    pages: u64,
}

impl PerObjectCalls {
    fn note(&mut self, items: u64) {
        self.known += 1;
        self.items += items;
        self.pages += pages(items, 100);
    }

    /// `what` of all, going by those that are known.
    fn of_all(&self, all: u64, what: u64, otherwise: u64) -> u64 {
        if self.known == 0 { otherwise } else { (what * all).div_ceil(self.known) }
    }
}

/// Which of the counts.
type Which = fn(&mut Learned) -> &mut Count;

/// What has been learned.
#[derive(Default)]
struct Learned {
    users: Count,
    groups: Count,
    accounts: Count,
    sets: Count,
    arns: Vec<String>,
    /// The accounts of permission sets.
    ways: PerObjectCalls,
    spent: u64,
}

impl Learned {
    fn pairs(&self) -> Count {
        let most = self.sets.items * self.accounts.items;
        let exact = self.sets.exact && self.ways.known == self.sets.items;
        Count { items: self.ways.of_all(self.sets.items, self.ways.items, most), exact }
    }

    /// The pairs that were counted; there may be more.
    fn counted_pairs(&self) -> Count {
        Count { items: self.ways.items, exact: self.pairs().exact }
    }

    fn way_pages(&self) -> u64 {
        self.ways.of_all(self.sets.items, self.ways.pages, self.sets.items)
    }

    /// The calls of a walk of everything, as far as they are known.
    fn estimate(&self) -> u64 {
        let (users, groups, sets) = (self.users.items, self.groups.items, self.sets.items);
        let assignments = if self.ways.known == 0 {
            // Only what is sure: a guess must not allow itself calls.
            sets
        } else {
            self.way_pages() + self.pairs().items.min(users + groups)
        };
        pages(users, 100) + pages(groups, 100) + groups + sets + pages(self.accounts.items, 20) + assignments
    }

    /// Whether one more call stays within a hundredth, or among the first few.
    fn may_ask(&self) -> bool {
        self.spent < FIRST_CALLS || (self.spent + 1) * 100 <= self.estimate()
    }
}

/// Estimates what a warm or a list of assignments costs.
#[derive(Clone, Copy)]
pub struct Planner<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Estimates what a warm or a list of assignments costs.
    pub fn planner(&self) -> Planner<'_> {
        Planner { gateway: self }
    }
}

impl Planner<'_> {
    /// What a warm will cost.
    pub async fn plan(self, plan: &WarmPlan, progress: &dyn Progress) -> Result<WalkPlan, GatewayError> {
        let policy = CachePolicy::default();
        let learned = Learned { spent: u64::from(self.gateway.remembered().is_none()), ..Learned::default() };
        let space = self.gateway.space(&policy).await?.text();
        let round = Round::looking(&space, plan.renew, progress);
        self.survey(&plan.targets(), learned, &round, &policy).await
    }

    /// What listing all assignments will cost: what is held and may answer costs nothing.
    pub async fn plan_assignments(
        self,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<WalkPlan, GatewayError> {
        let renew = if policy.read { Renew::Unusable(policy.max_age) } else { Renew::All };
        let mut learned = Learned { spent: u64::from(self.gateway.remembered().is_none()), ..Learned::default() };
        let space = self.gateway.space(policy).await?.text();
        let round = Round::looking(&space, renew, progress);
        let sum = |calls, exact| {
            let target = WarmTarget::Assignments.as_str();
            WalkPlan::new(
                vec![TargetCost { target, calls, entries: 0, bytes: 0, exact }],
                None,
                0,
                self.gateway.rates(),
            )
        };
        if let Some(calls) = self.calls_left(&round, policy) {
            return Ok(sum(calls, true));
        }
        self.learn(&[WarmTarget::Accounts, WarmTarget::PermissionSets], &mut learned, &round, policy).await?;
        let (accounts, sets) = (learned.accounts.items, learned.sets.items);
        let at_most = sets * (accounts + 2) + pages(accounts, 20);
        if learned.accounts.exact && learned.sets.exact && at_most <= FEW {
            return Ok(sum(at_most, false));
        }
        // Names are part of the answer: the lists that they are in are asked too.
        let targets = [
            WarmTarget::Users,
            WarmTarget::Groups,
            WarmTarget::PermissionSets,
            WarmTarget::Accounts,
            WarmTarget::Assignments,
        ];
        self.survey(&targets, learned, &round, policy).await
    }

    /// The calls that are left of a walk whose way is known and fresh; `None` when it is not.
    fn calls_left(self, round: &Round<'_>, policy: &CachePolicy) -> Option<u64> {
        let walk = self
            .gateway
            .traversals()
            .standing_walk(self.gateway.traversals().last_walk(round.space, policy).as_ref())?;
        let mut calls = 0;
        let mut count = |request: &Request| calls += u64::from(!self.gateway.warmer().is_left(request, round));
        if walk == Traversal::Principals {
            for (kind, list, field) in
                [(PrincipalKind::Group, Request::Groups, "GroupId"), (PrincipalKind::User, Request::Users, "UserId")]
            {
                self.gateway.warmer().is_left(&list, round).then_some(())?;
                for id in self.held_ids(round.space, &list, field) {
                    count(&Request::PrincipalAssignments { kind, id });
                }
            }
            return Some(calls);
        }
        self.gateway.warmer().is_left(&Request::PermissionSets, round).then_some(())?;
        for permission_set in self.held_ids(round.space, &Request::PermissionSets, "PermissionSetArn") {
            let way = Request::PermissionSetAccounts(permission_set.clone());
            self.gateway.warmer().is_left(&way, round).then_some(())?;
            for account in texts(self.held_list(round.space, &way)) {
                count(&Request::Assignments { account, permission_set: permission_set.clone() });
            }
        }
        Some(calls)
    }

    async fn survey(
        self,
        targets: &[WarmTarget],
        mut learned: Learned,
        round: &Round<'_>,
        policy: &CachePolicy,
    ) -> Result<WalkPlan, GatewayError> {
        self.learn(targets, &mut learned, round, policy).await?;
        let grants = targets.contains(&WarmTarget::Assignments);
        let walk = grants.then(|| self.likely_walk(&learned, round.space, policy));
        let planned = targets.iter().map(|target| self.planned(*target, walk, &learned, round)).collect();
        let plan = WalkPlan::new(planned, walk, learned.spent, self.gateway.rates());
        let likely = if plan.exact { plan.calls } else { plan.calls.max(learned.estimate()) };
        Ok(WalkPlan { likely, ..plan })
    }

    async fn learn(
        self,
        targets: &[WarmTarget],
        learned: &mut Learned,
        round: &Round<'_>,
        policy: &CachePolicy,
    ) -> Result<(), GatewayError> {
        let any = |wanted: &[WarmTarget]| wanted.iter().any(|target| targets.contains(target));
        let grants = any(&[WarmTarget::Assignments]);
        let mut open: Vec<(ListCount, Which)> = Vec::new();
        let lists: [(bool, Request, Which); 3] = [
            (grants || any(&[WarmTarget::Users]), Request::Users, |learned| &mut learned.users),
            (grants || any(&[WarmTarget::Groups, WarmTarget::Memberships]), Request::Groups, |l| &mut l.groups),
            (grants || any(&[WarmTarget::Accounts]), Request::Accounts, |learned| &mut learned.accounts),
        ];
        for (_, request, count) in lists.into_iter().filter(|(wanted, ..)| *wanted) {
            if count(learned).exact {
                continue;
            }
            if let Some(items) = self.gateway.traversals().held_items(round.space, &request) {
                *count(learned) = Count { items, exact: true };
            } else if let (true, Some(mut census)) = (policy.live, self.gateway.traversals().census(&request, policy)) {
                self.learn_page(&mut census, count, learned, round.progress).await?;
                open.push((census, count));
            }
        }
        if (grants || any(&[WarmTarget::PermissionSets])) && learned.sets.items == 0 {
            self.learn_sets(learned, round, policy).await?;
        }
        let arns = if grants { std::mem::take(&mut learned.arns) } else { Vec::new() };
        let (first, rest) = arns.split_at(FIRST_WAYS.min(arns.len()));
        for arn in first {
            self.learn_way(arn, learned, round, policy).await?;
        }
        for (census, count) in &mut open {
            while !census.whole && learned.may_ask() {
                self.learn_page(census, *count, learned, round.progress).await?;
            }
        }
        for arn in rest {
            self.learn_way(arn, learned, round, policy).await?;
        }
        if grants {
            learned.arns = arns;
        }
        Ok(())
    }

    async fn learn_page(
        self,
        census: &mut ListCount,
        count: Which,
        learned: &mut Learned,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        self.gateway.traversals().count_page(census, progress).await?;
        learned.spent += 1;
        *count(learned) = Count { items: census.count, exact: census.whole };
        Ok(())
    }

    async fn learn_sets(
        self,
        learned: &mut Learned,
        round: &Round<'_>,
        policy: &CachePolicy,
    ) -> Result<(), GatewayError> {
        let mut held = Vec::new();
        let known = self.gateway.cache().last(round.space, &Request::PermissionSets.key(), &mut |body| {
            each(body, &mut |item| {
                held.extend(item["PermissionSetArn"].as_str().map(str::to_owned));
                Ok(())
            })
        });
        if known {
            learned.sets = Count { items: held.len() as u64, exact: true };
            learned.arns = held;
        } else if policy.live {
            let mut spent = 1;
            let (arns, exact) = self
                .gateway
                .traversals()
                .count_sets(|_| {
                    spent += 1;
                    true
                })
                .await?;
            learned.spent += if exact { spent } else { spent - 1 };
            learned.sets = Count { items: arns.len() as u64, exact };
            learned.arns = arns;
        }
        Ok(())
    }

    /// The accounts of one permission set: as they are held, or asked for when that is allowed.
    async fn learn_way(
        self,
        arn: &str,
        learned: &mut Learned,
        round: &Round<'_>,
        policy: &CachePolicy,
    ) -> Result<(), GatewayError> {
        let request = Request::PermissionSetAccounts(arn.to_owned());
        if let Some(items) = self.gateway.traversals().held_items(round.space, &request) {
            learned.ways.note(items);
        } else if policy.live && learned.may_ask() {
            match self.gateway.reader().live(&request, policy, round.progress).await {
                Ok(found) => {
                    learned.spent += pages(found.items(), 100);
                    learned.ways.note(found.items());
                }
                // The walk will say which target cannot be read.
                Err(error) if !error.ends_everything() => learned.spent += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn likely_walk(self, learned: &Learned, space: &str, policy: &CachePolicy) -> Traversal {
        let last = self.gateway.traversals().last_walk(space, policy);
        if let Some(walk) = self.gateway.traversals().standing_walk(last.as_ref()) {
            return walk;
        }
        let principals = learned.users.items + learned.groups.items;
        let counted = learned.users.exact && learned.groups.exact;
        if counted && principals <= learned.sets.items {
            return Traversal::Principals;
        }
        let pairs = learned.pairs().items;
        if pairs <= FEW || !counted {
            return Traversal::Pairs;
        }
        choose(pairs, principals, last.filter(|last| !last.refused).map(|last| last.walk))
    }

    fn planned(self, target: WarmTarget, walk: Option<Traversal>, learned: &Learned, round: &Round<'_>) -> TargetCost {
        let list = |request: &Request, count: Count, page: u64, per_item: u64| {
            let calls = if self.gateway.warmer().is_left(request, round) {
                0
            } else {
                pages(count.items, page) + per_item * count.items
            };
            (calls, count.exact)
        };
        let (calls, exact) = match target {
            WarmTarget::Users => list(&Request::Users, learned.users, 100, 0),
            WarmTarget::Groups => list(&Request::Groups, learned.groups, 100, 0),
            WarmTarget::Accounts => list(&Request::Accounts, learned.accounts, 20, 0),
            WarmTarget::PermissionSets => list(&Request::PermissionSets, learned.sets, 100, 1),
            WarmTarget::Memberships => {
                let ids = self.held_ids(round.space, &Request::Groups, "GroupId");
                self.calls_of_each(ids.into_iter().map(Request::GroupMembers), learned.groups, round)
            }
            WarmTarget::Assignments => self.assignment_calls(walk, learned, round),
        };
        let (entries, bytes) = self.room(target, walk, learned, round.space);
        TargetCost { target: target.as_str(), calls, entries, bytes, exact }
    }

    fn assignment_calls(self, walk: Option<Traversal>, learned: &Learned, round: &Round<'_>) -> (u64, bool) {
        let ways = || {
            let ways = learned.arns.iter().cloned().map(Request::PermissionSetAccounts);
            self.calls_of_each(ways, learned.sets, round)
        };
        let stands = self
            .gateway
            .traversals()
            .standing_walk(self.gateway.traversals().last_walk(round.space, &CachePolicy::default()).as_ref())
            .is_some();
        if walk == Some(Traversal::Principals) {
            let user = |id| Request::PrincipalAssignments { kind: PrincipalKind::User, id };
            let group = |id| Request::PrincipalAssignments { kind: PrincipalKind::Group, id };
            let users = self.held_ids(round.space, &Request::Users, "UserId").into_iter().map(user);
            let groups = self.held_ids(round.space, &Request::Groups, "GroupId").into_iter().map(group);
            let (users, groups) =
                (self.calls_of_each(users, learned.users, round), self.calls_of_each(groups, learned.groups, round));
            let ways = if stands { (0, true) } else { ways() };
            return (users.0 + groups.0 + ways.0, users.1 && groups.1 && ways.1);
        }
        let mut pairs = Vec::new();
        for arn in &learned.arns {
            let accounts = self.held_list(round.space, &Request::PermissionSetAccounts(arn.clone()));
            pairs.extend(texts(accounts).into_iter().map(|account| (account, arn.clone())));
        }
        let request = |(account, permission_set)| Request::Assignments { account, permission_set };
        let (ways, pairs) =
            (ways(), self.calls_of_each(pairs.into_iter().map(request), learned.counted_pairs(), round));
        (ways.0 + pairs.0, ways.1 && pairs.1)
    }

    /// The calls of many questions, of which those that are known by name may be left alone or known to take pages. Each of
    /// the others takes one at least.
    fn calls_of_each(self, named: impl Iterator<Item = Request>, all: Count, round: &Round<'_>) -> (u64, bool) {
        let (mut named_calls, mut count, mut known) = (0, 0, true);
        let looks = round.renew != Renew::All;
        for request in named {
            count += 1;
            if looks && self.gateway.warmer().is_left(&request, round) {
                continue;
            }
            if let Some(items) = self.gateway.traversals().held_items(round.space, &request) {
                named_calls += pages(items, 100);
            } else {
                known = false;
                named_calls += 1;
            }
        }
        let rest = all.items.saturating_sub(count);
        (named_calls + rest, all.exact && known && rest == 0)
    }

    fn held_list(self, space: &str, request: &Request) -> Vec<serde_json::Value> {
        let mut found = serde_json::Value::Null;
        self.gateway.cache().last(space, &request.key(), &mut |body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        });
        array(found)
    }

    fn held_ids(self, space: &str, request: &Request, field: &str) -> Vec<String> {
        let mut ids = Vec::new();
        self.gateway.cache().last(space, &request.key(), &mut |body| {
            each(body, &mut |item| {
                ids.extend(item[field].as_str().map(str::to_owned));
                Ok(())
            })
        });
        ids
    }

    /// How many entries a target has in the cache, and what they take there.
    fn room(self, target: WarmTarget, walk: Option<Traversal>, learned: &Learned, space: &str) -> (u64, u64) {
        let of = |resource_operation: &str, entries: u64| self.held_bytes(space, resource_operation, entries);
        // A list takes about as much as half of what its items take one by one: it is compressed as a whole.
        let list = |describe: &str, items: u64, more: u64| {
            let bytes = of(describe, items);
            (items + more + 1, bytes + bytes / 2 + more * SHORT_ENTRY / 2)
        };
        match target {
            WarmTarget::Users => list("user:describe:*", learned.users.items, learned.users.items),
            WarmTarget::Groups => list("group:describe:*", learned.groups.items, 0),
            WarmTarget::Accounts => list("account:describe:*", learned.accounts.items, 0),
            WarmTarget::PermissionSets => list("permission_set:describe:*", learned.sets.items, 0),
            WarmTarget::Memberships => (learned.groups.items, of("group:members:*", learned.groups.items)),
            WarmTarget::Assignments => {
                let (operation, entries) = match walk {
                    Some(Traversal::Principals) => {
                        ("assignment:by_principal:*", learned.users.items + learned.groups.items)
                    }
                    _ => ("assignment:list:*", learned.counted_pairs().items),
                };
                let sets = learned.sets.items;
                (entries + sets, of(operation, entries) + of("permission_set:accounts:*", sets))
            }
        }
    }

    /// What so many entries take at rest, going by some of those that are held.
    fn held_bytes(self, space: &str, pattern: &str, entries: u64) -> u64 {
        let (mut bytes, mut seen) = (0, 0);
        let select = Select::Glob { space: Some(space.to_owned()), pattern: pattern.to_owned() };
        // Without a sample the plan is less exact, nothing else.
        let _ = self.gateway.cache().store().scan(&select, &mut |meta| {
            bytes += meta.held;
            seen += 1;
            if seen < SAMPLE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if seen == 0 { entries * SHORT_ENTRY } else { (bytes * entries).div_ceil(seen as u64) }
    }
}

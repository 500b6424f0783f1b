//! Warming: asking AWS ahead of the commands, in the order in which one list helps the next.
//!
//! Neighbours: `cache warm` and the warm job are both this one function; `fetch.rs` asks and stores. Promise: what would
//! stay fresh until `fresh_for` is left alone, what could not be read is listed, and a budget of calls is never passed.

use super::assignments::{Filter, array, failure};
use super::fetch::{PARALLEL, text};
use super::{Gateway, GatewayError, Policy, Request};
use crate::config::WarmTarget;
use crate::report::{Failure, Progress};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// What to warm and how far ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmPlan {
    /// What, in any order.
    pub targets: Vec<WarmTarget>,
    /// Leave alone what stays fresh for at least this long; `None` renews everything.
    pub fresh_for: Option<Duration>,
}

/// What a warm did for one target.
#[derive(Debug, Clone, Serialize)]
pub struct Warmed {
    /// `users`, `permission-sets` ...
    pub target: &'static str,
    /// Answers asked of AWS and stored (a list counts as one).
    pub fetched: u64,
    /// Answers that were fresh enough.
    pub fresh: u64,
    /// Things in the lists that were fetched.
    pub items: u64,
    /// What could not be read.
    pub failures: Vec<Failure>,
    /// Why the target was not finished, when it was not.
    pub stopped: Option<String>,
    /// The error behind `stopped`, when the warm went on with the next target.
    #[serde(skip)]
    pub cause: Option<Arc<GatewayError>>,
}

impl Gateway {
    /// Warms every target of the plan. A target that fails does not stop the next, but what would fail for all of them
    /// (no login, the budget is spent) ends the warm with that error, after what was done so far.
    pub async fn warm(&self, plan: &WarmPlan, progress: &dyn Progress) -> (Vec<Warmed>, Option<GatewayError>) {
        let mut targets = plan.targets.clone();
        targets.sort_unstable();
        targets.dedup();
        let (mut report, mut end) = (Vec::new(), None);
        for target in targets {
            let mut done = Warmed {
                target: target.as_str(),
                fetched: 0,
                fresh: 0,
                items: 0,
                failures: Vec::new(),
                stopped: None,
                cause: None,
            };
            let ended = self.warm_target(target, plan.fresh_for, &mut done, progress).await.err();
            done.stopped = ended.as_ref().map(ToString::to_string);
            let ends = ended.as_ref().is_some_and(GatewayError::ends_everything);
            if ends {
                end = ended;
            } else {
                done.cause = ended.map(Arc::new);
            }
            report.push(done);
            if ends {
                break;
            }
        }
        if let Err(error) = self.cache().store().settle() {
            self.fault(&error);
        }
        (report, end)
    }

    async fn warm_target(
        &self,
        target: WarmTarget,
        fresh_for: Option<Duration>,
        done: &mut Warmed,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        match target {
            WarmTarget::Users => self.renew(&Request::Users, fresh_for, done, progress).await,
            WarmTarget::Groups => self.renew(&Request::Groups, fresh_for, done, progress).await,
            WarmTarget::PermissionSets => self.renew(&Request::PermissionSets, fresh_for, done, progress).await,
            WarmTarget::Accounts => self.renew(&Request::Accounts, fresh_for, done, progress).await,
            WarmTarget::Memberships => {
                let groups = array(self.value(&Request::Groups, &Policy::default(), progress).await?);
                let requests = groups.iter().map(|group| Request::GroupMembers(text(group, "GroupId"))).collect();
                self.renew_all(requests, fresh_for, done, progress).await
            }
            WarmTarget::Assignments => {
                let sets = array(self.value(&Request::PermissionSets, &Policy::default(), progress).await?);
                let arns = sets.iter().map(|set| text(set, "PermissionSetArn"));
                let accounts = arns.map(Request::PermissionSetAccounts).collect();
                self.renew_all(accounts, fresh_for, done, progress).await?;
                // Where the assignments are is only on the way to them.
                done.items = 0;
                let (pairs, failures) = self.pairs(&Filter::default(), &Policy::default(), progress).await?;
                for failed in failures {
                    if !done.failures.iter().any(|known| known.target == failed.target) {
                        done.failures.push(failed);
                    }
                }
                let requests = pairs
                    .into_iter()
                    .map(|(account, permission_set)| Request::Assignments { account, permission_set })
                    .collect();
                self.renew_all(requests, fresh_for, done, progress).await
            }
        }
    }

    async fn renew(
        &self,
        request: &Request,
        fresh_for: Option<Duration>,
        done: &mut Warmed,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        if self.is_fresh_for(request, fresh_for).await? {
            done.fresh += 1;
            return Ok(());
        }
        let spool = self.live(request, &Policy::REFRESH, progress).await?;
        done.fetched += 1;
        done.items += spool.items();
        Ok(())
    }

    async fn renew_all(
        &self,
        requests: Vec<Request>,
        fresh_for: Option<Duration>,
        done: &mut Warmed,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        progress.started(done.target, Some(requests.len() as u64));
        let mut answers = stream::iter(requests)
            .map(|request| async move {
                let answer = async {
                    if self.is_fresh_for(&request, fresh_for).await? {
                        return Ok(None);
                    }
                    self.live(&request, &Policy::REFRESH, progress).await.map(|spool| Some(spool.items()))
                }
                .await;
                (request, answer)
            })
            .buffer_unordered(PARALLEL);
        while let Some((request, answer)) = answers.next().await {
            progress.advanced(done.target, 1);
            match answer {
                Ok(None) => done.fresh += 1,
                Ok(Some(items)) => {
                    done.fetched += 1;
                    done.items += items;
                }
                Err(error) => done.failures.push(failure(&request, error)?),
            }
        }
        progress.finished(done.target);
        Ok(())
    }

    async fn is_fresh_for(&self, request: &Request, wanted: Option<Duration>) -> Result<bool, GatewayError> {
        let Some(wanted) = wanted else { return Ok(false) };
        let space = self.space(&Policy::default()).await?.text();
        let left = self.cache().freshness(&space, &request.key());
        Ok(left.is_some_and(|left| left >= crate::clock::millis(wanted)))
    }
}

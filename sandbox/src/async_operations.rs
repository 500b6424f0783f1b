//! Asynchronous operations: a call starts them, and time ends them.
//!
//! They take effect when they end, in the order of their start. As in AWS, their preconditions are checked at the
//! end. A failed operation changes nothing and has a reason.

use crate::clock::Now;
use crate::records::Assignment;
use crate::records::Id;
use crate::records::PrincipalType;
use crate::state::Organization;
use std::collections::BTreeMap;
use std::time::Duration;

/// All operations, including ended ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progressing {
    all: BTreeMap<Id, Task>,
    /// The ongoing ones, in the order of their start.
    open: Vec<Id>,
}

/// An asynchronous operation.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) request_id: Id,
    pub(crate) work: Work,
    pub(crate) begun: Now,
    pub(crate) state: State,
    /// The reason if it will fail in any case.
    pub(crate) doom: Option<String>,
}

/// The work of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Assign a permission set.
    Create(Assignment),
    /// Delete an assignment.
    Delete(Assignment),
    /// Provision a permission set to an account, or to all its accounts.
    Provision { permission_set: Id, account: Option<Id> },
}

/// The state of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    InProgress,
    Succeeded,
    Failed(String),
}

impl State {
    /// The word of AWS for it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            State::InProgress => "IN_PROGRESS",
            State::Succeeded => "SUCCEEDED",
            State::Failed(_) => "FAILED",
        }
    }
}

impl Work {
    /// Its permission set.
    pub(crate) fn permission_set(&self) -> &Id {
        match self {
            Work::Create(assignment) | Work::Delete(assignment) => &assignment.permission_set_arn,
            Work::Provision { permission_set, .. } => permission_set,
        }
    }

    /// The assignment that it creates or deletes.
    pub(crate) fn assignment(&self) -> Option<&Assignment> {
        match self {
            Work::Create(assignment) | Work::Delete(assignment) => Some(assignment),
            Work::Provision { .. } => None,
        }
    }
}

impl Progressing {
    /// Starts an operation.
    pub(crate) fn begin(&mut self, task: Task) {
        self.open.push(task.request_id.clone());
        self.all.insert(task.request_id.clone(), task);
    }

    /// All, by request id.
    pub(crate) fn all(&self) -> &BTreeMap<Id, Task> {
        &self.all
    }

    /// The ongoing ones.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = &Task> {
        self.open.iter().filter_map(|id| self.all.get(id))
    }

    /// Whether it would end now, if each takes `delay`.
    pub(crate) fn is_due(&self, since: Duration, delay: Duration) -> bool {
        self.under_way().next().is_some_and(|task| task.begun.since.saturating_add(delay) <= since)
    }
}

impl Organization {
    /// Ends the operations that are due.
    pub(crate) fn settle(&mut self, since: Duration, delay: Duration) {
        while self.progressing.is_due(since, delay) {
            let id = self.progressing.open.remove(0);
            let Some(task) = self.progressing.all.get(&id) else { continue };
            let (work, doom) = (task.work.clone(), task.doom.clone());
            let state = if let Some(reason) = doom.or_else(|| self.obstacle(&work)) {
                State::Failed(reason)
            } else {
                self.carry_through(work);
                State::Succeeded
            };
            if let Some(task) = self.progressing.all.get_mut(&id) {
                task.state = state;
            }
        }
    }

    /// The reason why it is not possible, as AWS words it.
    fn obstacle(&self, work: &Work) -> Option<String> {
        let suspended = |account: &Id| self.accounts.get(account).is_none_or(|account| account.state != "ACTIVE");
        match work {
            Work::Create(Assignment { account_id, principal_type, principal_id, .. }) => {
                let there = match principal_type {
                    PrincipalType::User => self.users.contains_key(principal_id),
                    PrincipalType::Group => self.groups.contains_key(principal_id),
                };
                let (kind, store) = (principal_type.as_str(), &self.identity.store);
                if suspended(account_id) {
                    Some(format!("Received a 403 status error: the AWS account {account_id} is suspended"))
                } else if !there {
                    let what = format!("the {kind} assignee {principal_id} was not found in directory {store}");
                    Some(format!("Received a 404 status error: {what}"))
                } else {
                    None
                }
            }
            Work::Delete(assignment) => (!self.assignments.contains(assignment))
                .then(|| "Received a 404 status error: Assignment not found.".to_owned()),
            Work::Provision { account: Some(account), .. } if suspended(account) => {
                Some(format!("Received a 403 status error: the AWS account {account} is suspended"))
            }
            Work::Provision { permission_set, account: Some(account) } => {
                let pair = (permission_set.clone(), account.clone());
                (!self.index.accounts_of.contains(&pair)).then(|| {
                    let what = "Permission set provision not found in AWS account";
                    format!("Received a 404 status error: {what} {account}.")
                })
            }
            Work::Provision { permission_set, account: None } => {
                let account = self.accounts_with(permission_set).into_iter().find(suspended)?;
                Some(format!("Received a 403 status error: the AWS account {account} is suspended"))
            }
        }
    }

    fn carry_through(&mut self, work: Work) {
        match work {
            Work::Create(assignment) => {
                let pair = (assignment.permission_set_arn.clone(), assignment.account_id.clone());
                // An assignment provisions the current permission set.
                self.outdated.remove(&pair);
                self.add_assignment(assignment);
            }
            Work::Delete(assignment) => self.remove_assignment(&assignment),
            Work::Provision { permission_set, account: Some(account) } => {
                self.outdated.remove(&(permission_set, account));
            }
            Work::Provision { permission_set, account: None } => self.outdated.retain(|pair| pair.0 != permission_set),
        }
    }
}

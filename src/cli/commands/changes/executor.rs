//! Makes several changes with bounded concurrency.
//!
//! Guarantee: each change has exactly one outcome, also after an interruption. A change that was sent and not confirmed is
//! distinguished from one that was never sent.

use crate::cache::CacheError;
use crate::cli::commands::changes::errors;
use crate::cli::commands::changes::operation::Act;
use crate::cli::commands::changes::operation::ChangeStep;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::gateway::{Gateway, GatewayError, MutationOutcome, Unwritten, Writing};
use crate::jobs::Stop;
use crate::progress::Progress;
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How several changes are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// How many changes run concurrently.
    pub(super) concurrency: usize,
    /// After one has failed no other is begun.
    pub(super) stops: bool,
}

impl How {
    /// One after the other, each only when the one before it was made.
    pub(super) const IN_TURN: How = How { concurrency: 1, stops: true };
}

/// How a change ended.
#[derive(Debug)]
pub(super) enum ChangeEnd {
    /// AWS did it.
    Done,
    /// It was so already.
    Already,
    /// It would be done.
    Would,
    /// It was not begun.
    Skipped,
    /// It is not made, for this reason.
    LeftOut(String),
    /// AWS is at it, or its answer is under way.
    UnderWay,
    /// AWS did not do it.
    Failed(CliError),
    /// It is not known.
    Unknown(CliError),
}

/// A change and its end.
pub(super) struct ChangeLine {
    pub(super) phrase: String,
    pub(super) operation: String,
    pub(super) fields: Map<String, Value>,
    pub(super) ended: ChangeEnd,
    pub(super) journal: Option<i64>,
    pub(super) request_id: Option<String>,
    pub(super) invalidated: u64,
    pub(super) untold: Option<CacheError>,
    /// A notice for the user after it was made.
    pub(super) notice: Option<String>,
    check: String,
    asked: Value,
    /// Whether AWS was asked for it.
    sent: Arc<AtomicBool>,
}

/// Several changes.
pub(super) struct ChangeSet {
    steps: Vec<ChangeStep>,
    lines: Mutex<Vec<ChangeLine>>,
    new_set: Mutex<Option<String>>,
    stopped: AtomicBool,
}

/// What makes a new thing: that one of its name is there is no "already so".
pub(super) const CREATES: &[&str] = &["CreateUser", "CreateGroup", "CreatePermissionSet"];
const WHAT: &str = "changes";

impl ChangeSet {
    pub(super) fn new(steps: Vec<ChangeStep>) -> ChangeSet {
        let line = |step: &ChangeStep| ChangeLine {
            phrase: step.in_full(),
            operation: step.operation(),
            fields: step.fields.clone(),
            ended: match &step.left_out {
                Some(why) => ChangeEnd::LeftOut(why.clone()),
                None if step.already => ChangeEnd::Already,
                None => ChangeEnd::Skipped,
            },
            journal: None,
            request_id: None,
            invalidated: 0,
            untold: None,
            notice: None,
            check: step.check.clone(),
            asked: Value::Null,
            sent: Arc::default(),
        };
        let lines = steps.iter().map(line).collect();
        ChangeSet { steps, lines: Mutex::new(lines), new_set: Mutex::default(), stopped: AtomicBool::new(false) }
    }

    /// Does nothing, and says of each what would be done.
    pub(super) fn rehearse(&self) {
        let mut lines = self.all();
        for (line, step) in
            lines.iter_mut().zip(&self.steps).filter(|(line, _)| matches!(line.ended, ChangeEnd::Skipped))
        {
            line.ended = ChangeEnd::Would;
            line.remain(step, step.expected.as_ref(), false);
        }
    }

    /// Makes the changes; returns whether `stop` interrupted it.
    pub(super) async fn run(
        &self,
        gateway: &Gateway,
        writing: &Writing,
        progress: &dyn Progress,
        how: How,
        stop: &Stop,
    ) -> bool {
        progress.started(WHAT, (self.steps.len() > 1).then_some(self.steps.len() as u64));
        let last = self.steps.iter().map(|step| step.stage).max().unwrap_or(0);
        let work = async {
            for stage in 0..=last {
                if self.all().iter().any(|line| matches!(line.ended, ChangeEnd::Failed(_) | ChangeEnd::Unknown(_))) {
                    break;
                }
                let numbers = (0..self.steps.len()).filter(|number| self.steps[*number].stage == stage);
                let stage = stream::iter(numbers).for_each_concurrent(how.concurrency, |number| async move {
                    if self.steps[number].is_open() && !self.stopped.load(Ordering::Relaxed) {
                        self.make(number, gateway, writing, progress, how.stops).await;
                    }
                    progress.advanced(WHAT, 1);
                });
                stage.await;
            }
        };
        // The interruption first: one that came while a fence was awaited acts before AWS is called.
        let interrupted = tokio::select! {
            biased;
            () = stop.wait() => true,
            () = work => false,
        };
        progress.finished(WHAT);
        if interrupted {
            self.interrupted(writing, progress);
        }
        interrupted
    }

    /// The ends of all changes.
    pub(super) fn lines(self) -> Vec<ChangeLine> {
        self.lines.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, number: usize, gateway: &Gateway, writing: &Writing, progress: &dyn Progress, stops: bool) {
        let step = &self.steps[number];
        let change = match &step.act {
            Act::Make(change) => change.clone(),
            Act::OfNewSet(change) => {
                let Some(arn) = self.new_set.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
                change(&arn)
            }
        };
        let sent = Arc::new(AtomicBool::new(false));
        self.with(number, |line| {
            (line.ended, line.asked, line.sent) = (ChangeEnd::UnderWay, change.request(), sent.clone());
        });
        let done = gateway.writer().write(&change, step.expected.as_ref(), writing, &sent, progress).await;
        match done {
            Ok(written) => {
                if let Some(arn) = written.answer["PermissionSetArn"].as_str() {
                    *self.new_set.lock().unwrap_or_else(PoisonError::into_inner) = Some(arn.to_owned());
                }
                self.with(number, |line| {
                    line.ended = ChangeEnd::Done;
                    line.journal = written.journal;
                    line.invalidated = written.invalidated;
                    line.remain(step, Some(&written.before), true);
                    line.untold = written.untold;
                    line.request_id = written.answer["RequestId"].as_str().map(str::to_owned);
                    if let (None, Value::Object(answer)) = (change.pending(), written.answer) {
                        line.fields.extend(answer);
                    }
                });
            }
            Err(Unwritten { error, journal }) => self.with(number, |line| {
                line.journal = journal;
                line.fail(error);
                if stops && !matches!(line.ended, ChangeEnd::Already) {
                    self.stopped.store(true, Ordering::Relaxed);
                }
            }),
        }
    }

    /// What was under way is not known; the journal says under which ids AWS goes on with it.
    fn interrupted(&self, writing: &Writing, progress: &dyn Progress) {
        let entries = match writing.journal.as_ref().map_or(Ok(Vec::new()), crate::gateway::Journal::unfinished) {
            Ok(entries) => entries,
            Err(fault) => {
                progress.notice(&format!("the journal cannot be read: {fault}"));
                Vec::new()
            }
        };
        for line in self.all().iter_mut().filter(|line| matches!(line.ended, ChangeEnd::UnderWay)) {
            let entry = entries.iter().find(|entry| entry.request == line.asked && !line.asked.is_null());
            line.journal = entry.map(|entry| entry.id);
            line.request_id = entry.and_then(|entry| entry.request_id.clone());
            let sent = line.sent.load(Ordering::Acquire);
            let hint = match &line.request_id {
                _ if !sent => "nothing was changed; run the command again".to_owned(),
                Some(id) => format!("`awsideman assignment status {id}` shows how it ends"),
                None => format!("run `{}` before you repeat it", line.check),
            };
            let outcome;
            (line.ended, outcome) = if sent {
                let why = "interrupted; it was asked of AWS and not confirmed";
                let error = CliError::new(Code::Interrupted, why).hint(hint);
                (ChangeEnd::Unknown(error), MutationOutcome::Unknown("interrupted".into()))
            } else {
                let why = "interrupted; it was not sent to AWS";
                let error = CliError::new(Code::Interrupted, why).hint(hint);
                (ChangeEnd::Failed(error), MutationOutcome::Failed("interrupted before it was sent to AWS".into()))
            };
            if let (Some(journal), Some(entry)) = (&writing.journal, line.journal)
                && let Err(fault) = journal.end(entry, &outcome)
            {
                progress.notice(&format!("the journal could not be completed: {fault}"));
            }
        }
    }

    fn with(&self, number: usize, set: impl FnOnce(&mut ChangeLine)) {
        set(&mut self.all()[number]);
    }

    fn all(&self) -> MutexGuard<'_, Vec<ChangeLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChangeLine {
    /// Counts the assignments that a deletion leaves.
    fn remain(&mut self, step: &ChangeStep, before: Option<&Value>, done: bool) {
        let Some(remaining) = &step.remaining else { return };
        let (count, notice) = remaining.count(before.unwrap_or(&Value::Null), done);
        self.fields.insert("RemainingAssignments".into(), count.into());
        self.notice = notice;
    }

    fn fail(&mut self, error: GatewayError) {
        if let GatewayError::ChangeFailed { request_id, .. } | GatewayError::ChangePending { request_id, .. } = &error {
            self.request_id = Some(request_id.clone());
        }
        if errors::is_so_already(&error) && !CREATES.contains(&self.operation.as_str()) {
            self.ended = ChangeEnd::Already;
            return;
        }
        let is_unknown = error.leaves_doubt();
        let failure = errors::failure(&self.phrase, &self.check, error);
        self.ended = if is_unknown { ChangeEnd::Unknown(failure) } else { ChangeEnd::Failed(failure) };
    }
}

//! The commands that change something: what they have in common.
//!
//! Guarantee: nothing is changed before every named resource is found and, if something is deleted, the user has confirmed.

mod assignment;
mod deleting;
mod errors;
mod executor;
mod identity_store;
mod operation;
mod permission_set;
mod policies;
mod report;
mod status;

pub(crate) use assignment::assign;
pub(crate) use assignment::revoke;
pub(crate) use identity_store::GroupChange;
pub(crate) use identity_store::UserChange;
pub(crate) use identity_store::groups;
pub(crate) use identity_store::users;
pub(crate) use permission_set::SetChange;
pub(crate) use permission_set::permission_sets;
pub(crate) use status::status;

use crate::app::{Caller, GatewayBuilder, InvalidationTargets, Reading};
use crate::cli::args::GlobalArgs;
use crate::cli::args::read_flags::ChangeArgs;
use crate::cli::confirm::ask;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::config::Format;
use crate::gateway::{CachePolicy, Confirmed, Gateway, GatewayError, ResourceKind, Writing};
use crate::progress::Progress;
use executor::ChangeSet;
use executor::How;
use operation::ChangeStep;
use report::ChangeReport;
use std::cell::RefCell;

/// A session that changes something.
struct WriteSession<'o> {
    session: Session,
    reading: Reading,
    policy: CachePolicy,
    writing: Writing,
    output: &'o mut Output,
    dry_run: bool,
    may_go_on: bool,
    /// The objects of the command line, as AWS described them.
    named: RefCell<Vec<(ResourceKind, Confirmed)>>,
}

impl<'o> WriteSession<'o> {
    fn open(globals: &GlobalArgs, how: &ChangeArgs, output: &'o mut Output) -> Result<WriteSession<'o>, CliError> {
        let session = Session::open_to_change(globals, Need::Sound, output)?;
        if let Some(why) = InvalidationTargets::new(&session.app).foreign_cache().filter(|_| !how.dry_run) {
            let message = format!("nothing was changed: the change could not be recorded in the cache: {why}");
            return Err(CliError::new(Code::Failed, message).hint(
                "run it as the owner of the cache, share the cache (`awsideman cache init --shared --group NAME`), or name \
                 another one with AWSIDEMAN_CACHE_DIR and AWSIDEMAN_STATE_DIR",
            ));
        }
        let reading = session.app.reading(Caller::COMMAND);
        let policy = GatewayBuilder::new(&session.app).policy(if how.no_cache {
            CachePolicy::BYPASS
        } else {
            CachePolicy::default()
        });
        let writing = InvalidationTargets::new(&session.app).writing(session.progress.as_ref());
        let (dry_run, may_go_on) = (how.dry_run, globals.yes);
        session.interrupts.leaves("nothing was changed", None);
        Ok(WriteSession { session, reading, policy, writing, output, dry_run, may_go_on, named: RefCell::default() })
    }

    fn gateway(&self) -> &Gateway {
        &self.reading.gateway
    }

    fn progress(&self) -> &dyn Progress {
        self.session.progress.as_ref()
    }

    /// Waits for what must be known before anything is changed.
    fn wait<T>(&self, work: impl Future<Output = Result<T, GatewayError>>) -> Result<T, CliError> {
        self.session.wait(work)?.map_err(|error| self.refused(error))
    }

    /// The failure of what had to be known first. What is not there is so according to AWS itself.
    fn refused(&self, error: GatewayError) -> CliError {
        let failure = self.session.failed(error);
        if failure.code != Code::NotFound {
            return failure;
        }
        let mut kinds = ["user", "group", "permission set"].into_iter();
        let kind = kinds.find(|kind| failure.message.starts_with(&format!("{kind} `")));
        let find =
            kind.map(|kind| format!("; `awsideman {} find TEXT` looks for a part of it", kind.replace(' ', "-")));
        failure.hint(format!("AWS itself was asked, nothing was changed{}", find.unwrap_or_default()))
    }

    /// Notes what a question is about.
    fn note(&self, noun: ResourceKind, found: &Confirmed) {
        self.named.borrow_mut().push((noun, found.clone()));
    }

    /// Asks for confirmation before a deletion or revocation. During the prompt another process may rename or delete the
    /// object: afterwards it is read from AWS again, and a difference ends the command.
    fn agree(&self, steps: &[ChangeStep]) -> Result<(), CliError> {
        let lines: Vec<String> = steps.iter().filter(|step| step.is_open()).map(ChangeStep::in_full).collect();
        if self.may_go_on || self.dry_run {
            return Ok(());
        }
        let talk = self.output.talk();
        match lines.as_slice() {
            [] => return Ok(()),
            [one] => ask(one, false, self.output)?,
            several => {
                // Who is not asked reads them behind the error.
                let is_read = talk.is_terminal();
                several.iter().filter(|_| is_read).for_each(|line| talk.line(line));
                let answer = ask(&format!("make these {} changes", several.len()), false, self.output);
                answer.map_err(|failure| if is_read { failure } else { failure.details(lines.clone()) })?;
            }
        }
        self.wait(self.gateway().confirmer().confirm(&self.named.borrow()))
    }

    /// Makes the changes and reports the outcome of each.
    fn carry_out(self, steps: Vec<ChangeStep>, how: How) -> Result<(), CliError> {
        self.carry_out_and_say(steps, how, Vec::new())
    }

    /// The same with what a person should know besides.
    fn carry_out_and_say(self, steps: Vec<ChangeStep>, how: How, notices: Vec<String>) -> Result<(), CliError> {
        let course = ChangeSet::new(steps);
        let interrupted = if self.dry_run {
            course.rehearse();
            false
        } else {
            let interrupts = &self.session.interrupts;
            interrupts.leaves("changes may have been made", Some("`awsideman journal list` shows them"));
            let stop = interrupts.stop();
            interrupts.wait_to_end(course.run(self.gateway(), &self.writing, self.progress(), how, stop))?
        };
        let report = ChangeReport::new(course.lines(), self.dry_run, interrupted, notices);
        self.end(report)
    }

    fn end(self, mut report: ChangeReport) -> Result<(), CliError> {
        let not_invalidated = report.take_cache_error();
        let failure = report.failure();
        // Of a single change that failed there is nothing to tell but the failure.
        if !report.is_failure_alone() {
            let page = report.lines().iter().fold(TextReport::new(), |page, line| line.on(page));
            self.output.report(&report.document(), &page)?;
            // A document carries them itself.
            if matches!(self.output.format(), Format::Table | Format::Csv) {
                report.notices().into_iter().for_each(|notice| self.session.progress.notice(notice));
            }
        }
        self.session.close_after(&self.reading);
        match (not_invalidated, failure) {
            (None, None) => Ok(()),
            (None, Some(failure)) => Err(failure),
            (Some(not_invalidated), failure) => {
                let not_invalidated = CliError::from(not_invalidated);
                let besides = failure.map(|failure| failure.message).into_iter();
                Err(not_invalidated.details(besides))
            }
        }
    }
}

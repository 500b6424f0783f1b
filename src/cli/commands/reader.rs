//! Reading for a person: from the cache without waiting, else from AWS, and printed through a view.
//!
//! What the cache has is printed without credentials or a thread, and an answer that is printed as it was stored
//! without a runtime; a part that could not be read is named.

use crate::app::{Caller, GatewayBuilder, Reading};
use crate::cache::Provenance;
use crate::cli::args::{GlobalArgs, ReadArgs};
use crate::cli::commands::assignments::CallLimit;
use crate::cli::commands::cache::warm::calls_to_aws;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::exit_code::failed;
use crate::cli::output::{Answer, Output, Projection};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::config::Format;
use crate::gateway::{CachePolicy, Gateway, GatewayError, Request};
use crate::model::format_duration;
use crate::progress;
use crate::progress::Progress;
use serde::Serializer;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

/// A session that reads.
pub(super) struct ReadSession<'o> {
    pub(super) session: Session,
    pub(super) reading: Reading,
    pub(super) policy: CachePolicy,
    meta: bool,
    output: &'o mut Output,
}

impl<'o> ReadSession<'o> {
    pub(super) fn open(
        globals: &GlobalArgs,
        read: &ReadArgs,
        output: &'o mut Output,
    ) -> Result<ReadSession<'o>, CliError> {
        ReadSession::open_within(CallLimit::None, globals, read, output)
    }

    /// The same for a walk with a limit of calls.
    pub(super) fn open_within(
        limit: CallLimit,
        globals: &GlobalArgs,
        read: &ReadArgs,
        output: &'o mut Output,
    ) -> Result<ReadSession<'o>, CliError> {
        let session = Session::open(globals, Need::Sound, output)?;
        let policy = session.policy(&read.freshness)?;
        let budget = limit.budget(session.app.config().access.max_calls);
        let reading = session.app.reading(Caller::Command { budget });
        // With `--refresh` the same command reads everything again.
        let continues = match (policy.fill, read.freshness.refresh) {
            (false, _) => None,
            (true, true) => Some("what was read to its end is kept: without `--refresh` it is not read again"),
            (true, false) => Some("what was read to its end is kept: `COMMAND` continues"),
        };
        session.interrupts.leaves("", continues);
        Ok(ReadSession { session, reading, policy, meta: read.meta, output })
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.reading.gateway
    }

    pub(super) fn progress(&self) -> &dyn Progress {
        self.session.progress.as_ref()
    }

    /// Prints the answer to a request as it is.
    pub(super) fn show(self, request: &Request, view: &Projection<'_>) -> Result<(), CliError> {
        let folder = GatewayBuilder::new(&self.session.app).spool_dir();
        let ReadSession { session, reading, policy, meta, output } = self;
        let gateway = &reading.gateway;
        let around = meta && output.format() == Format::Json;
        let mut answer = output.pushed(view, &folder)?;
        let mut show = |provenance: &Provenance, body: &mut dyn Read| {
            if around {
                // What led to this answer, a name that was looked up, is part of it.
                let whole = gateway.provenance().map_or(*provenance, |parts| parts.and(*provenance));
                answer.surround(&document(Some(whole), true, true))?;
            }
            answer.take(body)
        };
        let hit = gateway.reader().cached(request, &policy, &mut show)?;
        let provenance = if let Some(provenance) = hit {
            provenance
        } else {
            let progress = session.progress.as_ref();
            let max_age = policy.max_age;
            let waited = session.wait(gateway.reader().after_miss(request, &policy, progress, &mut show));
            waited
                .map_err(|failure| after_calls(failure, &reading))?
                .map_err(|error| session.failed_within(error, max_age))?
        };
        answer.finish()?;
        if meta && !around {
            output.talk().line(&line(&document(gateway.provenance(), true, true)));
        }
        session.tell_source(&gateway.provenance().unwrap_or(provenance), reading.calls().total, output);
        session.close_after(&reading);
        Ok(())
    }

    /// Waits for work on the gateway.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, GatewayError>>) -> Result<T, CliError> {
        self.known(self.session.wait(work).map_err(|failure| after_calls(failure, &self.reading))?)
    }

    /// The result of the gateway; an unknown name comes back with similar names.
    pub(super) fn known<T>(&self, found: Result<T, GatewayError>) -> Result<T, CliError> {
        found.map_err(|error| self.failure(error))
    }

    /// The failure of a read; an unknown name comes back with similar names.
    pub(super) fn failure(&self, error: GatewayError) -> CliError {
        let near = if let GatewayError::NotFound { what } = &error { self.near(what) } else { Vec::new() };
        let failure = self.session.failed_within(error, self.policy.max_age);
        if near.is_empty() {
            return failure;
        }
        let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        let hint = failure.hint.as_deref().unwrap_or_default();
        let hint = format!("did you mean {}?\n{hint}", near.join(" or "));
        failure.hint(hint.trim_end())
    }

    /// Names similar to the one in backquotes of an error, after its kind.
    fn near(&self, what: &str) -> Vec<String> {
        let Some((noun, name)) = what.split_once(" `") else { return Vec::new() };
        let name = name.trim_end_matches('`');
        if noun != "user or group" {
            return self.gateway().resolver().near_names(noun, name);
        }
        ["user", "group"].into_iter().flat_map(|noun| self.gateway().resolver().near_names(noun, name)).collect()
    }

    /// Prints one value that was put together here.
    pub(super) fn print(self, value: &Value, view: &Projection<'_>) -> Result<(), CliError> {
        self.print_with(value, view, true)
    }

    /// The same; parts of it may be missing.
    pub(super) fn print_with(self, value: &Value, view: &Projection<'_>, complete: bool) -> Result<(), CliError> {
        self.print_body(view, complete, |answer| serde_json::to_writer(answer, value).map_err(io::Error::from))
    }

    /// Prints a list that is put together here, row by row; parts of it may be missing.
    pub(super) fn print_each(
        self,
        rows: impl Iterator<Item = Value>,
        view: &Projection<'_>,
        complete: bool,
    ) -> Result<(), CliError> {
        self.print_body(view, complete, |answer| {
            let mut out = BufWriter::with_capacity(64 * 1024, answer);
            let mut serializer = serde_json::Serializer::new(&mut out);
            serializer.collect_seq(rows)?;
            out.flush()
        })
    }

    /// Prints an assembled list, and ends with the parts that could not be read.
    pub(super) fn print_partial(
        self,
        (rows, failures): &(Vec<Value>, Vec<progress::TargetFailure>),
        view: &Projection<'_>,
    ) -> Result<(), CliError> {
        self.print_each(rows.iter().cloned(), view, failures.is_empty())?;
        partial(failures)
    }

    fn print_body(
        self,
        view: &Projection<'_>,
        complete: bool,
        body: impl FnOnce(&mut Answer<'_>) -> io::Result<()>,
    ) -> Result<(), CliError> {
        let parts = self.reading.gateway.provenance();
        if let Some(parts) = parts.filter(|parts| parts.stale) {
            // The immediate notice covered the first of them only.
            let age = format_duration(Duration::from_millis(parts.age_ms.unsigned_abs()));
            self.session.progress.notice(&format!("the oldest part of this answer is {age} old"));
        }
        let meta = document(parts, complete, self.policy.live);
        let around = self.meta && self.output.format() == Format::Json;
        let folder = GatewayBuilder::new(&self.session.app).spool_dir();
        let mut answer = self.output.pushed(view, &folder)?;
        let put = if around { answer.surround(&meta) } else { Ok(()) };
        put.and_then(|()| body(&mut answer)).map_err(|error| CliError::writing(&error))?;
        answer.finish()?;
        if self.meta && !around {
            self.output.talk().line(&line(&meta));
        }
        if let Some(parts) = parts {
            self.session.tell_source(&parts, self.reading.calls().total, self.output);
        }
        self.session.close_after(&self.reading);
        Ok(())
    }
}

/// An interrupted read names the calls that it made.
fn after_calls(failure: CliError, reading: &Reading) -> CliError {
    let calls = reading.calls().total;
    if failure.code != Code::Interrupted || calls == 0 {
        return failure;
    }
    let message = format!("{} after {}", failure.message, calls_to_aws(calls));
    CliError { message, ..failure }
}

/// The end of a read whose answer was printed without some of its parts.
pub(super) fn partial(failures: &[progress::TargetFailure]) -> Result<(), CliError> {
    let [first, more @ ..] = failures else { return Ok(()) };
    let lines = failed::lines(failures);
    let message = match more.len() {
        0 => format!("{} could not be read", first.target),
        more => format!("{} parts of the answer could not be read", more + 1),
    };
    let hints: BTreeSet<&str> = failures.iter().filter_map(|failure| failure.hint.as_deref()).collect();
    let hint = if hints.is_empty() {
        "`awsideman doctor` shows which reads are allowed; what was read is kept".to_owned()
    } else {
        Vec::from_iter(hints).join("\n")
    };
    Err(CliError::new(Code::Partial, message).details(lines).hint(hint))
}

/// Where an answer is from. `provenance` is `None` when nothing of it was looked up: then AWS was asked, if it was `live`.
fn document(provenance: Option<Provenance>, complete: bool, live: bool) -> Value {
    let seconds = |ms: i64| ms / 1000;
    let cached = provenance.map_or(!live, |p| p.cached);
    let left = provenance.filter(|p| p.cached).map(|p| seconds(p.left_ms));
    json!({
        "source": if cached { "cache" } else { "aws" },
        "age": provenance.map_or_else(|| live.then_some(0), |p| Some(seconds(p.age_ms))),
        "stored_at": provenance.map(|p| times::utc(p.stored_at)),
        "complete": complete,
        "stale": provenance.is_some_and(|p| p.stale),
        // How long the cache goes on giving it; null for what it did not give.
        "expires_in": left,
    })
}

/// The same as one line for people.
fn line(meta: &Value) -> String {
    let fields = meta.as_object().into_iter().flatten();
    let words = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    format!("meta: {}", words.collect::<Vec<_>>().join(" "))
}

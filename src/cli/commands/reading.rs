//! Reading for a person: from the cache without waiting, else from AWS, and printed through a view.
//!
//! Neighbours: the directory commands hand in a request or work on values; `gateway/` answers. Promise: what the
//! cache has is printed without credentials or a thread, and an answer that is printed as it was stored without a
//! runtime; a part that could not be read is named.

use crate::app::{Asker, Reading};
use crate::cache::Provenance;
use crate::cli::args::{FreshnessArgs, GlobalArgs};
use crate::cli::exit::Failure;
use crate::cli::output::{Output, View};
use crate::cli::session::{Need, Session, wait};
use crate::gateway::{Gateway, GatewayError, Policy, Request};
use crate::report::Progress;
use serde_json::Value;
use std::io::Read;

/// A session that reads.
pub(super) struct Reader<'o> {
    pub(super) session: Session,
    pub(super) reading: Reading,
    pub(super) policy: Policy,
    output: &'o mut Output,
}

impl<'o> Reader<'o> {
    pub(super) fn open(
        globals: &GlobalArgs,
        freshness: &FreshnessArgs,
        output: &'o mut Output,
    ) -> Result<Reader<'o>, Failure> {
        let session = Session::open(globals, Need::Sound, output)?;
        let policy = session.policy(freshness)?;
        let reading = session.app.reading(Asker::Command);
        Ok(Reader { session, reading, policy, output })
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.reading.gateway
    }

    pub(super) fn progress(&self) -> &dyn Progress {
        self.session.progress.as_ref()
    }

    /// Prints the answer to a request as it is.
    pub(super) fn show(self, request: &Request, view: &View<'_>) -> Result<(), Failure> {
        let folder = self.session.app.spool_dir();
        let Reader { session, reading, policy, output } = self;
        let gateway = &reading.gateway;
        let mut answer = output.pushed(view, &folder)?;
        let hit = gateway.cached(request, &policy, &mut |_, body| answer.take(body))?;
        let provenance = if let Some(provenance) = hit {
            provenance
        } else {
            let progress = session.progress.as_ref();
            let show = &mut |_: &Provenance, body: &mut dyn Read| answer.take(body);
            wait(gateway.after_miss(request, &policy, progress, show))?.map_err(|error| session.failed(error))?
        };
        answer.finish()?;
        session.tell_source(&provenance);
        session.close_after(&reading);
        Ok(())
    }

    /// Waits for work on the gateway.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, GatewayError>>) -> Result<T, Failure> {
        wait(work)?.map_err(|error| self.session.failed(error))
    }

    /// Prints values that were put together here.
    pub(super) fn print(self, value: &Value, view: &View<'_>) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        self.output.answer(&mut bytes.as_slice(), view)?;
        self.session.close_after(&self.reading);
        Ok(())
    }
}

//! One lookup in the cache: an answer, an absence that is remembered, or a miss.
//!
//! What a read looks up is recorded once, however many doors it tries; a remembered absence is the error that AWS
//! gave, never the text `null`.

use super::error::GatewayError;
use super::read::CachePolicy;
use super::request::Request;
use crate::cache::{EntrySink, Lookup, Miss, Provenance, ReadOptions};
use crate::gateway::read::Reader;
use crate::model::Resource;
use crate::store::{Address, StoreFault};
use serde_json::Value;
use std::io::{self, Read};
use std::sync::Arc;

/// What became of a lookup, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// A fresh entry answered.
    Hit,
    /// None did.
    Miss(Miss),
    /// The store could not answer.
    Fault(StoreFault),
}

/// Told of every lookup of a command's read: the outcome, the resource, and the id of the entry's row.
pub type Recorder = Arc<dyn Fn(Looked, Resource, u64) + Send + Sync>;

/// What of a lookup is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Hit or miss: this is the read's lookup.
    All,
    /// A hit alone: after a miss the read looks again, or asks in another way.
    Hits,
    /// Nothing: the read's lookup was recorded before.
    Nothing,
}

impl Reader<'_> {
    /// A whole answer from the cache alone. A miss is not recorded: the read that follows it looks again.
    pub fn cached_value(self, request: &Request, policy: &CachePolicy) -> Result<Option<Value>, GatewayError> {
        if !policy.read {
            return Ok(None);
        }
        let Some(space) = self.gateway.remembered() else { return Ok(None) };
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        let mut found = Value::Null;
        let hit = self.look(request, &space.text(), accept, Note::Hits, &mut |_, body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        })?;
        Ok(hit.map(|_| found))
    }

    /// The same for a lookup that is no part of the answer: nothing is recorded.
    pub(super) fn glance(self, request: &Request, policy: &CachePolicy) -> Result<Option<Value>, GatewayError> {
        if !policy.read {
            return Ok(None);
        }
        let Some(space) = self.gateway.remembered() else { return Ok(None) };
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        let mut found = Value::Null;
        let hit = self.look(request, &space.text(), accept, Note::Nothing, &mut |_, body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        })?;
        Ok(hit.map(|_| found))
    }

    /// Shows an acceptable entry; `None` when there is none, and then nothing was shown.
    pub(super) fn look(
        self,
        request: &Request,
        space: &str,
        accept: ReadOptions,
        note: Note,
        show: EntrySink<'_>,
    ) -> Result<Option<Provenance>, GatewayError> {
        let key = request.key();
        let record = |looked| {
            if let Some(recorder) = &self.gateway.recorder {
                let address = Address { space, key: key.as_str() };
                recorder(looked, request.resource(), self.gateway.cache().store().row(address));
            }
        };
        let mut absent = false;
        let looked = self.gateway.cache().view(space, &key, accept, &mut |provenance, mut body| {
            let mut head = Vec::with_capacity(5);
            Read::take(&mut body, 5).read_to_end(&mut head)?;
            if head == b"null" {
                absent = true;
                return Ok(());
            }
            show(provenance, &mut io::Cursor::new(head).chain(body))
        })?;
        match looked {
            Lookup::Hit(provenance) => {
                if note != Note::Nothing {
                    record(Looked::Hit);
                }
                if absent {
                    return Err(GatewayError::NotFound { what: request.subject() });
                }
                self.gateway.add_part(provenance);
                Ok(Some(provenance))
            }
            Lookup::Miss(miss, fault) => {
                if note == Note::All {
                    record(match (miss, &fault) {
                        (Miss::Fault, Some(fault)) => Looked::Fault(fault.fault()),
                        (Miss::Fault, None) => Looked::Fault(StoreFault::Other),
                        (miss, _) => Looked::Miss(miss),
                    });
                }
                if let Some(fault) = fault {
                    self.gateway.fault(&fault);
                }
                Ok(None)
            }
        }
    }
}

//! Revalidates a listing during which changes were made: reads the changed items again, then stores the listing.
//!
//! Guarantee: a listing is stored only if every such change named the items it changed, and these were read after
//! it. If a change is ongoing or names only patterns, the listing is not stored, and the next
//! reader reads it from AWS.

use super::api::GetCall;
use super::api::InstanceTarget;
use super::error::GatewayError;
use super::request::Request;
use super::spool::Spool;
use crate::cache::{Key, Ticket};
use crate::clock::millis;
use crate::gateway::fetch::Fetcher;
use crate::gateway::fetch::text;
use crate::progress::Progress;
use crate::store::{Address, InvalidationRecord, Select};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most items that are read again; for more, reading the listing is cheaper.
const MOST: usize = 50;
/// The most rounds of revalidation of a listing.
const ROUNDS: u32 = 3;
/// The longest wait for a fence to lapse, so that a listing can be stored.
const WAIT: Duration = Duration::from_secs(30);

/// A list whose items can be read one by one.
struct List {
    /// The field of the id.
    id: &'static str,
    single: fn(String) -> GetCall,
    describe: fn(String) -> Request,
}

fn list_of(request: &Request) -> Option<List> {
    match request {
        Request::Users => Some(List { id: "UserId", single: GetCall::User, describe: Request::User }),
        Request::Groups => Some(List { id: "GroupId", single: GetCall::Group, describe: Request::Group }),
        Request::PermissionSets => {
            Some(List { id: "PermissionSetArn", single: GetCall::PermissionSet, describe: Request::PermissionSet })
        }
        _ => None,
    }
}

/// Where an answer is stored, and since when it is being fetched.
#[derive(Clone, Copy)]
pub(super) struct FillSlot<'a> {
    pub(super) target: &'a InstanceTarget,
    pub(super) space: &'a str,
    pub(super) ticket: Ticket,
    /// Whether a fence covered the key when the ticket was taken. Its answer may predate a change whose record the
    /// ticket knows already: nothing says what to read again.
    pub(super) fenced: bool,
    /// Whether no user waits for the answer, so that it may wait for a fence.
    pub(super) patient: bool,
}

/// The result of storing an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreResult {
    /// It is stored.
    Stored,
    /// A change was made while it was being read, or settles: it may be from before that.
    Overtaken,
    /// The store could not take it; the fault is noted.
    Unable,
}

impl Fetcher<'_> {
    /// Stores what was fetched; `spool` is then what was stored, or what was fetched when it could not be.
    pub(super) async fn keep(
        self,
        request: &Request,
        place: FillSlot<'_>,
        spool: &mut Spool,
        progress: &dyn Progress,
    ) -> Result<StoreResult, GatewayError> {
        let FillSlot { target, space, mut ticket, fenced, patient } = place;
        let key = request.key();
        for round in 0..=ROUNDS {
            let stored = self.gateway.cache().fill_long(space, &key, request.call(), &mut spool.reader()?, ticket);
            match stored {
                Ok(true) => return Ok(StoreResult::Stored),
                Ok(false) if round < ROUNDS => {}
                Ok(false) => return Ok(StoreResult::Overtaken),
                Err(fault) => {
                    self.gateway.fault(&fault);
                    return Ok(StoreResult::Unable);
                }
            }
            let Some(list) = list_of(request).filter(|_| !fenced) else { return Ok(StoreResult::Overtaken) };
            let Some(again) = self.ticket_outside_fences(space, &key, patient).await else {
                return Ok(StoreResult::Overtaken);
            };
            let Some(ids) = self.changed(space, &key, ticket, &list) else { return Ok(StoreResult::Overtaken) };
            progress.notice(&format!(
                "{} of {} changed while they were being read; reading them again",
                ids.len(),
                request.subject()
            ));
            let mut now = BTreeMap::new();
            for id in ids {
                let found = match self.gateway.source().fetch(Some(target), &(list.single)(id.clone())).await {
                    Ok(found) => Some(found),
                    Err(GatewayError::NotFound { .. }) => None,
                    // The answer is whole without it; it only cannot be kept.
                    Err(_) => return Ok(StoreResult::Overtaken),
                };
                now.insert(id, found);
            }
            *spool = patched(self.gateway.spool(), spool, list.id, now)?;
            ticket = again.as_old_as(ticket);
        }
        Ok(StoreResult::Overtaken)
    }

    /// Whether a fence covered the key when the ticket was taken, or has come since; also when that is unknown.
    pub(super) fn was_fenced(self, space: &str, key: &Key, ticket: Ticket) -> bool {
        let address = Address { space, key: key.as_str() };
        self.gateway.cache().store().standing(address, ticket.taken_at()).map_or(true, |standing| standing.fenced)
    }

    /// A ticket from a moment in which no fence covers the key; perhaps after a wait.
    async fn ticket_outside_fences(self, space: &str, key: &Key, patient: bool) -> Option<Ticket> {
        let clock = self.gateway.cache().clock().clone();
        let began = clock.now();
        loop {
            let ticket = self.gateway.ticket();
            // Judged by the ticket's own time: a fence that lapses meanwhile counts, one that comes later has a number that
            // the ticket does not know.
            if !self.was_fenced(space, key, ticket) {
                return Some(ticket);
            }
            if !patient || clock.now() - began >= millis(WAIT) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The ids that all records which overtook the list name; `None` when one of them names none.
    fn changed(self, space: &str, key: &Key, ticket: Ticket, list: &List) -> Option<BTreeSet<String>> {
        let records = self.gateway.cache().store().records(ticket.number()?).ok()??;
        named(&records, Address { space, key: key.as_str() }, list)
    }
}

fn named(records: &[InvalidationRecord], list_at: Address<'_>, list: &List) -> Option<BTreeSet<String>> {
    let covering: BTreeSet<u64> =
        records.iter().filter(|record| record.select.covers(list_at)).map(|record| record.sequence).collect();
    let prefix = (list.describe)(String::new()).key();
    let mut ids = BTreeSet::new();
    for sequence in covering {
        let of_it = records.iter().filter(|record| record.sequence == sequence);
        let before = ids.len();
        for record in of_it {
            match &record.select {
                Select::Exact { space, key } if space == list_at.space => {
                    if let Some(id) = key.strip_prefix(prefix.as_str()) {
                        ids.insert(crate::cache::decode(id));
                    }
                }
                Select::Exact { .. } => {}
                // A pattern over the list itself names nothing; one over other keys does not matter here.
                select if select.covers(list_at) => return None,
                _ => {}
            }
        }
        if ids.len() == before && !already_named(records, sequence, prefix.as_str(), &ids) {
            return None;
        }
    }
    (!ids.is_empty() && ids.len() <= MOST).then_some(ids)
}

/// Whether a sequence names an id that another one has named before it.
fn already_named(records: &[InvalidationRecord], sequence: u64, prefix: &str, ids: &BTreeSet<String>) -> bool {
    records.iter().filter(|record| record.sequence == sequence).any(|record| match &record.select {
        Select::Exact { key, .. } => key.strip_prefix(prefix).is_some_and(|id| ids.contains(&crate::cache::decode(id))),
        _ => false,
    })
}

/// The list with some of its things replaced, taken out, or added at its end.
fn patched(
    mut into: Spool,
    from: &mut Spool,
    id: &str,
    mut now: BTreeMap<String, Option<Value>>,
) -> Result<Spool, GatewayError> {
    from.each(|item| match now.remove(&text(&item, id)) {
        Some(Some(found)) => into.push(&found),
        Some(None) => Ok(()),
        None => into.push(&item),
    })?;
    for found in now.into_values().flatten() {
        into.push(&found)?;
    }
    into.finish()?;
    Ok(into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(sequence: u64, key: &str) -> InvalidationRecord {
        let select = if key.contains('*') {
            Select::Glob { space: Some("s".into()), pattern: key.into() }
        } else {
            Select::Exact { space: "s".into(), key: key.into() }
        };
        InvalidationRecord { sequence, select, deadline: None, at: 0 }
    }

    fn ids(records: &[(u64, &str)]) -> Option<Vec<String>> {
        let records: Vec<InvalidationRecord> = records.iter().map(|(sequence, key)| record(*sequence, key)).collect();
        let list = list_of(&Request::Users).unwrap();
        named(&records, Address { space: "s", key: "user:list:all" }, &list).map(|ids| ids.into_iter().collect())
    }

    #[test]
    fn only_changes_that_name_what_they_changed_can_be_made_up_for() {
        let list = "user:list:all";
        assert_eq!(ids(&[(1, list), (1, "user:describe:a%3Ab"), (1, "user:by_name:*")]), Some(vec!["a:b".into()]));
        assert_eq!(
            ids(&[(1, list), (1, "user:describe:a"), (2, list), (2, "user:describe:a")]),
            Some(vec!["a".into()])
        );
        assert_eq!(ids(&[(1, list), (1, "user:describe:a"), (2, list), (2, "user:by_name:*")]), None, "a creation");
        assert_eq!(ids(&[(1, list), (1, "user:describe:a"), (2, "user:*")]), None, "a clear");
        assert_eq!(ids(&[(1, "user:*"), (1, "user:describe:a")]), None);
        assert_eq!(ids(&[(1, "user:describe:a"), (2, "group:*")]), None, "nothing overtook the list");
    }

    #[test]
    fn a_list_is_patched_in_its_place() {
        let folder = std::env::temp_dir();
        let mut from = Spool::new(folder.clone());
        for id in ["a", "b", "c"] {
            from.push(&json!({"UserId": id, "v": 1})).unwrap();
        }
        from.finish().unwrap();
        let now = [
            ("b".to_owned(), Some(json!({"UserId": "b", "v": 2}))),
            ("c".to_owned(), None),
            ("d".to_owned(), Some(json!({"UserId": "d"}))),
            ("e".to_owned(), None),
        ];
        let mut after = patched(Spool::new(folder), &mut from, "UserId", now.into()).unwrap();
        assert_eq!(after.value().unwrap(), json!([{"UserId": "a", "v": 1}, {"UserId": "b", "v": 2}, {"UserId": "d"}]));
        assert_eq!(after.items(), 3);
    }
}

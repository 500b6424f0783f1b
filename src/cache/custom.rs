//! What programs keep for themselves: a space of their own, times of their own, and changes in one step.
//!
//! What a program stores is never given as an answer of AWS, and a change that makes a key false makes it false
//! here as well; a time that the program named holds, one that it did not name is today's.

use crate::cache::Cache;
use crate::cache::Dirt;
use crate::cache::Fresh;
use crate::cache::Key;
use crate::cache::Usability;
use crate::cache::entry;
use crate::cache::entry::Payload;
use crate::cache::judge;
use crate::clock::{UnixMillis, millis};
use crate::store::{Address, Frames, Meta, Select, StoreError};
use std::io::{self, Read};
use std::time::Duration;

/// The space that programs store in. It is no instance's: no command reads it as an answer.
pub const CUSTOM: &str = "@custom";

/// What `cache inspect` says of an entry whose program named its time.
pub const OWN_TIME: &str = "a program, for a time of its own";

/// What it says of the others.
pub const BY_PROGRAM: &str = "a program";

/// Makes a payload of the one that is there, if there is one.
pub type UpdatePayload<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> io::Result<Vec<u8>>;

/// Whether the program that stored an entry named its time: then that is how long it is fresh, whatever is configured.
pub fn has_own_time(meta: &Meta) -> bool {
    meta.space == CUSTOM && meta.source == OWN_TIME
}

/// What `dirt` covers: in one space and in that of programs, or everywhere.
pub fn covered_by(dirt: &[Dirt], space: Option<&str>) -> Vec<Select> {
    let in_each = |space: Option<&str>| dirt.iter().map(move |dirt| dirt.select(space)).collect::<Vec<_>>();
    let mut all = in_each(space);
    if space.is_some_and(|space| space != CUSTOM) {
        all.extend(in_each(Some(CUSTOM)));
    }
    all
}

impl Cache {
    /// Replaces the value of a program under `key` by the result of `make`, in one step: no process stores or removes it
    /// in between. `make` gets nothing where nothing usable is; it may be called again when another thread was faster,
    /// and its error changes nothing. `false` when a change of that key is under way.
    pub fn update(&self, key: &Key, ttl: Option<Duration>, make: UpdatePayload<'_>) -> Result<bool, StoreError> {
        let address = Address { space: CUSTOM, key: key.as_str() };
        let now = self.clock.now();
        self.store.revise(address, now, &mut |there| {
            let before = match there {
                Some((meta, frames)) => self.usable(meta, frames, now)?,
                None => None,
            };
            let payload = make(before.as_deref()).map_err(StoreError::Output)?;
            let fresh = Fresh { key: key.clone(), payload, source: BY_PROGRAM };
            Ok(Some(self.whole(CUSTOM, &fresh, now, ttl.map(millis))))
        })
    }

    /// The payload of an entry that a read would be given; `None` for what is past its time, damaged or another version's.
    fn usable(&self, meta: &Meta, frames: &mut dyn Frames, now: UnixMillis) -> Result<Option<Vec<u8>>, StoreError> {
        let fresh = matches!(judge(meta, self.allowance(&meta.key, None), now), Usability::Fresh { .. });
        if meta.schema != entry::SCHEMA || !entry::is_intact(meta) || !fresh {
            return Ok(None);
        }
        let mut payload = Payload::new(meta, frames);
        let mut bytes = Vec::new();
        let read = payload.verify().and_then(|()| match payload.read_to_end(&mut bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(payload.into_failure().unwrap_or(StoreError::Output(error))),
        });
        match read {
            Ok(()) => Ok(Some(bytes)),
            Err(StoreError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{ChangeEvent, Operation, dirty};
    use crate::model::Resource;

    #[test]
    fn a_change_in_one_instance_covers_what_programs_keep_and_one_of_all_covers_everything_once() {
        let dirt = dirty(&ChangeEvent::new(Resource::User, Operation::Update, "u-1"));
        let key = "user:describe:u-1";
        let covers = |space, at| {
            covered_by(&dirt, space).iter().filter(|select| select.covers(Address { space: at, key })).count()
        };
        assert_eq!([covers(Some("s"), "s"), covers(Some("s"), CUSTOM), covers(Some("s"), "t")], [1, 1, 0]);
        assert_eq!([covers(None, "s"), covers(None, CUSTOM)], [1, 1]);
        assert_eq!(covers(Some(CUSTOM), CUSTOM), 1);
    }
}

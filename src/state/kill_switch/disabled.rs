//! Who disabled the cache, why, and until when.

use crate::clock::UnixMillis;
use serde::{Deserialize, Serialize};

/// The end of the year 9999: the latest time that can be written down.
pub(super) const FOREVER: UnixMillis = 253_402_300_799_000;

/// Who disabled the cache, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when.
    #[serde(default)]
    pub since: UnixMillis,
    /// When it ends by itself.
    #[serde(default = "forever")]
    pub until: UnixMillis,
    /// Why, in the words of who did it.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who: `user@host`, or what is known.
    #[serde(default)]
    pub by: String,
}

fn forever() -> UnixMillis {
    FOREVER
}

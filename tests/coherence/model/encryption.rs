//! How the entries of a play are kept: in clear, or sealed under keys that somebody changes while the play goes on.
//!
//! Keys come from their numbers, so that a seed is the same play again. Whoever had the store open keeps the keys
//! that it had: a process reads its configuration once.

use awsideman::store::{Disk, Encrypted, KeyRing, KeyState, Options, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// How entries are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Clear,
    Sealed,
}

/// The most keys that somebody keeps: older ones are thrown away, whatever still lies under them.
const MOST: usize = 2;

/// What the configuration says.
pub(crate) struct Seal {
    kept: Kept,
    /// The numbers of the keys, the newest first.
    keys: Vec<u8>,
    enabled: bool,
}

impl Seal {
    pub(crate) fn new(kept: Kept) -> Seal {
        Seal { kept, keys: vec![1], enabled: kept == Kept::Sealed }
    }

    /// The store as a process opens it now.
    pub(crate) fn open(&self, options: &Options) -> Arc<dyn Store> {
        let disk = Disk::open(options).unwrap();
        match self.kept {
            Kept::Clear => Arc::new(disk),
            Kept::Sealed => Arc::new(Encrypted::new(disk, self.ring(self.enabled))),
        }
    }

    fn ring(&self, enabled: bool) -> KeyState {
        let lines: String = self.keys.iter().map(|number| STANDARD.encode([*number; 32]) + "\n").collect();
        if enabled { KeyState::Keys(Arc::new(KeyRing::parse(lines.as_bytes()).unwrap())) } else { KeyState::Clear }
    }

    /// Somebody enables, disables or rotates; what is kept is written anew, unless that is cut off before it begins.
    pub(crate) fn change(&mut self, options: &Options, dice: &mut fastrand::Rng) {
        if dice.u8(0..3) == 0 {
            self.enabled = !self.enabled;
        } else {
            self.keys.insert(0, self.keys[0] + 1);
            self.keys.truncate(MOST);
        }
        if dice.bool() {
            let old = self.ring(!self.enabled);
            let layer = Encrypted::new(Disk::open(options).unwrap(), self.ring(self.enabled));
            layer.exchange(&old, &mut |_| true).unwrap();
        }
    }
}

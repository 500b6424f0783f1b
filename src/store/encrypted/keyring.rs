//! Keys: 32 bytes as base64, the newest first, and what is derived from each.
//!
//! Key material is wiped when it is dropped, is never printed (`Debug` shows ids), and no error holds a part of
//! what was read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Bytes of a key.
const BYTES: usize = 32;

/// The most keys that are read: the newest and those before it.
const MOST: usize = 8;

/// One key.
pub(crate) struct DataKey {
    id: String,
    key_id: u64,
    /// Names, and the checksums that stand in the row.
    hash: Hmac<Sha256>,
    /// Names and the keys of entries.
    cipher: XChaCha20Poly1305,
}

/// The keys of a process: it encrypts with the first and decrypts with all.
pub struct KeyRing {
    keys: Vec<DataKey>,
}

/// Why a text is no list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// Nothing is in it.
    Empty,
    /// This line, counted from 1, is not 32 bytes as base64.
    Line(usize),
    /// Two lines hold the same key.
    Twice(usize),
    /// More than lines than a key file may have.
    TooMany,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadKey::Empty => f.write_str("it holds no key"),
            BadKey::Line(n) => write!(f, "line {n} is not a key: {BYTES} bytes as base64, which are 44 characters"),
            BadKey::Twice(n) => write!(f, "line {n} repeats a key"),
            BadKey::TooMany => write!(f, "it holds more than {MOST} keys"),
        }
    }
}

impl KeyRing {
    /// Reads keys, one a line, the newest first.
    pub fn parse(text: &[u8]) -> Result<KeyRing, BadKey> {
        let mut keys: Vec<DataKey> = Vec::new();
        let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        for (line, n) in lines.zip(1..).filter(|(line, _)| !line.is_empty()) {
            if n > MOST {
                return Err(BadKey::TooMany);
            }
            let mut bytes = Zeroizing::new([0; BYTES + 2]);
            let length = STANDARD.decode_slice(line, bytes.as_mut_slice()).map_err(|_| BadKey::Line(n))?;
            let master = bytes.first_chunk().filter(|_| length == BYTES).ok_or(BadKey::Line(n))?;
            let key = DataKey::new(master);
            if keys.iter().any(|known| known.id == key.id) {
                return Err(BadKey::Twice(n));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(BadKey::Empty) } else { Ok(KeyRing { keys }) }
    }

    /// A new key as a line of text.
    pub fn generate() -> Result<Zeroizing<String>, String> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| format!("the host gives no random bytes: {error}"))?;
        Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice()) + "\n"))
    }

    /// The ids of the keys, the newest first: 8 characters that tell keys apart and say nothing about them.
    pub fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.id.clone()).collect()
    }

    pub(crate) fn newest(&self) -> &DataKey {
        &self.keys[0]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataKey> {
        self.keys.iter()
    }

    pub(crate) fn key(&self, key_id: u64) -> Option<&DataKey> {
        self.keys.iter().find(|key| key.key_id == key_id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.ids()).finish()
    }
}

impl DataKey {
    fn new(master: &[u8; BYTES]) -> DataKey {
        let master = mac(master);
        let derived = |what: &[u8]| Zeroizing::new(digest(&master, &[what]));
        let number = u32::from_be_bytes(*derived(b"awsideman key id").first_chunk().expect("32 bytes hold four"));
        // 0 is the key id of plaintext.
        let number = number.max(1);
        let mut id = String::new();
        let _ = write!(id, "{number:08x}");
        let cipher = XChaCha20Poly1305::new(&(*derived(b"awsideman cipher")).into());
        DataKey { id, key_id: u64::from(number), hash: mac(&derived(b"awsideman hash")), cipher }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn key_id(&self) -> u64 {
        self.key_id
    }

    pub(crate) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }

    /// The keyed hash over these parts, each with its length before it.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> [u8; BYTES] {
        digest(&self.hash, parts)
    }
}

fn mac(key: &[u8; BYTES]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("a key of any length will do")
}

fn digest(with: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; BYTES] {
    let mut mac = with.clone();
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

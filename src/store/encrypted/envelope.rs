//! The envelope of one entry: frames are encrypted under a key per entry, and that key is encrypted together with the metadata.
//!
//! A frame that was changed, cut, taken from another entry or another place of the same one, and metadata that was
//! changed, moved to another space or key, or combined with other frames, are refused; nothing is given out that was
//! not authenticated.
//!
//! An entry has a random key. Its frames are encrypted with ChaCha20-Poly1305 under that key, the number of the frame being
//! the nonce, which thus never repeats; schema and number are associated data too. After them comes one frame more, the
//! lid: the entry's key and the checksum of its metadata under the key of the cache, with space, name, schema, times,
//! source, sizes and count as associated data. So a draft can be written before its address is known.

use crate::store::Meta;
use crate::store::encrypted::keyring::DataKey;
use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, XNonce};
use zeroize::Zeroizing;

const NONCE: usize = 24;
const KEY: usize = 32;
/// The content of the lid: the key of the entry and the checksum of its metadata.
const HELD: usize = KEY + 8;

/// The random key of one entry.
pub(crate) struct EntryKey {
    bytes: Zeroizing<[u8; KEY]>,
    cipher: ChaCha20Poly1305,
}

/// What a host without random bytes says.
pub(crate) type NoRandom = getrandom::Error;

impl EntryKey {
    pub(crate) fn new() -> Result<EntryKey, NoRandom> {
        let mut bytes = Zeroizing::new([0; KEY]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(EntryKey::of(bytes))
    }

    fn of(bytes: Zeroizing<[u8; KEY]>) -> EntryKey {
        let cipher = ChaCha20Poly1305::new(&(*bytes).into());
        EntryKey { bytes, cipher }
    }

    /// Encrypts frame `index`.
    pub(crate) fn encrypt(&self, index: u32, frame: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: frame, aad: &bound(index) };
        self.cipher.encrypt(&nonce(index), payload).expect("a frame is shorter than 256 GiB")
    }

    /// Opens frame `index` where it lies; `false` when it is not that frame.
    pub(crate) fn open(&self, index: u32, frame: &mut Vec<u8>) -> bool {
        self.cipher.decrypt_in_place(&nonce(index), &bound(index), frame).is_ok()
    }
}

/// Closes an entry: the lid that goes behind its frames. `stored` is the row to be written, `checksum` that of its metadata.
pub(crate) fn close(with: &DataKey, key: &EntryKey, stored: &Meta, checksum: u64) -> Result<Vec<u8>, NoRandom> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)?;
    let mut held = Zeroizing::new([0; HELD]);
    held[..KEY].copy_from_slice(key.bytes.as_slice());
    held[KEY..].copy_from_slice(&checksum.to_le_bytes());
    let payload = Payload { msg: held.as_slice(), aad: &row(stored) };
    let encrypted = with.cipher().encrypt(&XNonce::from(nonce), payload).expect("forty bytes can be encrypted");
    let mut lid = nonce.to_vec();
    lid.extend_from_slice(&encrypted);
    Ok(lid)
}

/// Opens an entry: the key of its frames and the checksum of its metadata; `None` when the lid does not belong to this row.
pub(crate) fn open(with: &DataKey, stored: &Meta, lid: &[u8]) -> Option<(EntryKey, u64)> {
    let (nonce, encrypted) = lid.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: encrypted, aad: &row(stored) };
    let held = Zeroizing::new(with.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?);
    let (key, checksum) = held.split_first_chunk::<KEY>()?;
    Some((EntryKey::of(Zeroizing::new(*key)), u64::from_le_bytes(checksum.try_into().ok()?)))
}

/// A keyed hash in place of the checksum of the metadata, which would confirm a guess of the content.
pub(crate) fn mark(with: &DataKey, name: &str, checksum: u64) -> u64 {
    let hash = with.hash(&[b"seal", name.as_bytes(), &checksum.to_le_bytes()]);
    // SQLite keeps integers signed: the highest bit would not come back.
    u64::from_le_bytes(*hash.first_chunk().expect("32 bytes hold eight")) >> 1
}

fn nonce(index: u32) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&index.to_le_bytes());
    Nonce::from(bytes)
}

fn bound(index: u32) -> [u8; 21] {
    let mut bound = *b"awsideman frame 1....";
    bound[17..].copy_from_slice(&index.to_le_bytes());
    bound
}

/// Everything of a row that an answer depends on; when it was last used is not part of it.
fn row(stored: &Meta) -> Vec<u8> {
    let mut row = b"awsideman entry 1".to_vec();
    for text in [&stored.space, &stored.key, &stored.source] {
        row.extend_from_slice(&(text.len() as u64).to_le_bytes());
        row.extend_from_slice(text.as_bytes());
    }
    row.extend_from_slice(&stored.schema.to_le_bytes());
    for time in [stored.stored_at, stored.fresh_until, stored.stale_until] {
        row.extend_from_slice(&time.to_le_bytes());
    }
    row.extend_from_slice(&stored.size.to_le_bytes());
    row.extend_from_slice(&stored.held.to_le_bytes());
    row.extend_from_slice(&stored.frames.to_le_bytes());
    row
}

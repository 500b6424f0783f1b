//! Encrypted names: the key of an entry as stored in its row, readable with the key of its key id.
//!
//! The same key always gives the same name, so that rows and records are found by it; another key, space or key id
//! gives another; what was changed is refused. Only the length of the hidden part can be seen.
//!
//! `user:describe:` stays, then come the mark, the id of the key, and as base64 the hidden part: 24 bytes of keyed hash over
//! space and key, which are the nonce too, and the rest of the key under XChaCha20-Poly1305. A nonce that is a keyed hash
//! of everything that is encrypted with it repeats only where all repeats.

use crate::store::encrypted::keyring::DataKey;
use crate::store::key_id::ID;
use crate::store::key_id::MARK;
use crate::store::key_id::visible;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};

const NONCE: usize = 24;

/// The name under which `key` is stored in `space`.
pub(crate) fn encrypt(with: &DataKey, space: &str, key: &str) -> String {
    let clear = visible(key);
    let hash = with.hash(&[b"name", space.as_bytes(), key.as_bytes()]);
    let nonce: [u8; NONCE] = *hash.first_chunk().expect("32 bytes hold 24");
    let bound = bound(space, clear);
    let payload = Payload { msg: &key.as_bytes()[clear.len()..], aad: &bound };
    let encrypted = aead(with).encrypt(&XNonce::from(nonce), payload).expect("a key is shorter than 256 GiB");
    let mut hidden = nonce.to_vec();
    hidden.extend_from_slice(&encrypted);
    format!("{clear}{MARK}{}-{}", with.id(), URL_SAFE_NO_PAD.encode(hidden))
}

/// The key that a name stands for; `None` if it has another key id or was changed.
pub(crate) fn open(with: &DataKey, space: &str, name: &str) -> Option<String> {
    let (clear, rest) = name.split_once(MARK)?;
    let hidden = rest.strip_prefix(with.id())?.strip_prefix('-')?;
    debug_assert_eq!(with.id().len(), ID);
    let hidden = URL_SAFE_NO_PAD.decode(hidden).ok()?;
    let (nonce, encrypted) = hidden.split_first_chunk::<NONCE>()?;
    let bound = bound(space, clear);
    let opened = aead(with).decrypt(&XNonce::from(*nonce), Payload { msg: encrypted, aad: &bound }).ok()?;
    Some(format!("{clear}{}", String::from_utf8(opened).ok()?))
}

fn aead(with: &DataKey) -> &chacha20poly1305::XChaCha20Poly1305 {
    with.cipher()
}

fn bound(space: &str, clear: &str) -> Vec<u8> {
    let mut bound = b"awsideman name 1".to_vec();
    for part in [space, clear] {
        bound.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

//! The form of an entry: a payload in frames, each with its checksum, and a checksum over the metadata.
//!
//! A frame that was flipped, cut, swapped with another or moved to another key is noticed before a byte of the
//! entry is shown; there is no code in data.
//!
//! A frame is one byte (0 plain, 1 zstd), eight bytes of xxh3 over where it belongs and what it holds, and at most
//! 256 KiB of payload, compressed alone, so that a long answer is read through one small buffer.

use crate::store::{Frames, Meta, StoreError};
use std::io::{self, Read};
use xxhash_rust::xxh3::Xxh3;

/// The version of this form. Another binary's is left alone.
pub const SCHEMA: u32 = crate::store::SCHEMA;

/// Bytes of payload in a frame.
pub const FRAME_BYTES: usize = 256 * 1024;

/// What precedes the payload in a frame.
const HEADER_BYTES: usize = 9;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Below this zstd's own header costs more than it saves.
const WORTH_COMPRESSING: usize = 128;

/// Makes the frames of one entry.
#[derive(Debug)]
pub(super) struct Framer<'a> {
    space: &'a str,
    key: &'a str,
    stored_at: i64,
    compression: bool,
    next: u32,
}

impl<'a> Framer<'a> {
    pub(super) fn new(space: &'a str, key: &'a str, stored_at: i64, compression: bool) -> Self {
        Self { space, key, stored_at, compression, next: 0 }
    }

    /// The next frame, of at most [`FRAME_BYTES`] of payload.
    pub(super) fn frame(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![PLAIN; HEADER_BYTES];
        let packed = (self.compression && payload.len() >= WORTH_COMPRESSING)
            .then(|| zstd::bulk::compress(payload, 1).ok())
            .flatten()
            .filter(|packed| packed.len() < payload.len());
        match packed {
            Some(packed) => {
                frame[0] = ZSTD;
                frame.extend_from_slice(&packed);
            }
            None => frame.extend_from_slice(payload),
        }
        let sum = frame_sum(self.space, self.key, self.stored_at, self.next, frame[0], &frame[HEADER_BYTES..]);
        frame[1..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
        self.next += 1;
        frame
    }
}

/// The checksum of the metadata that determines an answer; `used_at` is not part of it.
pub(super) fn checksum(meta: &Meta) -> u64 {
    let mut hash = Xxh3::new();
    for text in [&meta.space, &meta.key, &meta.source] {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(&meta.schema.to_le_bytes());
    for number in [meta.stored_at, meta.fresh_until, meta.stale_until] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(&meta.size.to_le_bytes());
    hash.update(&meta.held.to_le_bytes());
    hash.update(&meta.frames.to_le_bytes());
    // SQLite keeps integers signed: the highest bit would not come back.
    hash.digest() >> 1
}

/// Whether the metadata matches its checksum.
pub(super) fn is_intact(meta: &Meta) -> bool {
    checksum(meta) == meta.checksum
}

/// The payload of one entry, frame by frame through one pair of buffers.
pub(super) struct Payload<'a> {
    meta: &'a Meta,
    frames: &'a mut dyn Frames,
    next: u32,
    raw: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
    failure: Option<StoreError>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(meta: &'a Meta, frames: &'a mut dyn Frames) -> Self {
        Self { meta, frames, next: 0, raw: Vec::new(), plain: Vec::new(), at: 0, failure: None }
    }

    /// Checks every frame before the first byte is shown. An entry of one frame is decoded immediately, since nothing
    /// of it is shown before its only check.
    pub(super) fn verify(&mut self) -> Result<(), StoreError> {
        if self.meta.frames == 1 {
            return self.load();
        }
        let mut held = 0;
        for index in 0..self.meta.frames {
            self.check(index)?;
            held += self.raw.len() as u64;
        }
        if held != self.meta.held {
            return Err(self.damaged("its frames do not add up"));
        }
        Ok(())
    }

    /// Why reading stopped, when it was not the reader's doing.
    pub(super) fn into_failure(self) -> Option<StoreError> {
        self.failure
    }

    fn check(&mut self, index: u32) -> Result<(), StoreError> {
        self.frames.read(index, &mut self.raw)?;
        if self.raw.len() < HEADER_BYTES {
            return Err(self.damaged("a frame is cut short"));
        }
        let (header, body) = self.raw.split_at(HEADER_BYTES);
        let meta = self.meta;
        let sum = frame_sum(&meta.space, &meta.key, meta.stored_at, index, header[0], body);
        if header[1..] != sum.to_le_bytes() {
            return Err(self.damaged("a frame does not match its checksum"));
        }
        Ok(())
    }

    fn load(&mut self) -> Result<(), StoreError> {
        self.check(self.next)?;
        self.next += 1;
        self.at = 0;
        self.plain.clear();
        let body = &self.raw[HEADER_BYTES..];
        match self.raw[0] {
            PLAIN => self.plain.extend_from_slice(body),
            ZSTD => {
                // Small answers are many: only as much room is made as the payload can still fill.
                let before = u64::from(self.next - 1) * FRAME_BYTES as u64;
                let rest = usize::try_from(self.meta.size.saturating_sub(before)).unwrap_or(FRAME_BYTES);
                self.plain.resize(rest.min(FRAME_BYTES), 0);
                let Ok(size) = zstd::bulk::decompress_to_buffer(body, &mut self.plain) else {
                    return Err(self.damaged("a frame cannot be decompressed"));
                };
                self.plain.truncate(size);
            }
            _ => return Err(self.damaged("a frame is of an unknown kind")),
        }
        Ok(())
    }

    fn damaged(&self, reason: &'static str) -> StoreError {
        StoreError::Damaged { key: self.meta.key.clone(), reason }
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if self.next == self.meta.frames {
                return Ok(0);
            }
            if let Err(error) = self.load() {
                let text = error.to_string();
                self.failure = Some(error);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        let n = buffer.len().min(self.plain.len() - self.at);
        buffer[..n].copy_from_slice(&self.plain[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn frame_sum(space: &str, key: &str, stored_at: i64, index: u32, kind: u8, body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&(space.len() as u64).to_le_bytes());
    hash.update(space.as_bytes());
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key.as_bytes());
    hash.update(&stored_at.to_le_bytes());
    hash.update(&index.to_le_bytes());
    hash.update(&[kind]);
    hash.update(body);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct InMemory(Vec<Vec<u8>>);

    impl Frames for InMemory {
        fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
            buffer.clear();
            buffer.extend_from_slice(&self.0[index as usize]);
            Ok(())
        }
    }

    fn pack(payload: &[u8], compression: bool) -> (Meta, InMemory) {
        let mut framer = Framer::new("space", "user:list:all", 7, compression);
        let frames: Vec<_> = payload.chunks(FRAME_BYTES).map(|chunk| framer.frame(chunk)).collect();
        let mut meta = Meta {
            space: "space".into(),
            key: "user:list:all".into(),
            schema: SCHEMA,
            stored_at: 7,
            fresh_until: 8,
            stale_until: 9,
            used_at: 0,
            source: "test".into(),
            size: payload.len() as u64,
            held: frames.iter().map(|frame| frame.len() as u64).sum(),
            frames: u32::try_from(frames.len()).unwrap(),
            checksum: 0,
        };
        meta.checksum = checksum(&meta);
        (meta, InMemory(frames))
    }

    fn unpack(meta: &Meta, frames: &mut InMemory) -> Result<Vec<u8>, StoreError> {
        let mut payload = Payload::new(meta, frames);
        payload.verify()?;
        let mut bytes = Vec::new();
        match payload.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err(payload.into_failure().expect("a reason")),
        }
    }

    #[test]
    fn a_payload_comes_back_compressed_or_not() {
        let long: Vec<u8> = (0..=250u8).cycle().take(FRAME_BYTES * 2 + 5).collect();
        for compression in [false, true] {
            for payload in [&b"{}"[..], b"", &long] {
                let (meta, mut frames) = pack(payload, compression);
                assert!(is_intact(&meta));
                assert_eq!(unpack(&meta, &mut frames).unwrap(), payload);
            }
        }
        assert!(pack(&long, true).0.held < pack(&long, false).0.held / 4);
    }

    #[test]
    fn swapped_frames_and_changed_metadata_are_noticed() {
        let long = vec![b'x'; FRAME_BYTES * 2];
        let (mut meta, mut frames) = pack(&long, false);
        frames.0.swap(0, 1);
        assert!(matches!(unpack(&meta, &mut frames), Err(StoreError::Damaged { .. })));
        meta.fresh_until += 1;
        assert!(!is_intact(&meta));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_noticed(length in 1usize..600, at in 0usize..10_000, bit in 0u8..8, compression: bool) {
            let payload: Vec<u8> = (b'a'..=b'g').cycle().take(length).collect();
            let (meta, mut frames) = pack(&payload, compression);
            let at = at % frames.0[0].len();
            frames.0[0][at] ^= 1 << bit;
            prop_assert!(unpack(&meta, &mut frames).is_err());
        }

        #[test]
        fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (meta, mut frames) = pack(b"[1,2,3]", true);
            frames.0[0] = garbage;
            let _ = unpack(&meta, &mut frames);
        }
    }
}

//! An answer on its way: in memory while it is small, in a private file without a name when it grows.
//!
//! Memory stays flat however long a list is, and nothing of it outlives the process. Where no file can be made, the
//! answer stays in memory: it is not lost for want of a folder.

use crate::secure_fs;
use serde::Deserializer as _;
use serde::de::{self, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// What is kept in memory at most.
const MEMORY_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of a listing.
const MOST_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most bytes of a listing for which no file can be made.
const MOST_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// The bytes of one JSON document.
#[derive(Debug)]
pub struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    /// Where the file would be; `None` when it cannot be made there.
    folder: Option<PathBuf>,
    items: u64,
    bytes: u64,
    open: bool,
}

impl Spool {
    /// An empty one; a file, if it comes to that, is made in `folder`.
    pub fn new(folder: PathBuf) -> Spool {
        Spool { memory: Vec::new(), file: None, folder: Some(folder), items: 0, bytes: 0, open: false }
    }

    /// One document, whole.
    pub fn of(value: &Value) -> Spool {
        let memory = serde_json::to_vec(value).unwrap_or_default();
        Spool { memory, file: None, folder: None, items: 1, bytes: 0, open: false }
    }

    /// Adds an item to the array that this spool becomes.
    pub fn push(&mut self, item: &Value) -> io::Result<()> {
        self.memory.push(if self.items == 0 { b'[' } else { b',' });
        self.open = true;
        self.items += 1;
        let before = self.memory.len();
        serde_json::to_writer(&mut self.memory, item)?;
        self.bytes += (self.memory.len() - before) as u64;
        let (limit, what) = match self.file {
            None if self.folder.is_none() => (MOST_IN_MEMORY, "256 MB, and no file can be made for it"),
            _ => (MOST_BYTES, "4 GB"),
        };
        if self.bytes > limit {
            return Err(io::Error::other(format!("the listing is longer than {what}")));
        }
        if self.memory.len() > MEMORY_BYTES { self.spill() } else { Ok(()) }
    }

    /// Closes the array.
    pub fn finish(&mut self) -> io::Result<()> {
        self.memory.extend_from_slice(if self.items == 0 { b"[]" } else { b"]" });
        self.open = false;
        if self.file.is_some() { self.spill() } else { Ok(()) }
    }

    /// How many items it holds.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Its bytes from the beginning.
    pub fn reader(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        debug_assert!(!self.open, "an array that was not closed");
        match &mut self.file {
            Some(file) => {
                file.seek(SeekFrom::Start(0))?;
                Ok(Box::new(io::BufReader::with_capacity(64 * 1024, file)))
            }
            None => Ok(Box::new(self.memory.as_slice())),
        }
    }

    /// The document as a value, for answers that are known to be small.
    pub fn value(&mut self) -> io::Result<Value> {
        Ok(serde_json::from_reader(self.reader()?)?)
    }

    /// Shows the items of the array one by one; memory stays flat.
    pub fn each(&mut self, mut show: impl FnMut(Value) -> io::Result<()>) -> io::Result<()> {
        each(&mut self.reader()?, &mut show)
    }

    fn spill(&mut self) -> io::Result<()> {
        let is_new = self.file.is_none();
        if self.file.is_none()
            && let Some(folder) = self.folder.take()
        {
            self.file = secure_fs::unnamed(&folder).ok();
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(&self.memory);
        if is_new && written.is_err() {
            // A disk without room: the answer stays in memory.
            self.file = None;
            return Ok(());
        }
        written?;
        self.memory.clear();
        Ok(())
    }
}

/// Hands over the items of a JSON array one by one, so that memory stays flat; what AWS does not have is no item.
pub(super) fn each(body: &mut dyn Read, visit: &mut dyn FnMut(Value) -> io::Result<()>) -> io::Result<()> {
    let buffered = BufReader::with_capacity(64 * 1024, body);
    let mut failed = None;
    let shown = serde_json::Deserializer::from_reader(buffered).deserialize_any(Items(|item| {
        let done = visit(item);
        let goes_on = done.is_ok();
        failed = failed.take().or(done.err());
        goes_on
    }));
    failed.map_or_else(|| Ok(shown?), Err)
}

/// Passes the items of a JSON array on until the callback stops it.
struct Items<F>(F);

impl<'de, F: FnMut(Value) -> bool> Visitor<'de> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            if !(self.0)(item) {
                return Err(de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_handed_over_one_by_one_and_a_broken_list_is_an_error() {
        let items = |text: &str| {
            let mut seen = Vec::new();
            let read = each(&mut text.as_bytes(), &mut |item| {
                seen.push(item);
                Ok(())
            });
            read.map(|()| seen).ok()
        };
        assert_eq!(items(r#"["a", {"b": 1}]"#), Some(vec![json!("a"), json!({"b": 1})]));
        assert_eq!((items("[]"), items("null")), (Some(Vec::new()), Some(Vec::new())));
        assert_eq!((items("[1, 2"), items("{}")), (None, None));
    }

    #[test]
    fn an_array_of_any_length_reads_back_as_written_with_and_without_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (count, place) in [(0, "."), (1, "."), (3, "."), (5_000, "."), (5_000, "missing")] {
            let mut spool = Spool::new(folder.path().join(place));
            for i in 0..count {
                spool.push(&json!({"UserId": format!("{i:01000}")})).unwrap();
            }
            spool.finish().unwrap();
            assert_eq!(spool.file.is_some(), count == 5_000 && place == ".");
            for _ in 0..2 {
                let items: Vec<Value> = serde_json::from_reader(spool.reader().unwrap()).unwrap();
                assert_eq!(items.len(), count);
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
    }
}

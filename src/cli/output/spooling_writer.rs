//! A writer that never waits long for a slow reader.
//!
//! All writes of one answer together wait for the reader for at most a quarter of a second; what is left then goes
//! to an unlinked private file and out, in order, in `finish`.

use crate::cli::environment::Sink;
use crate::secure_fs;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long all writes together may wait for the reader.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes to a sink as long as it takes bytes, then to a file.
pub struct SpillingWriter<'a> {
    sink: &'a mut dyn Sink,
    folder: &'a Path,
    spilled: Option<BufWriter<File>>,
    patience: Duration,
    last: Option<u8>,
}

impl<'a> SpillingWriter<'a> {
    /// Writes to `sink`; what it does not take goes to a file in `folder` that has no name.
    pub fn new(sink: &'a mut dyn Sink, folder: &'a Path) -> SpillingWriter<'a> {
        SpillingWriter { sink, folder, spilled: None, patience: PATIENCE, last: None }
    }

    /// Ends the text with a line end, and gives the reader the rest. From here on it may take its time.
    pub fn finish(mut self) -> io::Result<()> {
        if self.last.is_some_and(|last| last != b'\n') {
            self.write_all(b"\n")?;
        }
        if let Some(spilled) = self.spilled {
            let mut file = spilled.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let read = file.read(&mut buffer)?;
                if read == 0 {
                    break;
                }
                self.sink.write_all(&buffer[..read])?;
            }
        }
        self.sink.flush()
    }

    /// How much the sink takes, after waiting for as long as patience is left.
    fn room(&mut self) -> io::Result<usize> {
        let ready = self.sink.room(Duration::ZERO)?;
        if ready > 0 || self.patience.is_zero() {
            return Ok(ready);
        }
        let began = Instant::now();
        let room = self.sink.room(self.patience)?;
        self.patience = self.patience.saturating_sub(began.elapsed());
        Ok(room)
    }

    /// Whether the reader was too slow.
    pub fn has_spilled(&self) -> bool {
        self.spilled.is_some()
    }
}

impl Write for SpillingWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.spilled.is_none() {
            let room = self.room()?;
            if room > 0 {
                let written = self.sink.write(&bytes[..bytes.len().min(room)])?;
                self.last = written.checked_sub(1).map(|last| bytes[last]).or(self.last);
                return Ok(written);
            }
            // Without a place for the rest there is no choice but to wait for the reader.
            let Ok(file) = secure_fs::unnamed(self.folder) else {
                let written = self.sink.write(bytes)?;
                self.last = written.checked_sub(1).map(|last| bytes[last]).or(self.last);
                return Ok(written);
            };
            self.spilled = Some(BufWriter::with_capacity(64 * 1024, file));
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.write_all(bytes)?;
        }
        self.last = bytes.last().copied();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::{Captured, Descriptor};
    use std::os::fd::OwnedFd;

    fn pipe() -> (io::PipeReader, Descriptor) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Descriptor::new(File::from(OwnedFd::from(writer)), None))
    }

    #[test]
    fn a_reader_that_does_not_read_delays_nothing_and_gets_everything() {
        let folder = tempfile::tempdir().unwrap();
        let (mut reader, mut sink) = pipe();
        let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut writer = SpillingWriter::new(&mut sink, folder.path());
        writer.patience = Duration::from_millis(1);
        // The reader has not started: this returns only because the rest is spilled.
        writer.write_all(&bytes).unwrap();
        assert!(writer.has_spilled());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
        let reading = std::thread::spawn(move || {
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            got
        });
        writer.finish().unwrap();
        drop(sink);
        let got = reading.join().unwrap();
        assert_eq!(got.len(), bytes.len() + usize::from(*bytes.last().unwrap() != b'\n'));
        assert!(got.starts_with(&bytes));
    }

    #[test]
    fn a_reader_that_went_away_is_a_broken_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let (reader, mut sink) = pipe();
        drop(reader);
        let error = SpillingWriter::new(&mut sink, folder.path()).write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_text_ends_with_one_line_end() {
        for (text, expected) in [("[]", "[]\n"), ("[]\n", "[]\n"), ("", "")] {
            let mut captured = Captured::default();
            let mut writer = SpillingWriter::new(&mut captured, Path::new("/"));
            writer.write_all(text.as_bytes()).unwrap();
            writer.finish().unwrap();
            assert_eq!(captured.text(), expected);
        }
    }
}

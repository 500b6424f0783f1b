//! The log file: faults of the cache and runs of jobs, with rotation.
//!
//! Guarantee: a failed write never fails a command. A line is one write, so lines of several processes do not mix.
//! The file is opened for each line, so it may be renamed at any time (logrotate). Only its owner or group can read
//! it, and it contains ids instead of names.

use crate::clock::{self, Clock, SystemClock};
use crate::lock::{self, Guard};
use crate::log::live::LiveOutput;
use crate::log::place;
use crate::secure_fs;
use crate::secure_fs::Access;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// The size in bytes at which a file is rotated.
const LARGEST: u64 = 10 * 1024 * 1024;
/// The number of rotated files that are kept.
const KEPT: u32 = 5;

/// The format of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// For people and grep.
    Text,
    /// One JSON object per line.
    Json,
}

/// The settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The file.
    pub path: PathBuf,
    /// Its directory, created if it is absent; `None` for a file elsewhere.
    pub directory: Option<PathBuf>,
    /// Whether the first command creates the file before its first line. This is for the log of the host: runbooks
    /// `grep` it by name, which fails if it does not exist.
    pub create: bool,
    /// The permissions of the file.
    pub access: Access,
    /// The log level: `error`, `warn`, `info`, `debug`; `off` writes nothing.
    pub level: LevelFilter,
    /// The format of lines.
    pub format: LineFormat,
}

/// Starts the log of this process; later calls have no effect. Nothing is opened before the first line, except for a
/// file to [`LogSettings::create`]. `live` is the output while the command runs.
pub fn begin(settings: LogSettings, live: Option<LiveOutput>) {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if settings.level != LevelFilter::OFF {
        layers.push(file_layer(settings));
    }
    if let Some(live) = live {
        let shows = live.shows();
        layers.push(live.with_filter(filter_fn(move |event| LiveOutput::takes(shows, event))).boxed());
    }
    if !layers.is_empty() {
        // Only tests call this twice per process.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers));
    }
}

fn file_layer(settings: LogSettings) -> Box<dyn Layer<Registry> + Send + Sync> {
    let (level, format) = (settings.level, settings.format);
    if settings.create && !settings.path.exists() {
        // A failure does not fail the command.
        let _ = place::open(&settings.path, settings.access);
    }
    let layer = fmt::layer().with_ansi(false).with_timer(Utc).with_target(false).with_writer(LogFile(settings));
    // Other crates may log names and paths, so their events are left out; this program logs the important ones
    // itself.
    let ours = filter_fn(move |line| {
        *line.level() <= level && line.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"))
    })
    .with_max_level_hint(level);
    match format {
        LineFormat::Text => layer.with_filter(ours).boxed(),
        LineFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).with_filter(ours).boxed()
        }
    }
}

struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, into: &mut Writer<'_>) -> std::fmt::Result {
        write!(into, "{} awsideman[{}]", clock::utc(SystemClock::default().now()), std::process::id())
    }
}

/// The file, opened for each line.
struct LogFile(LogSettings);

/// A line that is written as a whole when it is complete.
struct LogLine<'a> {
    settings: &'a LogSettings,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { settings: &self.0, bytes: Vec::new() }
    }
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        let LogSettings { path, directory, access, .. } = self.settings;
        // A failure cannot be reported anywhere.
        let made = directory.as_ref().map(|directory| secure_fs::directory(directory, *access)).transpose();
        let _ = made.map(|_| append(path, *access, &self.bytes, LARGEST));
    }
}

/// Appends a line, and rotates the file first if it is too large.
fn append(path: &Path, access: Access, line: &[u8], largest: u64) -> io::Result<()> {
    let (mut file, rotated) = place::open(path, access)?;
    if let Some(path) = rotated
        && file.metadata()?.len() >= largest
    {
        // Of several processes one rotates the file; the others open the new one.
        if matches!(lock::try_exclusive(&file, Guard::Log), Ok(true)) && is_at(&path, &file) {
            rotate(&path)?;
        }
        (file, _) = place::open(&path, access)?;
    }
    file.write_all(line)
}

fn is_at(path: &Path, file: &std::fs::File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(named), Ok(open)) = (std::fs::symlink_metadata(path), file.metadata()) else { return false };
    (named.dev(), named.ino()) == (open.dev(), open.ino())
}

fn rotate(path: &Path) -> io::Result<()> {
    let aside = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
    for n in (1..KEPT).rev() {
        match std::fs::rename(aside(n), aside(n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, aside(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn contents(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn lines_are_appended_privately_and_follow_a_rename() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("awsideman.log");
        append(&path, Access::Owner, b"one\n", LARGEST).unwrap();
        append(&path, Access::Owner, b"two\n", LARGEST).unwrap();
        assert_eq!(contents(&path), "one\ntwo\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::rename(&path, root.path().join("moved")).unwrap();
        append(&path, Access::Owner, b"three\n", LARGEST).unwrap();
        assert_eq!(contents(&path), "three\n");
    }

    #[test]
    fn a_long_file_is_set_aside_and_five_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("awsideman.log");
        for n in 0..9 {
            append(&path, Access::Owner, format!("{n}\n").as_bytes(), 2).unwrap();
        }
        assert_eq!(contents(&path), "8\n");
        let aside: Vec<String> =
            (1..=KEPT + 1).map(|n| contents(&root.path().join(format!("awsideman.log.{n}")))).collect();
        assert_eq!(aside, ["7\n", "6\n", "5\n", "4\n", "3\n", ""]);
    }

    #[test]
    fn many_who_find_it_too_long_at_once_lose_no_line() {
        let root = tempfile::tempdir().unwrap();
        let path = &root.path().join("awsideman.log");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for n in 0..50 {
                        append(path, Access::Owner, format!("{thread} {n}\n").as_bytes(), 600).unwrap();
                    }
                });
            }
        });
        let all: String = (1..=KEPT)
            .map(|n| contents(&root.path().join(format!("awsideman.log.{n}"))))
            .chain([contents(path)])
            .collect();
        assert_eq!(all.lines().count(), 200);
    }

    #[test]
    fn what_cannot_be_written_is_an_error_that_nobody_hears_of() {
        assert!(append(Path::new("/proc/none/awsideman.log"), Access::Owner, b"x\n", LARGEST).is_err());
        let settings = LogSettings {
            path: "/proc/none/awsideman.log".into(),
            directory: Some("/proc/none".into()),
            create: true,
            access: Access::Owner,
            level: LevelFilter::WARN,
            format: LineFormat::Text,
        };
        let file = LogFile(settings);
        file.make_writer().write_all(b"x\n").unwrap();
    }
}

//! Reads files that another party may have made: regular files only, opened without blocking, up to a stated size.
//!
//! `/dev/null` is accepted and reads as empty, because it is the usual way to name no file.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// The most bytes of a configuration file.
pub const CONFIG_FILE: u64 = 1 << 20;
/// The most bytes of a job file.
pub const JOB_FILE: u64 = 256 << 10;
/// The most bytes of the AWS config or credentials file.
pub const AWS_FILE: u64 = 4 << 20;
/// The most bytes of a cached login of the AWS CLI.
pub const LOGIN_FILE: u64 = 1 << 20;
/// The most bytes of a file with a token, a password or a key.
pub const SECRET_FILE: u64 = 64 << 10;
/// The most bytes of a file with certificates.
pub const CERTIFICATE_FILE: u64 = 16 << 20;
/// The most bytes of a policy document; AWS accepts far less.
pub const POLICY_FILE: u64 = 1 << 20;
/// The most bytes of a small file in the cache or state directory.
pub const SIDE_FILE: u64 = 1 << 20;
/// The most bytes of a table of the host, such as `/etc/passwd`.
pub const HOST_FILE: u64 = 16 << 20;

/// How long a named pipe may be silent: without a writer nothing ever comes.
const FIFO_SILENCE: Duration = Duration::from_secs(5);
/// How long a pipe of the shell, `<(command)`, may be silent: its command may ask for a password.
const PIPE_SILENCE: Duration = Duration::from_secs(60);

/// The flags under which opening waits for no other party and changes no terminal.
pub fn unblocking() -> i32 {
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

/// Opens a file to read it without waiting for another party, whatever it is; a symbolic link is followed.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(unblocking()).open(path)
}

/// The bytes of a regular file; a symbolic link is followed. A file with more than `most` bytes is refused unread.
pub fn bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?, most)
}

/// The same for UTF-8 text.
pub fn bounded_text(path: &Path, most: u64) -> io::Result<String> {
    text(bounded(path, most)?)
}

/// The bytes of a file that a user named on the command line. A pipe is accepted too, so that `<(command)` and
/// `/dev/stdin` work; it must not be silent for long.
pub fn bounded_named(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if !is_pipe(&file.metadata()?) {
        return whole(file, most);
    }
    let is_of_shell = ["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder));
    from_pipe(file, most, if is_of_shell { PIPE_SILENCE } else { FIFO_SILENCE })
}

/// Checks that [`bounded`] would read this file, without reading it.
pub fn check(path: &Path, most: u64) -> io::Result<()> {
    let found = open(path)?.metadata()?;
    regular(&found)?;
    within(found.len(), most)
}

/// The text in these bytes.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the text is not valid UTF-8"))
}

/// The bytes of an open file, which must be regular and not too large.
pub(crate) fn whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    let found = file.metadata()?;
    regular(&found)?;
    within(found.len(), most)?;
    // One read in the usual case: the room for one more byte shows the end of the file.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1);
    file.take(most + 1).read_to_end(&mut bytes)?;
    within(bytes.len() as u64, most)?;
    Ok(bytes)
}

/// Refuses what is not a regular file, except `/dev/null`.
pub(crate) fn regular(found: &Metadata) -> io::Result<()> {
    if found.is_file() || is_null(found) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {} and not a regular file", kind(found))))
}

/// What a file that is not regular is.
pub fn kind(found: &Metadata) -> &'static str {
    let file_type = found.file_type();
    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a named pipe"
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_symlink() {
        "a symbolic link"
    } else if file_type.is_file() {
        "a regular file"
    } else {
        "a device"
    }
}

fn is_null(found: &Metadata) -> bool {
    let device = found.rdev();
    found.file_type().is_char_device() && (rustix::fs::major(device), rustix::fs::minor(device)) == (1, 3)
}

fn is_pipe(found: &Metadata) -> bool {
    found.file_type().is_fifo()
}

/// Refuses a length above `most`.
pub fn within(length: u64, most: u64) -> io::Result<()> {
    if length <= most {
        return Ok(());
    }
    let what = format!("it has {length} bytes or more, and at most {most} are read");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
}

/// All that comes out of a pipe before its writers close it.
fn from_pipe(mut file: File, most: u64, patience: Duration) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        wait(&file, patience)?;
        let mut piece = [0; 8192];
        match file.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        within(bytes.len() as u64, most)?;
    }
}

/// Waits until a pipe has something or is closed.
fn wait(file: &File, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => {
                let what = format!("it is a pipe, and nothing came out of it within {} s", patience.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets writes to a device or pipe wait for its reader, after it was opened without waiting.
pub fn wait_in_writes(file: &File) -> io::Result<()> {
    let flags = fcntl_getfl(file)?;
    Ok(fcntl_setfl(file, flags - OFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use std::io::Write;

    fn words(read: io::Result<Vec<u8>>) -> String {
        read.expect_err("a refusal").to_string()
    }

    #[test]
    fn a_regular_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        std::fs::write(&path, "12345").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(bounded(&path, 5).unwrap(), b"12345");
        assert_eq!(bounded_text(&link, 5).unwrap(), "12345");
        assert_eq!(words(bounded(&path, 4)), "it has 5 bytes or more, and at most 4 are read");
        assert_eq!(bounded(Path::new("/dev/null"), 4).unwrap(), b"");
        // A file of the kernel has no length and is read all the same.
        assert!(!bounded(Path::new("/proc/self/mountinfo"), SIDE_FILE).unwrap().is_empty());
        assert!(bounded(Path::new("/proc/self/mountinfo"), 3).is_err());
    }

    #[test]
    fn a_large_file_is_refused_by_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(8 << 30).unwrap();
        assert!(words(bounded(&path, CONFIG_FILE)).starts_with("it has 8589934592 bytes"));
        assert!(check(&path, CONFIG_FILE).is_err());
    }

    #[test]
    fn what_is_not_a_regular_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
        for (path, kind) in
            [(folder.path(), "a directory"), (&fifo, "a named pipe"), (Path::new("/dev/zero"), "a device")]
        {
            let expected = format!("it is {kind} and not a regular file");
            assert_eq!(words(bounded(path, 9)), expected);
            assert_eq!(check(path, 9).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_pipe_is_read_where_a_user_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let written = || {
            std::thread::scope(|scope| {
                scope.spawn(|| OpenOptions::new().write(true).open(&path).unwrap().write_all(b"abc").unwrap());
                bounded_named(&path, 3)
            })
        };
        assert_eq!(written().unwrap(), b"abc");
        let nothing = words(from_pipe(open(&path).unwrap(), 3, Duration::from_millis(1)));
        assert!(nothing.contains("nothing came out of it"), "{nothing}");
    }
}

//! Facts about the host: memory, disk, names, time zone. Only this file imports sysinfo.
//!
//! Guarantee: nothing here runs for a cache hit. An unknown fact is reported as unknown, never guessed.

mod resources;

pub use crate::limits::hint as limit_hint;
pub use resources::{
    check_descriptors, check_for_runtime, fail_instead_of_ending_at_the_file_size_limit, file_size_limit, room_hint,
};

use crate::model::{NoZone, Zone};
use crate::secure_fs::bounded;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// The bytes that this user may write.
    pub free: u64,
    /// Its size.
    pub total: u64,
}

/// A time zone of the host that is neither an IANA name, a complete POSIX rule nor a readable zone file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the host's time zone `{0}` is unknown: set TZ or the job's `timezone` to an IANA name, as in \"Europe/Berlin\""
)]
pub struct UnknownZone(pub String);

/// The resident memory of this process in bytes (RSS); `None` if the host does not report it.
pub fn own_memory() -> Option<u64> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let only = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only);
    system.process(pid).map(sysinfo::Process::memory).filter(|bytes| *bytes > 0)
}

/// The space at `path`, or at its nearest existing parent.
pub fn free_space(path: &Path) -> io::Result<DiskSpace> {
    let mut at: PathBuf = std::path::absolute(path)?;
    loop {
        match rustix::fs::statvfs(&at) {
            Ok(found) => {
                return Ok(DiskSpace {
                    // Without inodes no file can be created, however many bytes are free.
                    free: if found.f_files > 0 && found.f_favail == 0 {
                        0
                    } else {
                        found.f_bavail.saturating_mul(found.f_frsize)
                    },
                    total: found.f_blocks.saturating_mul(found.f_frsize),
                });
            }
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) if at.pop() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The program behind a name, as this process would start it; the error names the searched directories.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let runs = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match path.exists() {
            _ if runs(&path) => Ok(path),
            true => Err(format!("{name} is not an executable file")),
            false => Err(format!("{name} does not exist")),
        };
    }
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&searched).map(|folder| folder.join(name)).find(|path| runs(path));
    found.ok_or_else(|| format!("{name} is in no directory of PATH ({})", searched.to_string_lossy()))
}

/// The host name of the kernel.
pub fn host_name() -> String {
    printable(&rustix::system::uname().nodename().to_string_lossy()).unwrap_or_else(|| "localhost".into())
}

/// The full host name as this host knows it: the host name, or its entry in `/etc/hosts`. No name server is queried.
pub fn full_host_name() -> Option<String> {
    full_name(&host_name(), &bounded::bounded_text(Path::new("/etc/hosts"), bounded::HOST_FILE).unwrap_or_default())
}

/// The name with its domain. Names below `localdomain` are not full names: no other host knows them.
fn full_name(host: &str, hosts: &str) -> Option<String> {
    let is_full = |name: &str| {
        name.trim_matches('.').contains('.') && !name.contains("localdomain") && !name.starts_with("localhost.")
    };
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let named =
        lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).filter(|names| names.contains(&host));
    let full = std::iter::once(host).chain(named.flatten()).find(|name| is_full(name));
    full.and_then(printable)
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The name of this user: USER, LOGNAME, the password file, else the uid.
pub fn user_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let named = ["USER", "LOGNAME"].into_iter().find_map(|name| printable(&std::env::var(name).ok()?));
    let listed = || listed_name(&bounded::bounded_text(Path::new("/etc/passwd"), bounded::HOST_FILE).ok()?, uid);
    named.or_else(listed).unwrap_or_else(|| uid.to_string())
}

/// The id of the current boot; `None` if the host does not report it.
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    printable(&text)
}

/// The host's time zone, as the C library finds it: TZ, `/etc/localtime`, the host's setting, or UTC. An invalid
/// setting is an error.
pub fn local_zone() -> Result<Zone, UnknownZone> {
    zone(std::env::var_os("TZ"), Path::new("/etc/localtime"), || iana_time_zone::get_timezone().ok())
}

fn zone(
    variable: Option<OsString>,
    file: &Path,
    setting: impl FnOnce() -> Option<String>,
) -> Result<Zone, UnknownZone> {
    let unknown = |error: NoZone| UnknownZone(error.0);
    let Some(variable) = variable else {
        if std::fs::symlink_metadata(file).is_ok() {
            return Zone::file(file).map_err(unknown);
        }
        return setting().map_or(Ok(Zone::UTC), |name| name.parse().map_err(unknown));
    };
    let text = variable.to_string_lossy();
    match text.strip_prefix(':').unwrap_or(&text) {
        "" => Ok(Zone::UTC),
        path if path.starts_with('/') => Zone::file(Path::new(path)).or_else(|error| {
            // A path into another zoneinfo directory still names a zone.
            path.rsplit_once("zoneinfo/").and_then(|(_, name)| name.parse().ok()).ok_or_else(|| unknown(error))
        }),
        name => name.parse().or_else(|_| Zone::posix(name)).map_err(unknown),
    }
}

fn listed_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number == uid.to_string()).then(|| printable(name)).flatten()
    })
}

/// The trimmed text; `None` if it is empty or could affect a terminal or a mail.
fn printable(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !text.contains(|c: char| c.is_control())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(zone: &str) -> Zone {
        zone.parse().unwrap()
    }

    #[test]
    fn a_full_name_is_the_host_name_or_its_entry_in_hosts() {
        let hosts = "127.0.0.1 localhost localhost.localdomain\n127.0.1.1 relay.example.com relay # ours\n\
                     10.0.0.9 other.example.com other\n::1 box box.localdomain\n";
        for (host, expected) in [
            ("relay", Some("relay.example.com")),
            ("relay.example.org", Some("relay.example.org")),
            ("localhost", None),
            ("box", None),
            ("unlisted", None),
        ] {
            assert_eq!(full_name(host, hosts).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn the_memory_of_this_process_is_plausible() {
        let bytes = own_memory().expect("this host tells");
        assert!((500_000..20_000_000_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn space_is_that_of_the_nearest_parent_that_exists() {
        let root = tempfile::tempdir().unwrap();
        let here = free_space(root.path()).unwrap();
        assert!(here.free <= here.total && here.total > 0);
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [root.path().join("not/yet/there"), file.join("below")] {
            assert_eq!(free_space(&path).unwrap().total, here.total, "{}", path.display());
        }
        assert!(free_space(Path::new("relative/not/there")).is_ok());
    }

    #[test]
    fn names_are_there_and_printable() {
        for name in [host_name(), user_name()] {
            assert_eq!(printable(&name), Some(name));
        }
        assert_eq!(boot_id(), boot_id());
        let passwd = "root:x:0:0:root:/root:/bin/sh\nops:x:1000:1000::/home/ops:/bin/sh\nbroken\n:x:7::\n";
        assert_eq!(listed_name(passwd, 1000).as_deref(), Some("ops"));
        assert_eq!((listed_name(passwd, 7), listed_name(passwd, 8)), (None, None));
        assert_eq!(printable("a\nb"), None);
    }

    #[test]
    fn the_zone_is_tz_then_the_setting_then_utc() {
        let root = tempfile::tempdir().unwrap();
        let (none, link, broken) =
            (root.path().join("none"), root.path().join("localtime"), root.path().join("broken"));
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Kolkata", &link).unwrap();
        std::fs::write(&broken, "Europe/Berlin").unwrap();
        let berlin = || Some("Europe/Berlin".to_owned());
        let error = |text: &str| Err(UnknownZone(text.into()));
        let linked = format!(":{}", link.display());
        for (variable, file, setting, expected) in [
            (None, &none, berlin(), Ok(named("Europe/Berlin"))),
            (None, &none, None, Ok(Zone::UTC)),
            (None, &link, berlin(), Ok(named("Asia/Kolkata"))),
            (None, &broken, berlin(), error(broken.to_str().unwrap())),
            (None, &none, Some("Mars/Base".to_owned()), error("Mars/Base")),
            (Some("Asia/Tokyo"), &none, berlin(), Ok(named("Asia/Tokyo"))),
            (Some(":Asia/Tokyo"), &none, berlin(), Ok(named("Asia/Tokyo"))),
            (Some("/usr/share/zoneinfo/Asia/Tokyo"), &none, berlin(), Ok(named("Asia/Tokyo"))),
            (Some("/elsewhere/zoneinfo/Asia/Tokyo"), &none, berlin(), Ok(named("Asia/Tokyo"))),
            (Some(linked.as_str()), &none, berlin(), Ok(named("Asia/Kolkata"))),
            (Some(""), &none, berlin(), Ok(Zone::UTC)),
            (Some(":"), &none, berlin(), Ok(Zone::UTC)),
            (Some("UTC0"), &none, berlin(), Ok(Zone::posix("UTC0").unwrap())),
            (
                Some("CET-1CEST,M3.5.0,M10.5.0/3"),
                &none,
                berlin(),
                Ok(Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()),
            ),
            (Some("CET-1CEST"), &none, berlin(), error("CET-1CEST")),
            (Some("/nowhere/at/all"), &none, berlin(), error("/nowhere/at/all")),
        ] {
            assert_eq!(zone(variable.map(OsString::from), file, || setting), expected, "{variable:?}");
        }
    }
}

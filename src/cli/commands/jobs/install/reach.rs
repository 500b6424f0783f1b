//! Whether the user of a service can read a file or run a program: judged by owners and modes, without becoming that user.

use crate::secure_fs::bounded;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The wanted access to a path, as the bit of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// To read a file, or to list a directory.
    Read = 4,
    /// To run a program.
    Execute = 1,
}

/// A user of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostUser {
    pub(crate) name: String,
    /// `None` if the user does not exist yet: then the permissions of others count.
    uid: Option<u32>,
    gids: Vec<u32>,
    pub(crate) home: Option<String>,
}

impl HostUser {
    /// The user of this name.
    pub(crate) fn named(name: &str) -> HostUser {
        let text = |path: &str| bounded::bounded_text(Path::new(path), bounded::HOST_FILE).unwrap_or_default();
        HostUser::of(name, &text("/etc/passwd"), &text("/etc/group"))
    }

    /// The user of this process.
    pub(crate) fn own() -> HostUser {
        let process = [rustix::process::getegid()].into_iter().chain(rustix::process::getgroups().unwrap_or_default());
        HostUser {
            name: crate::host::user_name(),
            uid: Some(rustix::process::geteuid().as_raw()),
            gids: process.map(rustix::process::Gid::as_raw).collect(),
            home: std::env::var("HOME").ok(),
        }
    }

    fn of(name: &str, passwd: &str, group: &str) -> HostUser {
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let entry = passwd.lines().map(fields).find(|entry| entry.first().is_some_and(|first| first == name));
        let number = |at: usize| entry.as_ref()?.get(at)?.parse().ok();
        let groups = group
            .lines()
            .map(fields)
            .filter(|entry| entry.get(3).is_some_and(|members| members.split(',').any(|member| member == name)));
        let member_of = groups.filter_map(|entry| entry.get(2)?.parse().ok());
        HostUser {
            name: name.to_owned(),
            uid: number(2),
            gids: number(3).into_iter().chain(member_of).collect(),
            home: entry.as_ref().and_then(|entry| entry.get(5).cloned()),
        }
    }

    /// Whether there is such a user.
    pub(crate) fn exists(&self) -> bool {
        self.uid.is_some()
    }

    /// `Ok`, or the first component of the path that denies access.
    pub(crate) fn can(&self, path: &Path, want: Want) -> Result<(), String> {
        let real = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
        for folder in real.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            self.allowed(folder, Want::Execute, "enter")?;
        }
        self.allowed(&real, want, if want == Want::Read { "read" } else { "run" })
    }

    fn allowed(&self, path: &Path, want: Want, verb: &str) -> Result<(), String> {
        let found = path.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
        if self.has(&found, want) {
            return Ok(());
        }
        let (mode, path) = (found.mode() & 0o7777, path.display());
        Err(format!("user {} cannot {verb} {path} (mode {mode:04o})", self.name))
    }

    fn has(&self, found: &Metadata, want: Want) -> bool {
        let (mode, bit) = (found.mode(), want as u32);
        match self.uid {
            // Root needs an execute bit only, of any class.
            Some(0) => want == Want::Read || found.is_dir() || mode & 0o111 != 0,
            Some(uid) if uid == found.uid() => (mode >> 6) & bit != 0,
            _ if self.gids.contains(&found.gid()) => (mode >> 3) & bit != 0,
            _ => mode & bit != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nann:x:4001:4001::/home/ann:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nops:x:4010:bob,ann\n";

    #[test]
    fn the_bits_of_owner_group_and_others_count_on_the_whole_way() {
        let root = tempfile::tempdir().unwrap();
        let (folder, file) = (root.path().join("inner"), root.path().join("inner/file"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let (ann, new) = (HostUser::of("ann", PASSWD, GROUP), HostUser::of("new", PASSWD, GROUP));
        assert_eq!((ann.gids.as_slice(), ann.exists(), new.exists()), (&[4001, 4010][..], true, false));
        mode(root.path(), 0o755);
        for (outer, inner, want, allowed) in [
            (0o755, 0o644, Want::Read, true),
            (0o755, 0o640, Want::Read, false),
            (0o700, 0o644, Want::Read, false),
            (0o711, 0o644, Want::Read, true),
            (0o755, 0o644, Want::Execute, false),
            (0o755, 0o755, Want::Execute, true),
        ] {
            mode(&folder, outer);
            mode(&file, inner);
            for account in [&ann, &new] {
                assert_eq!(account.can(&file, want).is_ok(), allowed, "{outer:o} {inner:o} {want:?} {}", account.name);
            }
        }
        mode(&folder, 0o700);
        let why = ann.can(&file, Want::Read).unwrap_err();
        assert!(why.starts_with("user ann cannot enter ") && why.ends_with("inner (mode 0700)"), "{why}");
        assert_eq!(HostUser::of("root", PASSWD, GROUP).can(&file, Want::Read), Ok(()));
    }
}

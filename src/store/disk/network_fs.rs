//! Where a cache cannot live: file systems that other hosts share.
//!
//! What is not known to be a network file system is local; of a file system that a program serves (FUSE) the name
//! of the program shows, and the table of mounts is read for that alone.

use crate::store::StoreError;
use std::path::Path;

/// The number of every FUSE file system, whatever is behind it.
#[cfg(target_os = "linux")]
const FUSE: i128 = 0x6573_5546;

/// Programs that serve files of other hosts, as the table of mounts names them after `fuse.`.
#[cfg(target_os = "linux")]
const REMOTE: [&str; 25] = [
    "sshfs",
    "rclone",
    "s3fs",
    "mount-s3",
    "mountpoint-s3",
    "goofys",
    "gcsfuse",
    "blobfuse",
    "blobfuse2",
    "glusterfs",
    "ceph-fuse",
    "moosefs",
    "mfs",
    "juicefs",
    "JuiceFS",
    "seaweedfs",
    "davfs",
    "davfs2",
    "curlftpfs",
    "smbnetfs",
    "nfs",
    "vmhgfs-fuse",
    "prl_fsd",
    // Of desktops that run containers in a virtual machine.
    "grpcfuse",
    "osxfs",
];

/// Types of FUSE mounts, without `fuse.`, whose files belong to the host of a virtual machine.
#[cfg(target_os = "linux")]
const OF_THE_HOST: [&str; 4] = ["virtiofs", "fakeowner", "fuse.virtiofs", "fuse.fakeowner"];

/// The name of a network file system, by the number that Linux knows it under.
#[cfg(target_os = "linux")]
fn network_name(magic: i128) -> Option<&'static str> {
    const NETWORK: [(i128, &str); 18] = [
        (0x6969, "nfs"),
        (0x517B, "smb"),
        (0xFF53_4D42, "cifs"),
        (0xFE53_4D42, "smb2"),
        (0x0102_1997, "9p"),
        (0x7375_7245, "coda"),
        (0x5346_414F, "afs"),
        (0x564C, "ncp"),
        (0x00C3_6400, "ceph"),
        (0x0BD0_0BD0, "lustre"),
        (0x4750_4653, "gpfs"),
        (0x1983_0326, "beegfs"),
        (0x0116_1970, "gfs2"),
        (0x7461_636F, "ocfs2"),
        (0x2003_0528, "orangefs"),
        (0x786F_4256, "vboxsf"),
        (0xBACB_ACBC, "vmhgfs"),
        (0x7C7C_6673, "prl_fs"),
    ];
    // Some of the numbers have their highest bit set, and what is asked for may be shorter than an i128.
    NETWORK.iter().find(|(known, _)| *known == magic & 0xFFFF_FFFF).map(|(_, name)| *name)
}

/// Refuses a network file system: the shared memory of `SQLite`'s log does not work there.
#[cfg(target_os = "linux")]
pub(super) fn refuse(folder: &Path) -> Result<(), StoreError> {
    let Ok(found) = rustix::fs::statfs(folder) else { return Ok(()) };
    let magic = i128::from(found.f_type);
    let kind = match network_name(magic) {
        Some(kind) => Some(kind.to_owned()),
        None if magic & 0xFFFF_FFFF == FUSE => served_from_elsewhere(folder),
        None => None,
    };
    kind.map_or(Ok(()), |kind| Err(StoreError::NetworkFileSystem { path: folder.into(), kind }))
}

/// The type of a FUSE mount whose files come from other hosts.
#[cfg(target_os = "linux")]
fn served_from_elsewhere(folder: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let device = std::fs::metadata(folder).ok()?.dev();
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let kind = mounted_type(&String::from_utf8_lossy(&mounts), &device)?.to_owned();
    is_remote(&kind).then_some(kind)
}

/// Whether the files of a FUSE mount of this type come from another host.
#[cfg(target_os = "linux")]
fn is_remote(kind: &str) -> bool {
    OF_THE_HOST.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|program| REMOTE.contains(&program))
}

/// The type of the file system with this `major:minor`, by a table of mounts as proc(5) has it: the third field of a line is
/// the device, the first after a lone `-` the type.
#[cfg(target_os = "linux")]
fn mounted_type<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.nth(2)? == device).then(|| fields.skip_while(|field| *field != "-").nth(1))?
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not() {
        for (magic, name) in [
            (0x6969, Some("nfs")),
            (i128::from(0xFF53_4D42_u32.cast_signed()), Some("cifs")),
            (0x4750_4653, Some("gpfs")),
            (0x1983_0326, Some("beegfs")),
            (0x0116_1970, Some("gfs2")),
            (0x7461_636F, Some("ocfs2")),
            (i128::from(0xBACB_ACBC_u32.cast_signed()), Some("vmhgfs")),
            (0xEF53, None),
            (0x0102_1994, None),
        ] {
            assert_eq!(network_name(magic), name, "{magic:x}");
        }
        assert!(refuse(&std::env::temp_dir()).is_ok());
    }

    #[test]
    fn of_what_a_program_serves_the_table_of_mounts_has_the_type() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            98 22 0:45 / /home/ada/far\\040away rw,nosuid shared:50 master:2 - fuse.sshfs ops@host:/srv rw,user_id=1000\n\
            99 22 0:46 /sub /mnt/pool rw - fuse.mergerfs a:b rw\n\
            100 22 0:47 / /work rw,relatime - virtiofs mount0 rw\n\
            101 22 0:48 / /host rw - fuse.grpcfuse grpcfuse rw\n\
            short line\n";
        assert_eq!(mounted_type(mounts, "0:45"), Some("fuse.sshfs"));
        assert_eq!(mounted_type(mounts, "0:46"), Some("fuse.mergerfs"));
        assert_eq!(mounted_type(mounts, "8:1"), Some("ext4"));
        assert_eq!(mounted_type(mounts, "8:2"), None);
        let remote = |device: &str| mounted_type(mounts, device).is_some_and(is_remote);
        assert_eq!(["0:45", "0:46", "0:47", "0:48", "8:1"].map(remote), [true, false, true, true, false]);
        for kind in ["fuse.osxfs", "fakeowner", "fuse.rclone"] {
            assert!(is_remote(kind), "{kind}");
        }
    }
}

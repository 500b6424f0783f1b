//! Where a cache cannot live: file systems that other hosts share.
//!
//! Neighbours: `mod.rs` asks before it opens anything. Promise: what is not known to be a network file system is local.

use crate::store::StoreError;
use std::path::Path;

/// The name of a network file system, by the number that Linux knows it under.
#[cfg(target_os = "linux")]
fn network_name(magic: i128) -> Option<&'static str> {
    const NETWORK: [(i128, &str); 10] = [
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
    ];
    // Some of the numbers have their highest bit set, and what is asked for may be shorter than an i128.
    NETWORK.iter().find(|(known, _)| *known == magic & 0xFFFF_FFFF).map(|(_, name)| *name)
}

/// Refuses a network file system: the shared memory of `SQLite`'s log does not work there.
#[cfg(target_os = "linux")]
pub(super) fn refuse(folder: &Path) -> Result<(), StoreError> {
    let Ok(found) = rustix::fs::statfs(folder) else { return Ok(()) };
    match network_name(i128::from(found.f_type)) {
        Some(kind) => Err(StoreError::NetworkFileSystem { path: folder.into(), kind: kind.into() }),
        None => Ok(()),
    }
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
            (0xEF53, None),
            (0x0102_1994, None),
        ] {
            assert_eq!(network_name(magic), name, "{magic:x}");
        }
        assert!(refuse(&std::env::temp_dir()).is_ok());
    }
}

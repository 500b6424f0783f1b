//! Where a cache cannot live: file systems that other hosts share.
//!
//! Neighbours: `mod.rs` asks before it opens anything. Promise: what is not known to be a network file system is local.

use crate::store::StoreError;
use std::path::Path;

/// Refuses a network file system: the shared memory of `SQLite`'s log does not work there.
#[cfg(target_os = "linux")]
pub(super) fn refuse(folder: &Path) -> Result<(), StoreError> {
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
    let Ok(found) = rustix::fs::statfs(folder) else { return Ok(()) };
    let magic = i128::from(found.f_type) & 0xFFFF_FFFF;
    match NETWORK.iter().find(|(known, _)| *known == magic) {
        Some((_, kind)) => Err(StoreError::NetworkFileSystem { path: folder.into(), kind: (*kind).into() }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn refuse(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

//! A disk without room, and readers while room is made.
//!
//! A small disk is a memory file system in a mount namespace of its own, where the test runs itself again: it is gone
//! with the process. Where no such namespace is to be had, no file may grow by a byte in its place.

use super::{HOUR, NO_SWEEP, NOW, at, exact, fill, fill_all, get, has, meta, options};
use awsideman::store::{Disk, Fill, Meta, Select, Store, Sweep};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const SMALL_DISK: &str = "AWSIDEMAN_TEST_SMALL_DISK";
/// Longer than any sweep takes on a busy host.
const LONG: std::time::Duration = std::time::Duration::from_secs(60);
const NO_GROWTH: &str = "AWSIDEMAN_TEST_NO_GROWTH";

/// Runs the test `name` again with `variable` naming `folder`, by a line of the shell that ends in `"$@"`.
fn again(name: &str, variable: &str, folder: &Path, line: &str) -> (bool, String) {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "bash", "-c", line, "bash"]);
    if variable == NO_GROWTH {
        command = Command::new("bash");
        command.args(["-c", line, "bash"]);
    }
    command.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(variable, folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success() && said.contains("1 passed"), said.into_owned())
}

/// Whether this host lets somebody like us have a file system.
fn may_mount() -> bool {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn long(i: usize) -> Fill {
    let meta =
        Meta { frames: 1, held: 30_000, used_at: NOW + i64::try_from(i).unwrap(), ..meta("s", &format!("k{i}")) };
    Fill { meta, frames: vec![vec![u8::try_from(i % 251).unwrap(); 30_000]] }
}

fn free(folder: &Path) -> u64 {
    let found = rustix::fs::statvfs(folder).unwrap();
    found.f_bavail * found.f_frsize
}

/// Takes all the room there is.
fn fill_up(folder: &Path) {
    let file = std::fs::File::create(folder.join("somebody else's")).unwrap();
    let _ = std::io::copy(&mut std::io::repeat(1), &mut &file);
    drop(file);
    assert_eq!(free(folder), 0);
}

fn every_entry_is_right(disk: &Disk, of: usize) -> usize {
    let found = (0..of).filter_map(|i| Some((i, get(disk, "s", &format!("k{i}"))?.1)));
    found.inspect(|(i, frames)| assert_eq!(*frames, long(*i).frames, "k{i}")).count()
}

fn a_full_cache(folder: &Path) -> (Disk, PathBuf) {
    let disk = Disk::open(&options(&folder.join("cache"))).unwrap();
    for start in (0..200).step_by(50) {
        fill_all(&disk, &(start..start + 50).map(long).collect::<Vec<_>>());
    }
    disk.settle().unwrap();
    let path = disk.path().unwrap();
    (disk, path)
}

/// What holds on a disk of 16 MiB with not a byte free and no ballast: all goes, and what was fenced stays so.
fn with_nothing_to_give(folder: &Path, with_companion: bool) {
    let (disk, path) = a_full_cache(folder);
    disk.remove(&[exact("s", "changed")], Some(NOW + HOUR), NOW).unwrap();
    disk.settle().unwrap();
    std::fs::remove_file(folder.join("cache/ballast")).unwrap();
    let (ticket, open) = (disk.sequence().unwrap(), || Disk::open(&options(&folder.join("cache"))).unwrap());
    // In one case somebody else has it open for good, as a daemon has.
    let daemon = (!with_companion).then(open);
    let disk = if with_companion {
        disk
    } else {
        drop(disk);
        std::fs::remove_file(awsideman::sqlite::sidecar(&path, "-shm")).unwrap();
        open()
    };
    fill_up(folder);
    // Neither what merely has expired is worth all the rest, nor does a dry run touch it, nor a warm.
    let sweep = Sweep { now: NOW, entries: Some((100, 50)), ..NO_SWEEP };
    let expired = Sweep { now: NOW + 2 * HOUR, expired: true, ..NO_SWEEP };
    assert_eq!(disk.sweep(&Sweep { dry_run: true, ..sweep }).unwrap().evicted, 150);
    for refused in [disk.sweep(&expired), disk.sweep(&Sweep { first: &["*"], ..sweep })] {
        let refused = refused.unwrap_err();
        assert!(refused.is_temporary() || refused.is_read_only(), "{refused}");
    }
    assert_eq!(every_entry_is_right(&disk, 200), 200);
    let swept = disk.sweep(&sweep).unwrap();
    assert_eq!((swept.no_room, swept.evicted, swept.bytes), (200, 0, 200 * 30_000));
    let is_noted = daemon.is_none();
    let other = daemon.unwrap_or_else(open);
    // What somebody has open is free when he notices.
    assert_eq!(every_entry_is_right(&other, 200), 0);
    assert!(free(folder) > 4_000_000 && !path.exists(), "{} free", free(folder));
    for disk in [&disk, &other] {
        assert!(disk.standing(at("s", "changed"), NOW + HOUR - 1).unwrap().fenced);
        let since = disk.sequence().unwrap();
        assert_eq!(disk.put(&[fill("s", "changed")], ticket, NOW + HOUR).unwrap().stored, 0, "fetched before");
        assert_eq!(disk.put(&[fill("s", "changed")], since, NOW + HOUR - 1).unwrap().stored, 0);
        assert_eq!(disk.put(&[fill("s", "changed")], since, NOW + HOUR).unwrap().stored, 1, "caching works again");
    }
    assert!(has(&other, "s", "changed"));
    if is_noted {
        let why = disk.evictions(at("s", "k7")).unwrap();
        assert_eq!((why[0].reason, why[0].at), ("no room", NOW));
        assert_eq!(disk.lost().unwrap()[0].entries, 200);
    }
}

/// What holds on a disk of 16 MiB with not a byte free.
fn with_not_a_byte_free(folder: &Path) {
    let (disk, path) = a_full_cache(folder);
    let ballast = folder.join("cache/ballast");
    assert_eq!(std::fs::metadata(&ballast).unwrap().len(), 1024 * 1024, "room is kept for this day");
    drop(disk);
    // Its companion is missing as after a copy.
    std::fs::remove_file(awsideman::sqlite::sidecar(&path, "-shm")).unwrap();
    fill_up(folder);
    let disk = Disk::open(&options(&folder.join("cache"))).unwrap();
    assert_eq!(every_entry_is_right(&disk, 200), 200, "reads need no room");
    let since = disk.sequence().unwrap();
    let refused = disk.put(&[long(500)], since, NOW).unwrap_err();
    assert!(refused.is_temporary() || refused.is_read_only(), "{refused}");
    // Another process, for which nothing is open yet.
    let other = Disk::open(&options(&folder.join("cache"))).unwrap();
    assert_eq!(every_entry_is_right(&other, 200), 200);
    let before = std::fs::metadata(&path).unwrap().len();
    let sweep = Sweep { entries: Some((100, 50)), ..NO_SWEEP };
    assert_eq!(other.sweep(&Sweep { dry_run: true, ..sweep }).unwrap().evicted, 150);
    let swept = other.sweep(&sweep);
    assert_eq!(swept.unwrap().evicted, 150);
    assert_eq!(every_entry_is_right(&disk, 150), 0, "those used longest ago went");
    assert_eq!(every_entry_is_right(&disk, 200), 50);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after < before / 2 && free(folder) > 2_000_000, "{after} of {before}, {} free", free(folder));
    assert!(ballast.exists(), "it is laid again");
    // A change is known on a full disk too.
    fill_up(folder);
    assert_eq!(disk.remove(&[exact("s", "k180")], Some(NOW + HOUR), NOW).unwrap().entries, 1);
    assert!(other.standing(at("s", "k180"), NOW).unwrap().fenced && !has(&other, "s", "k180"));
}

fn on_a_small_disk(name: &str, what: impl Fn(&Path)) {
    if let Some(folder) = std::env::var_os(SMALL_DISK) {
        return what(Path::new(&folder));
    }
    if let Some(folder) = std::env::var_os(NO_GROWTH) {
        return with_no_file_that_grows(Path::new(&folder));
    }
    let root = tempfile::tempdir().unwrap();
    let (passed, said) = if may_mount() {
        let line = format!("mount -t tmpfs -o size=16m tmpfs \"${SMALL_DISK}\" && exec \"$@\"");
        again(name, SMALL_DISK, root.path(), &line)
    } else {
        drop(a_full_cache(root.path()));
        again(name, NO_GROWTH, root.path(), "trap '' XFSZ; ulimit -f 0; exec \"$@\"")
    };
    assert!(passed, "{said}");
}

fn with_no_file_that_grows(folder: &Path) {
    let disk = Disk::open(&options(&folder.join("cache"))).unwrap();
    assert_eq!(every_entry_is_right(&disk, 200), 200);
    disk.sweep(&Sweep { expired: true, now: NOW + 2 * HOUR, ..NO_SWEEP }).unwrap_err();
    assert_eq!(every_entry_is_right(&disk, 200), 200);
}

#[test]
fn with_not_a_byte_free_reads_work_and_a_sweep_frees_room() {
    on_a_small_disk("store::full::with_not_a_byte_free_reads_work_and_a_sweep_frees_room", with_not_a_byte_free);
}

#[test]
fn without_space_and_ballast_the_limits_drop_everything_but_fences() {
    let name = "store::full::without_space_and_ballast_the_limits_drop_everything_but_fences";
    on_a_small_disk(name, |folder| with_nothing_to_give(folder, true));
}

#[test]
fn without_room_for_the_companion_of_the_database_they_do_too() {
    let name = "store::full::without_room_for_the_companion_of_the_database_they_do_too";
    on_a_small_disk(name, |folder| with_nothing_to_give(folder, false));
}

#[test]
fn where_nothing_can_be_written_reads_go_on() {
    if let Some(folder) = std::env::var_os(NO_GROWTH) {
        return with_no_file_that_grows(Path::new(&folder));
    }
    let root = tempfile::tempdir().unwrap();
    drop(a_full_cache(root.path()));
    let line = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    let (passed, said) = again("store::full::where_nothing_can_be_written_reads_go_on", NO_GROWTH, root.path(), line);
    assert!(passed, "{said}");
}

/// Lets readers end whatever becomes of the test.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn readers_continue_during_evictions_and_a_slow_one_blocks_none() {
    let root = tempfile::tempdir().unwrap();
    let (full, path) = a_full_cache(root.path());
    drop(full);
    // A sweep that waited for the reader would take this long.
    let disk = Disk::open(&super::Options { busy: LONG, ..options(&root.path().join("cache")) }).unwrap();
    let before = std::fs::metadata(&path).unwrap().len();
    let (done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let disk = Disk::open(&options(&root.path().join("cache"))).unwrap();
                while !done.load(Ordering::Relaxed) {
                    // The last ones are never evicted: a miss of them would be one for want of patience.
                    assert_eq!(every_entry_is_right(&disk, 200).min(10), 10);
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _end = Ended(&done);
        let slow = Disk::open(&options(&root.path().join("cache"))).unwrap();
        slow.view(at("s", "k0"), &mut |_, frames| {
            let begun = std::time::Instant::now();
            assert_eq!(disk.sweep(&Sweep { entries: Some((100, 100)), ..NO_SWEEP }).unwrap().evicted, 100);
            assert!(begun.elapsed() < LONG, "the sweep waited for the reader");
            let mut frame = Vec::new();
            frames.read(0, &mut frame)?;
            assert_eq!(frame, long(0).frames[0], "what is being read is read to its end");
            Ok(())
        })
        .unwrap();
        for left in (10..100).rev().step_by(10) {
            disk.sweep(&Sweep { entries: Some((left, left)), ..NO_SWEEP }).unwrap();
        }
        let rounds = seen.load(Ordering::Relaxed);
        while seen.load(Ordering::Relaxed) < rounds + 3 {
            std::thread::yield_now();
        }
    });
    disk.sweep(&Sweep { entries: Some((10, 10)), ..NO_SWEEP }).unwrap();
    assert_eq!(disk.size().unwrap().entries, 10);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after < before / 4, "{after} of {before}");
}

#[test]
fn what_left_without_being_asked_to_is_counted_by_reason() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(&options(root.path())).unwrap();
    assert_eq!(disk.lost().unwrap(), []);
    let kept = |key: &str, stale_until| Fill { meta: Meta { stale_until, ..meta("s", key) }, ..fill("s", key) };
    let all: Vec<Fill> = (0..5_000).map(|n| kept(&n.to_string(), NOW + HOUR)).collect();
    fill_all(&disk, &all);
    fill_all(&disk, &[kept("a", NOW - 1), kept("b", NOW - 1), kept("c", NOW + HOUR)]);
    disk.sweep(&Sweep { expired: true, entries: Some((1, 1)), ..NO_SWEEP }).unwrap();
    disk.remove(&[Select::All], None, NOW).unwrap();
    fill_all(&disk, &[kept("a", NOW - 1)]);
    disk.sweep(&Sweep { expired: true, ..NO_SWEEP }).unwrap();
    let lost = disk.lost().unwrap();
    let told: Vec<_> = lost.iter().map(|lost| (lost.reason, lost.entries, lost.bytes)).collect();
    assert_eq!(
        told,
        [("expired", 3, 30), ("least recently used", 5_000, 50_000)],
        "more than are remembered one by one"
    );
}

//! What only a directory can suffer: creation by many, replacement, deletion, damage, modes, space.

use super::{HOUR, NO_SWEEP, NOW, at, exact, fill, fill_all, get, glob, has, meta, options};
use awsideman::secure_fs::Access;
use awsideman::store::Options;
use awsideman::store::{Disk, Fill, Meta, Select, Store, Sweep};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const CHILD_DIR: &str = "AWSIDEMAN_TEST_STORE_DIR";

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("deep/cache");
    (root, dir)
}

fn open(dir: &Path) -> Disk {
    Disk::open(&options(dir)).unwrap()
}

/// Not a test by itself: what each of the twenty processes does.
#[test]
fn as_a_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let key = format!("child:{}", std::process::id());
    let disk = open(Path::new(&dir));
    fill_all(&disk, &[fill("s", &key)]);
    assert!(has(&disk, "s", &key));
}

/// Not a test by itself: what a member of the group does who may only read.
#[test]
fn as_a_reader() {
    let Some(dir) = std::env::var_os("AWSIDEMAN_TEST_READ_ONLY_DIR") else { return };
    let disk = Disk::open(&Options { access: Access::Group(65_534), ..options(Path::new(&dir)) }).unwrap();
    for _ in 0..2 {
        assert!(has(&disk, "s", "k") && !has(&disk, "s", "absent"));
        assert!(!disk.standing(at("s", "k"), NOW).unwrap().fenced);
        let since = disk.sequence().unwrap();
        for refused in [
            disk.put(&[fill("s", "k")], since, NOW).map(drop),
            disk.remove(&[Select::All], None, NOW).map(drop),
            disk.touch(&[(1, 1)]),
        ] {
            let error = refused.unwrap_err();
            assert!(error.is_read_only(), "{error}");
        }
    }
}

/// Needs to be root, to act as somebody else.
#[test]
fn who_may_only_read_reads_and_is_told_so_when_writing() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for companions in [true, false] {
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let dir = root.path().join("cache");
        let group = Options { access: Access::Group(65_534), ..options(&dir) };
        let disk = Disk::open(&group).unwrap();
        fill_all(&disk, &[fill("s", "k")]);
        disk.settle().unwrap();
        drop(disk);
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(root.path(), 0o755);
        set(&dir, 0o2750);
        for file in std::fs::read_dir(&dir).unwrap() {
            let path = file.unwrap().path();
            set(&path, 0o640);
            let ending = path.to_string_lossy().into_owned();
            if !companions && (ending.ends_with("-wal") || ending.ends_with("-shm")) {
                std::fs::remove_file(path).unwrap();
            }
        }
        // The test's own binary may lie where others cannot reach it.
        let program = root.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        set(&program, 0o755);
        let mut child = Command::new(&program);
        child.args(["--exact", "store::disk::as_a_reader", "--nocapture"]).env("AWSIDEMAN_TEST_READ_ONLY_DIR", &dir);
        let output = child.uid(65_534).gid(65_534).current_dir("/").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "companions: {companions}: {said}");
    }
}

#[test]
fn modes_are_private_under_any_umask() {
    for umask in ["0000", "0022", "0077"] {
        let (_root, dir) = fresh();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
        shell.args(["--exact", "store::disk::as_a_child", "--nocapture"]).env(CHILD_DIR, &dir);
        assert!(shell.output().unwrap().status.success());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&dir), 0o700);
        for file in std::fs::read_dir(&dir).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{} under umask {umask}", path.display());
        }
    }
}

#[test]
fn twenty_processes_open_a_fresh_cache_at_once() {
    let (_root, dir) = fresh();
    let children: Vec<_> = (0..20)
        .map(|_| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "store::disk::as_a_child", "--nocapture"]).env(CHILD_DIR, &dir);
            child.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    assert_eq!(open(&dir).size().unwrap().entries, 20);
    let files = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
    assert_eq!(files.filter(|path| path.extension().is_some_and(|ending| ending == "db")).count(), 1);
}

#[test]
fn sixteen_threads_open_a_fresh_cache_at_once() {
    let (_root, dir) = fresh();
    std::thread::scope(|scope| {
        for i in 0..16 {
            let dir = &dir;
            scope.spawn(move || fill_all(&open(dir), &[fill("s", &i.to_string())]));
        }
    });
    assert_eq!(open(&dir).size().unwrap().entries, 16);
}

#[test]
fn backup_programs_and_git_are_told_to_leave_a_cache_alone() {
    let (_root, dir) = fresh();
    drop(open(&dir));
    let tag = std::fs::read_to_string(dir.join("CACHEDIR.TAG")).unwrap();
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    assert_eq!(std::fs::read_to_string(dir.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_writer_that_does_not_let_go_does_not_stop_a_flip() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    disk.remove(&[exact("s", "fenced")], Some(NOW + HOUR), NOW).unwrap();
    let stuck = awsideman::sqlite::Connection::open(disk.path().unwrap()).unwrap();
    stuck.execute_batch("BEGIN IMMEDIATE").unwrap();
    let impatient = Options { busy: std::time::Duration::from_millis(20), ..options(&dir) };
    assert_eq!(Disk::flip_in(&impatient, NOW).unwrap().fences, Some(1));
    fill_all(&disk, &[fill("s", "k")]);
    assert!(disk.standing(at("s", "fenced"), NOW).unwrap().fenced);
}

#[test]
fn a_flip_starts_empty_and_keeps_the_old_generation() {
    let (_root, dir) = fresh();
    let (ours, other) = (open(&dir), open(&dir));
    fill_all(&other, &[fill("s", "k")]);
    ours.remove(&[exact("s", "fenced")], Some(NOW + HOUR), NOW).unwrap();
    ours.remove(&[exact("s", "lapsed")], Some(NOW), NOW).unwrap();
    let before = other.sequence().unwrap();
    let mut draft = other.draft(NOW).unwrap();
    draft.frame(b"one").unwrap();
    let old = ours.path().unwrap();
    let flip = ours.flip(NOW).unwrap();
    assert_eq!((flip.old.as_ref(), flip.new), (Some(&old), ours.path().unwrap()));
    assert_eq!(flip.fences, Some(1));
    let marker = flip.marker.unwrap();
    assert_eq!(marker.display().to_string(), format!("{}.corrupted.20270115_080000", old.display()));
    assert!(marker.exists() && old.exists());
    assert!(!has(&other, "s", "k"));
    assert!(other.sequence().unwrap() > before, "numbers continue");
    assert!(
        other.standing(at("s", "fenced"), NOW).unwrap().fenced
            && !other.standing(at("s", "lapsed"), NOW).unwrap().fenced
    );
    assert_eq!(other.put(&[fill("s", "k")], before, NOW).unwrap().stored, 0, "a fill from before the flip");
    draft.frame(b"two").unwrap();
    let since = other.sequence().unwrap();
    assert!(!draft.publish(&Meta { frames: 2, ..meta("s", "k") }, since).unwrap(), "a draft from before the flip");
    fill_all(&other, &[fill("s", "k")]);
    assert!(has(&ours, "s", "k"));
}

#[test]
fn no_name_of_a_generation_is_used_twice() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    let mut names = std::collections::BTreeSet::new();
    for round in 0..6 {
        assert!(names.insert(disk.path().unwrap()));
        match round % 3 {
            0 => drop(disk.flip(NOW).unwrap()),
            1 => disk.retire().unwrap(),
            _ => std::fs::remove_dir_all(&dir).unwrap(),
        }
    }
}

/// A removal that commits into a generation while another takes its place must be known to that one too.
#[test]
fn no_fence_is_lost_to_a_flip() {
    let (_root, dir) = fresh();
    let (disk, witness) = (open(&dir), open(&dir));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (disk, witness, done) = (&disk, &witness, &done);
            scope.spawn(move || {
                for i in 0.. {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("{writer}:{i}");
                    disk.remove(&[exact("s", &key)], Some(NOW + HOUR), NOW).unwrap();
                    assert!(witness.standing(at("s", &key), NOW).unwrap().fenced, "{key}");
                }
            });
        }
        for _ in 0..25 {
            disk.flip(NOW).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_retired_generation_is_replaced_and_numbers_continue() {
    let (_root, dir) = fresh();
    let (ours, other) = (open(&dir), open(&dir));
    fill_all(&ours, &[fill("s", "k")]);
    let before = ours.remove(&[exact("s", "other")], Some(NOW + HOUR), NOW).unwrap().sequence;
    ours.retire().unwrap();
    ours.retire().unwrap();
    assert!(!has(&other, "s", "k") && !has(&ours, "s", "k"));
    assert!(other.sequence().unwrap() > before);
    assert!(other.standing(at("s", "other"), NOW).unwrap().fenced);
}

#[test]
fn a_removal_retires_the_generation_of_another_schema() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    std::fs::write(dir.join("CURRENT.v2"), "gen-7.db\n").unwrap();
    fill_all(&disk, &[fill("s", "k")]);
    assert!(dir.join("CURRENT.v2").exists());
    disk.remove(&[exact("s", "k")], None, NOW).unwrap();
    assert!(!dir.join("CURRENT.v2").exists() && dir.join("CURRENT").exists());
}

#[test]
fn a_directory_deleted_under_an_open_store_is_survived() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    for _ in 0..3 {
        fill_all(&disk, &[fill("s", "k")]);
        let before = disk.sequence().unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(!has(&disk, "s", "k"));
        assert_eq!(disk.put(&[fill("s", "k")], before, NOW).unwrap().stored, 0, "numbers do not begin anew");
    }
    std::fs::remove_file(disk.path().unwrap()).unwrap();
    drop(disk);
    let disk = open(&dir);
    fill_all(&disk, &[fill("s", "k")]);
}

#[test]
fn a_directory_moved_away_under_an_open_store_is_left_alone() {
    let (root, dir) = fresh();
    let disk = open(&dir);
    fill_all(&disk, &[fill("s", "k")]);
    let aside = root.path().join("aside");
    std::fs::rename(&dir, &aside).unwrap();
    assert!(!has(&disk, "s", "k"));
    fill_all(&disk, &[fill("s", "new")]);
    assert!(has(&open(&aside), "s", "k") && !has(&open(&aside), "s", "new"));
}

#[test]
fn nonsense_in_current_is_replaced() {
    for text in ["", "gen-x.db", "../../etc/passwd", "gen-99.db"] {
        let (_root, dir) = fresh();
        let disk = open(&dir);
        std::fs::write(dir.join("CURRENT"), text).unwrap();
        fill_all(&disk, &[fill("s", "k")]);
        assert!(has(&open(&dir), "s", "k"), "{text:?}");
    }
}

#[test]
fn damage_is_an_error_and_a_flip_is_the_remedy() {
    for (what, damage) in [
        ("garbage", &(|bytes: &mut Vec<u8>| bytes.fill(b'x')) as &dyn Fn(&mut Vec<u8>)),
        ("a hole", &|bytes| bytes[100..].fill(0)),
        ("tables overwritten", &|bytes| bytes[16_384..].fill(0xA5)),
        ("half a file", &|bytes| bytes.truncate(bytes.len() / 2)),
    ] {
        let (_root, dir) = fresh();
        let file = {
            let disk = open(&dir);
            let fills: Vec<Fill> = (0..500).map(|i| fill("s", &format!("k{i}"))).collect();
            fill_all(&disk, &fills);
            disk.settle().unwrap();
            disk.path().unwrap()
        };
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        let opened = Disk::open(&options(&dir));
        let error = match &opened {
            Err(_) => None,
            Ok(disk) => {
                let results = [
                    disk.put(&[fill("s", "k1")], disk.sequence().unwrap_or(0), NOW).map(drop),
                    disk.remove(&[glob(None, "*")], None, NOW).map(drop),
                    disk.sweep(&Sweep { expired: true, ..NO_SWEEP }).map(drop),
                    disk.size().map(drop),
                ];
                Some(results.into_iter().find_map(Result::err))
            }
        };
        if let Err(error) = &opened {
            assert!(error.is_damage(), "{what}: {error}");
        }
        if let Some(error) = error {
            let error = error.unwrap_or_else(|| panic!("{what}: nothing was noticed"));
            assert!(error.is_damage(), "{what}: {error}");
        }
        let before = std::fs::read(&file).unwrap();
        let flip = Disk::flip_in(&options(&dir), NOW).unwrap();
        assert_eq!(flip.old, Some(file.clone()), "{what}");
        assert_eq!(std::fs::read(&file).unwrap(), before, "{what}: the evidence is untouched");
        fill_all(&open(&dir), &[fill("s", "k")]);
    }
}

#[test]
fn a_file_truncated_under_an_open_store_is_an_error_without_panic() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    fill_all(&disk, &[fill("s", "k")]);
    disk.settle().unwrap();
    std::fs::OpenOptions::new().write(true).open(disk.path().unwrap()).unwrap().set_len(0).unwrap();
    let seen = disk.view(at("s", "k"), &mut |_, frames| frames.read(0, &mut Vec::new()));
    assert!(!matches!(seen, Ok(true)) || get(&disk, "s", "k").is_some());
    let _ = disk.put(&[fill("s", "k")], 0, NOW);
    disk.flip(NOW).unwrap();
    fill_all(&disk, &[fill("s", "k")]);
}

#[test]
fn an_empty_file_becomes_a_generation() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    let (before, path) = (disk.sequence().unwrap(), disk.path().unwrap());
    drop(disk);
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
    let disk = open(&dir);
    assert!(disk.sequence().unwrap() > before);
    fill_all(&disk, &[fill("s", "k")]);
}

#[test]
fn our_link_to_the_directory_is_followed_and_a_file_is_refused() {
    let (root, dir) = fresh();
    drop(open(&dir));
    let link = root.path().join("link");
    std::os::unix::fs::symlink(&dir, &link).unwrap();
    assert!(Disk::open(&options(&link)).is_ok(), "systemd makes such links for a dynamic user");
    let above = root.path().join("above");
    std::os::unix::fs::symlink(root.path().join("deep"), &above).unwrap();
    assert!(Disk::open(&options(&above.join("cache"))).is_ok(), "a link further up is the user's business");
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(Disk::open(&options(&file)).is_err());
}

#[test]
fn large_removals_free_their_frames_and_the_file_shrinks() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    let long = |i: usize| Fill {
        meta: Meta { frames: 1, held: 30_000, ..meta(["s", "t"][i % 2], &format!("k{i}")) },
        frames: vec![vec![7; 30_000]],
    };
    for start in (0..1_600).step_by(400) {
        fill_all(&disk, &(start..start + 400).map(long).collect::<Vec<_>>());
    }
    disk.settle().unwrap();
    let bytes = || std::fs::metadata(disk.path().unwrap()).unwrap().len();
    let full = bytes();
    assert!(full > 40_000_000);
    assert_eq!(disk.remove(&[glob(Some("s"), "k*")], None, NOW).unwrap().entries, 800);
    assert!(has(&disk, "t", "k1"));
    disk.settle().unwrap();
    let half = bytes();
    assert!(half < full * 6 / 10, "{half} of {full}");
    assert_eq!(disk.sweep(&Sweep { entries: Some((10, 10)), ..NO_SWEEP }).unwrap().evicted, 790);
    assert!(bytes() < 2_000_000, "{}", bytes());
    let wal =
        std::fs::metadata(awsideman::sqlite::sidecar(&disk.path().unwrap(), "-wal")).map_or(0, |found| found.len());
    assert_eq!(wal, 0);
}

#[test]
fn abandoned_drafts_are_freed_after_an_hour_and_cannot_be_published() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    let since = disk.sequence().unwrap();
    let mut draft = disk.draft(NOW).unwrap();
    draft.frame(&vec![1; 200_000]).unwrap();
    let sweep = |now| disk.sweep(&Sweep { now, ..NO_SWEEP }).unwrap();
    let index = || disk.size().unwrap().index;
    sweep(NOW + HOUR - 1);
    let kept = index();
    sweep(NOW + HOUR);
    assert!(index() + 150_000 < kept, "{} of {kept}", index());
    draft.frame(b"late").unwrap();
    assert!(!draft.publish(&Meta { frames: 2, ..meta("s", "k") }, since).unwrap());
}

#[test]
fn a_reader_holds_nobody_back() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    fill_all(&disk, &[fill("s", "k")]);
    let other = open(&dir);
    disk.view(at("s", "k"), &mut |_, frames| {
        assert_eq!(other.remove(&[Select::All], None, NOW).unwrap().entries, 1);
        other.settle().unwrap();
        let mut buffer = Vec::new();
        frames.read(1, &mut buffer)?;
        assert_eq!(buffer, b"k", "a view keeps its snapshot");
        Ok(())
    })
    .unwrap();
    assert!(!has(&disk, "s", "k"));
}

#[test]
fn swept_entries_are_remembered_with_the_reason_and_removed_ones_are_not() {
    let (_root, dir) = fresh();
    let disk = open(&dir);
    assert_eq!(disk.evictions(at("s", "a")).unwrap(), []);
    let kept = |key: &str, stale_until| Fill { meta: Meta { stale_until, ..meta("s", key) }, ..fill("s", key) };
    fill_all(&disk, &[kept("a", NOW - 1), kept("b", NOW + HOUR), kept("c", NOW + HOUR)]);
    disk.remove(&[exact("s", "c")], None, NOW).unwrap();
    disk.sweep(&Sweep { now: NOW, expired: true, ..NO_SWEEP }).unwrap();
    let reasons = |key| disk.evictions(at("s", key)).unwrap().iter().map(|e| (e.at, e.reason)).collect::<Vec<_>>();
    assert_eq!((reasons("a"), reasons("b"), reasons("c")), (vec![(NOW, "expired")], vec![], vec![]));
    disk.sweep(&Sweep { now: NOW + 1, entries: Some((0, 0)), ..NO_SWEEP }).unwrap();
    fill_all(&disk, &[kept("b", NOW + HOUR)]);
    disk.sweep(&Sweep { now: NOW + 2, entries: Some((0, 0)), ..NO_SWEEP }).unwrap();
    assert_eq!(reasons("b"), [(NOW + 2, "least recently used"), (NOW + 1, "least recently used")], "the latest first");
    let many: Vec<Fill> = (0..4_200).map(|n| fill("s", &format!("k{n}"))).collect();
    fill_all(&disk, &many);
    disk.sweep(&Sweep { now: NOW + 3, entries: Some((0, 0)), ..NO_SWEEP }).unwrap();
    assert_eq!(reasons("a"), [], "a ring forgets");
    assert_eq!(many.iter().filter(|fill| !reasons(&fill.meta.key).is_empty()).count(), 4_096);
}

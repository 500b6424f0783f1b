//! Tests of `secure_fs/mod.rs`.

use super::*;

const ANN: u32 = 12_001;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_directory_is_made_private_and_a_readable_one_is_tightened() {
    let root = tempfile::tempdir().unwrap();
    let ours = root.path().join("a/b");
    assert_eq!(directory(&ours, Access::Owner).unwrap(), Prepared::Created);
    assert_eq!(mode(&ours), 0o700);
    std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(directory(&ours, Access::Owner).unwrap(), Prepared::Tightened(0o755));
    assert_eq!(directory(&ours, Access::Owner).unwrap(), Prepared::Found);
}

#[test]
fn what_the_owner_took_from_himself_is_not_given_back() {
    let root = tempfile::tempdir().unwrap();
    let ours = root.path().join("frozen");
    directory(&ours, Access::Owner).unwrap();
    for (before, after) in [(0o500, 0o500), (0o555, 0o500), (0o000, 0o000)] {
        std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(before)).unwrap();
        directory(&ours, Access::Owner).unwrap();
        assert_eq!(mode(&ours), after, "{before:o}");
    }
}

#[test]
fn judging_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let ours = root.path().join("a");
    assert!(judge(&ours, Access::Owner).unwrap().is_none());
    assert!(!ours.exists());
    std::fs::create_dir(&ours).unwrap();
    std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(judge(&ours, Access::Owner).unwrap().is_some());
    assert_eq!(mode(&ours), 0o755);
    std::fs::set_permissions(&ours, std::fs::Permissions::from_mode(0o757)).unwrap();
    assert!(matches!(judge(&ours, Access::Owner), Err(PrivateError::WritableByOthers { .. })));
}

#[test]
fn a_shared_directory_is_opened_to_its_group_and_to_no_other_user() {
    let root = tempfile::tempdir().unwrap();
    let (shared, own) = (root.path().join("a"), rustix::process::getegid().as_raw());
    assert_eq!(directory(&shared, Access::Group(own)).unwrap(), Prepared::Created);
    assert_eq!(mode(&shared), 0o2770);
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(directory(&shared, Access::Group(own)).unwrap(), Prepared::Tightened(0o700));
    assert_eq!(mode(&shared), 0o2770);
    assert!(matches!(directory(&shared, Access::Owner), Err(PrivateError::WritableByOthers { .. })));
    assert!(matches!(directory(&shared, Access::Group(own + 1)), Err(PrivateError::WritableByOthers { .. })));
}

#[test]
fn a_group_is_known_by_name_or_number() {
    assert_eq!(group_id("1234"), Some(1234));
    assert_eq!(group_id("root"), Some(0));
    assert_eq!(group_id("no such group"), None);
}

#[test]
fn what_others_may_write_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let open = root.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(directory(&open, Access::Owner), Err(PrivateError::WritableByOthers { mode: 0o777, .. })));
}

#[test]
fn a_link_to_a_directory_is_followed_if_root_or_this_user_made_it_and_one_to_a_file_never() {
    let root = tempfile::tempdir().unwrap();
    let (link, real) = (root.path().join("link"), root.path().join("private/real"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let refused = |what: &str| match directory(&link, Access::Owner) {
        Err(PrivateError::NotOurs { what: found, .. }) => assert_eq!(found, what),
        other => panic!("{other:?}"),
    };
    refused("a symbolic link to nothing");
    std::fs::create_dir_all(&real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(directory(&link, Access::Owner).unwrap(), Prepared::Found);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(&link, Some(ANN), None).unwrap();
        refused("a symbolic link of another user");
    }
    let file = root.path().join("file");
    std::os::unix::fs::symlink("/dev/null", &file).unwrap();
    assert!(matches!(open(&file, Open::ReadWrite, Access::Owner), Err(PrivateError::NotOurs { .. })));
    assert!(matches!(is_file(&file), Err(PrivateError::NotOurs { what: "a symbolic link", .. })));
}

#[test]
fn root_makes_nothing_in_a_directory_of_a_user_except_on_the_user_s_behalf() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = root.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(ANN), Some(ANN)).unwrap();
    let dir = home.join(".cache/awsideman");
    let foreign = |error: PrivateError| assert!(matches!(error, PrivateError::ForeignOwner { owner: ANN, us: 0, .. }));
    foreign(directory(&dir, Access::Owner).unwrap_err());
    foreign(open(&home.join("f"), Open::Append, Access::Owner).unwrap_err());
    foreign(create(&home.join("f"), Access::Owner).unwrap_err());
    foreign(replace(&home.join("f"), b"x", Access::Owner).unwrap_err());
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 0);
    let access = Access::Owner.to_change(&dir);
    assert_eq!(access, Access::Delegate { uid: ANN, gid: ANN });
    directory(&dir, access).unwrap();
    open(&dir.join("opened"), Open::Append, access).unwrap();
    create(&dir.join("created"), access).unwrap();
    replace(&dir.join("replaced"), b"x", access).unwrap();
    for path in [".cache", ".cache/awsideman", ".cache/awsideman/opened", ".cache/awsideman/created"] {
        assert_eq!(std::fs::metadata(home.join(path)).unwrap().uid(), ANN, "{path}");
    }
    assert_eq!(std::fs::metadata(dir.join("replaced")).unwrap().uid(), ANN);
    assert_eq!(Access::Owner.to_change(root.path()), Access::Owner);
}

#[test]
fn a_replaced_file_is_private_and_whole() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("f");
    assert_eq!(read(&file).unwrap(), None);
    replace(&file, b"one", Access::Owner).unwrap();
    replace(&file, b"two", Access::Owner).unwrap();
    assert_eq!(read(&file).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(mode(&file), 0o600);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
}

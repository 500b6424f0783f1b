//! Archives that are none, are too large or never end: refused before they are read, and nothing is stored.

use crate::home::Home;
use crate::world::Ran;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A first line of this version, as an export writes it.
fn manifest(home: &Home) -> String {
    let file = home.path().join("whole");
    home.run_with("--sandbox user list", &[]).ok();
    home.run_with(&format!("--sandbox cache export {} --all", file.display()), &[]).ok();
    let bytes = std::fs::read(&file).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    String::from_utf8(bytes[..=end].to_vec()).unwrap()
}

/// The line of an entry whose frames have these lengths.
fn entry(key: &str, size: u64, lengths: &str) -> String {
    format!(
        "{{\"space\":\"s\",\"key\":\"{key}\",\"stored_at\":1,\"fresh_until\":2,\"stale_until\":3,\"source\":\"x\",\
         \"size\":{size},\"held\":1,\"seal\":1,\"lengths\":[{lengths}]}}\n"
    )
}

#[test]
fn an_invalid_or_endless_archive_is_refused_at_its_first_fault() {
    let home = Home::new();
    let first = manifest(&home);
    let with = |rest: &str| format!("{first}{rest}").into_bytes();
    let end = "{\"entries\":0,\"sha256\":\"00\"}\n";
    let rows: Vec<(&str, Vec<u8>, i32, &str)> = vec![
        ("empty", Vec::new(), 2, "its first line is no manifest"),
        ("zero bytes", vec![0; 1_000_000], 2, "its first line is no manifest"),
        ("gzip", [&[0x1f, 0x8b, 8][..], &[0; 100_000]].concat(), 2, "its first line is no manifest"),
        ("a first line of 1 MB", [vec![b' '; 1_000_000], b"\n".to_vec()].concat(), 2, "its first line is no manifest"),
        ("an object that is no manifest", b"{}\n".to_vec(), 2, "its first line is no manifest"),
        ("another schema", first.replace("\"schema\":", "\"schema\":9").into_bytes(), 2, "with entries of schema 9"),
        (
            "escapes in the manifest",
            first.replace("\"schema\":", "\"schema\":9").replace("\"by\":\"", "\"by\":\"\\u001b[2J").into(),
            2,
            "\\u{1b}[2J",
        ),
        ("only a manifest", with(""), 12, "it is cut short"),
        ("a line of 2 MB", with(&" ".repeat(2_000_000)), 12, "a line of more than 1 MB"),
        ("a line that is no entry", with("{\"a\":1}\n"), 12, "what follows entry 0 is no entry"),
        ("two manifests", with(&first), 12, "what follows entry 0 is no entry"),
        ("a wrong checksum", with(end), 12, "its checksum does not match"),
        ("an entry of 2^60 bytes", with(&entry("a:b:c", 1 << 60, "1")), 12, "larger than 1 GB"),
        (
            "frames of 2^63 bytes",
            with(&entry("a:b:c", 1, "9223372036854775807,9223372036854775807")),
            12,
            "larger than 1 GB",
        ),
        ("a frame that is too long", with(&entry("a:b:c", 1, "1000000")), 12, "a frame of a:b:c is too long"),
        ("a frame that is missing", with(&entry("a:b:c", 1, "500000")), 12, "it is cut short"),
        ("a negative length", with(&entry("a:b:c", 1, "-1")), 12, "is no entry"),
        ("a frame of nothing", with(&format!("{}x", entry("a:b:c", 1, "1"))), 12, "does not match its checksums"),
        ("escapes in a key", with(&format!("{}x", entry("\\u001b[2J", 1, "1"))), 12, "\\u{1b}[2J"),
        (
            "100,000 frames of one byte",
            with(&format!("{}{}", entry("a:b:c", 9, &["1"; 100_000].join(",")), "x".repeat(100_000))),
            12,
            "does not match",
        ),
    ];
    for (name, bytes, exit, message) in rows {
        let file = home.path().join("archive");
        std::fs::write(&file, bytes).unwrap();
        let ran = home.run(&format!("--sandbox cache import {}", file.display()));
        assert!(!ran.stderr.contains('\u{1b}'), "{name}: {}", ran.stderr);
        assert_eq!(ran.exit, exit, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{name}: {}", ran.stderr);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_and_is_not_waited_for() {
    let home = Home::new();
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = home.path().join("link");
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    let folder = home.folder("folder");
    for path in [&pipe, &link, &folder, Path::new("/dev/zero"), Path::new("/dev/null")] {
        let begun = Instant::now();
        let ran = home.run(&format!("--sandbox cache import {}", path.display()));
        ran.code(2).stderr_has("is not a regular file").stderr_has("cache import - <");
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
}

#[test]
fn an_endless_stream_is_refused_at_its_first_line() {
    let home = Home::new();
    let mut command = home.command("--sandbox cache import -");
    let begun = Instant::now();
    command.stdin(std::fs::File::open("/dev/zero").unwrap());
    Ran::of("import - </dev/zero".into(), &command.output().unwrap()).code(2).stderr_has("first line is no manifest");
    // A manifest, then no end.
    let first = manifest(&home);
    let mut child =
        home.command("--sandbox cache import -").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut written = stdin.write(first.as_bytes()).unwrap();
    while let Ok(more) = stdin.write(&[b' '; 8_192]) {
        written += more;
        assert!(written < 64 * 1024 * 1024, "it reads without end");
    }
    let ended = child.wait_with_output().unwrap();
    Ran::of("import - <endless".into(), &ended).code(12).stderr_has("a line of more than 1 MB");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

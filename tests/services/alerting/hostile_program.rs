//! A program that misbehaves behind the command notifier.

use super::hostile::{Mode, alarmed, delivered, holds, kept};
use std::os::unix::fs::PermissionsExt;

const LATE: &str = "took longer than 2s";

/// The script is the name of the mode; `{here}` is the folder of the test.
const MODES: &[Mode] = &[
    delivered("exit 0"),
    delivered("head -c 1000000000 /dev/zero"),
    delivered("head -c 1000000000 /dev/zero >&2"),
    delivered("sleep 30 &"),
    delivered("exec <&-; exit 0"),
    delivered("exec >&- 2>&-; exit 0"),
    delivered("chmod u+s \"$0\"; [ \"$(id -u)\" = \"$(id -ru)\" ]"),
    delivered(
        "[ -z \"$AWS_SECRET_ACCESS_KEY$AWSIDEMAN_JOBS_DIR\" ] && [ \"$PASSED\" = passed-value ] && [ -n \"$HOME\" ]",
    ),
    kept("trap '' TERM HUP INT; sleep 30", LATE),
    kept("sleep 4; exit 0", LATE),
    kept("setsid sh -c 'trap \"\" TERM; echo $$ > {here}/escaped; sleep 30'; sleep 30", LATE),
    kept("yes", LATE),
    kept("kill -9 $$", "ended with signal: 9"),
    kept("echo \"argument $1, variable $PASSED\" >&2; exit 3", "ended with exit status: 3: argument ***, variable ***"),
    kept(
        "printf '\\033[31mred\\007\\342\\200\\256' >&2; head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1",
        "exit status: 1: [31mred",
    ),
];

#[test]
fn a_misbehaving_program_gets_the_document_or_it_is_kept() {
    for mode in MODES {
        let mut desk = alarmed();
        let here = desk.root.path().display().to_string();
        let script = desk.script("page-me", &mode.name.replace("{here}", &here));
        desk.configure(&settings(script.to_str().unwrap()));
        desk.set("PASSED", "passed-value");
        desk.set("AWS_SECRET_ACCESS_KEY", "s3cret-of-aws");
        holds(&desk, mode, &["argument-s3cret", "passed-value", "s3cret-of-aws"]);
        if let Ok(escaped) = std::fs::read_to_string(desk.path("escaped")) {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", escaped.trim())).unwrap_or_default();
            assert!(stat.is_empty() || stat.contains(") Z "), "a process outlived the timeout: {stat}");
        }
    }
}

fn settings(program: &str) -> String {
    format!(
        "[alerts.command]\nenabled = true\nargv = [\"{program}\", \"argument-s3cret\"]\nenv = [\"PASSED\"]\ntimeout = \"2s\"\n"
    )
}

#[test]
fn a_program_that_cannot_be_started_is_named_with_the_reason() {
    for (mode, text, reason) in [
        (0o600, "#!/bin/sh\n", "cannot be started: Permission denied"),
        (0o700, "#!/nowhere/at/all\n", "the interpreter that its first line names does not exist"),
    ] {
        let mut desk = alarmed();
        let script = desk.path("page-me");
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(mode)).unwrap();
        desk.configure(&settings(script.to_str().unwrap()));
        desk.set("PASSED", "passed-value");
        holds(&desk, &kept("not startable", reason), &["argument-s3cret"]);
    }
}

#[test]
fn arguments_are_hidden_and_an_aws_program_without_variables_is_a_warning() {
    let desk = alarmed();
    desk.configure("[aws]\nendpoint_url = \"http://ann:s3cret@127.0.0.1:1/\"\n[alerts.command]\nenabled = true\nargv = [\"aws\", \"sns\", \"publish\", \"argument-s3cret\"]\n");
    for words in ["config show", "config show --json", "config validate", "doctor", "doctor --json", "alerts list"] {
        let ran = desk.run(words);
        assert!(!(ran.out.clone() + &ran.err).contains("s3cret"), "{words}: {ran:?}");
    }
    let shown = desk.run("config show").out;
    assert!(shown.contains("alerts.command.argv = [\"aws\", \"***\"]"), "{shown}");
    assert!(shown.contains("aws.endpoint_url = \"http://***@127.0.0.1:1/\""), "{shown}");
    for words in ["config validate", "doctor"] {
        let ran = desk.run(words);
        assert!((ran.out.clone() + &ran.err).contains("alerts.command.env"), "{words}: {ran:?}");
    }
}

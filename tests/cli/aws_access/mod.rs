//! The account, the region and the endpoint in use, compared with the AWS CLI and botocore on the same files and
//! variables: every row of docs/aws-access.md is a case.
//!
//! Needs a Python with the AWS CLI, named by `AWSIDEMAN_TEST_PYTHON`; without it the reference is skipped, in CI that fails.

mod cases;
mod stub;

use cases::{Case, How, all};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use stub::{Seen, Stub};
use tempfile::TempDir;

/// A case with its own home and two stubs.
struct Fixture {
    root: TempDir,
    stubs: [(&'static str, Stub); 2],
}

impl Fixture {
    fn of(case: &Case) -> Fixture {
        let fixture =
            Fixture { root: tempfile::tempdir().unwrap(), stubs: ["stub", "other"].map(|n| (n, Stub::start())) };
        for (path, text) in case.files {
            let path = fixture.home().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, fixture.filled(text)).unwrap();
        }
        fixture
    }

    fn home(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    /// The text with the addresses and the home of this fixture.
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{home}", self.home().to_str().unwrap());
        for (name, stub) in &self.stubs {
            text = text.replace(&format!("{{{name}}}"), &format!("http://{}", stub.address));
            text = text.replace(&format!("{{{name}_tls}}"), &format!("https://{}", stub.address));
            text = text.replace(&format!("{{{name}_bare}}"), &stub.address);
        }
        text
    }

    fn environment(&self, case: &Case) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = [
            ("HOME", self.home().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in case.base.iter().chain(case.variables) {
            environment.insert((*name).to_owned(), self.filled(value));
        }
        environment
    }

    /// `KEY REGION WHERE`, or `error` if no service was called.
    fn seen(&self) -> String {
        for (name, stub) in &self.stubs {
            match stub.seen() {
                Seen { key: Some(key), region, .. } => return format!("{key} {} {name}", region.unwrap_or_default()),
                Seen { host: Some(host), .. } if host == self.stubs[0].1.address => return format!("stub by {name}"),
                Seen { host: Some(host), .. } => return host,
                Seen { .. } => {}
            }
        }
        "error".into()
    }
}

fn ours(case: &Case, fixture: &Fixture) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
    command.env_clear().envs(fixture.environment(case)).current_dir(fixture.home()).stdin(Stdio::null());
    command.env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1").env("AWSIDEMAN_LOG_FILE", fixture.home().join("log"));
    let words = ["instance", "list", "--no-cache"];
    match case.how {
        How::Nothing => command.args(words),
        How::Flag(profile) => command.args(["--profile", profile]).args(words),
        How::Variable(profile) => command.env("AWSIDEMAN_PROFILE", profile).args(words),
        How::UserFile(profile) => {
            let folder = fixture.home().join(".config/awsideman");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("config.toml"), format!("profile = {profile:?}\n")).unwrap();
            command.args(words)
        }
        How::NamedFile(profile) => {
            let path = fixture.home().join("named.toml");
            std::fs::write(&path, format!("profile = {profile:?}\n")).unwrap();
            command.arg("--config").arg(path).args(words)
        }
        How::Job(profile) => {
            let folder = fixture.home().join("jobs");
            std::fs::create_dir_all(&folder).unwrap();
            let job = format!(
                "name = \"w\"\nkind = \"warm\"\nevery = \"1h\"\nprofiles = [{profile:?}]\n[warm]\nresources = [\"users\"]\n"
            );
            std::fs::write(folder.join("w.toml"), job).unwrap();
            command.env("AWSIDEMAN_JOBS_DIR", folder).args(["jobs", "run", "w"])
        }
    };
    command.output().unwrap()
}

/// Runs every case through the binary, a few at a time.
fn run_all(cases: &[Case], fixtures: &[Fixture]) -> Vec<Output> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(n) else { return done };
            done.push((n, ours(case, &fixtures[n])));
        }
    };
    let mut done: Vec<(usize, Output)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, output)| output).collect()
}

/// The results of the AWS CLI for all cases.
fn reference(python: &str, cases: &[Case], fixtures: &[Fixture]) -> Vec<Value> {
    let asked: Vec<Value> = cases
        .iter()
        .zip(fixtures)
        .map(|(case, fixture)| {
            let mut environment = fixture.environment(case);
            environment.insert("AWS_MAX_ATTEMPTS".into(), "1".into());
            json!({"environment": environment, "profile": case.how.profile(), "cli": case.cli})
        })
        .collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/aws_access/reference.py");
    let mut command = Command::new(python);
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the reference failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The numbers in the first column of the table.
fn rows_of_the_table() -> BTreeSet<u32> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws-access.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect()
}

#[test]
fn account_region_and_endpoint_match_the_aws_cli() {
    let cases = all();
    let fixtures: Vec<Fixture> = cases.iter().map(Fixture::of).collect();
    let outputs = run_all(&cases, &fixtures);
    let mut wrong = String::new();
    for ((case, fixture), output) in cases.iter().zip(&fixtures).zip(&outputs) {
        let (seen, said) =
            (fixture.seen(), String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout));
        let is_code = case.exit.is_none_or(|exit| output.status.code() == Some(exit));
        if seen != case.right || !is_code || case.says.iter().any(|text| !said.contains(text)) {
            let Case { row, name, right, says, .. } = case;
            let _ = writeln!(wrong, "{row} {name}: {seen:?} for {right:?} {says:?}; {:?}\n{said}", output.status);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // Row 31 is the test of certificates.
    let rows: BTreeSet<u32> = cases.iter().map(|case| case.row).chain([31]).collect();
    assert_eq!(rows, rows_of_the_table(), "each row of docs/aws-access.md is a case");
}

#[test]
fn the_reference_does_what_the_table_says_of_it() {
    let Ok(python) = std::env::var("AWSIDEMAN_TEST_PYTHON") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "AWSIDEMAN_TEST_PYTHON must name a Python with awscli");
        eprintln!("skipped: AWSIDEMAN_TEST_PYTHON does not name a Python with awscli");
        return;
    };
    let cases: Vec<Case> = all().into_iter().filter(|case| case.reference != Some("none")).collect();
    let fixtures: Vec<Fixture> = cases.iter().map(Fixture::of).collect();
    let errors = reference(&python, &cases, &fixtures);
    let mut wrong = String::new();
    for ((case, fixture), error) in cases.iter().zip(&fixtures).zip(&errors) {
        let (seen, right) = (fixture.seen(), case.reference.unwrap_or(case.right));
        if seen != right {
            let _ = writeln!(wrong, "{} {}: {seen:?} for {right:?}; {error}", case.row, case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The key that signed the request to an HTTPS server; none without a request.
fn posted(folder: &Path) -> Option<String> {
    let posts = std::fs::read_to_string(folder.join("posts.jsonl")).unwrap_or_default();
    let _ = std::fs::remove_file(folder.join("posts.jsonl"));
    let last: Value = serde_json::from_str(posts.lines().last()?).unwrap();
    let signed = last["headers"].as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let (_, rest) = signed.1.as_str()?.split_once("Credential=")?;
    rest.split('/').next().map(str::to_owned)
}

#[test]
fn certificates_of_authorities_come_from_the_setting_that_the_aws_cli_takes() {
    let Some(python) = crate::python::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = crate::python::Server::start(&python, "https_server.py", folder.path(), &[]);
    let pem = folder.path().join("cert.pem").display().to_string();
    let certificates = folder.path().join("certs");
    std::fs::create_dir(&certificates).unwrap();
    std::fs::copy(&pem, certificates.join("0000.0")).unwrap();
    let files: &[(&str, &str)] = &[];
    let base: BTreeMap<String, String> = [
        ("AWS_ENDPOINT_URL", format!("https://localhost:{}", server.port)),
        ("AWS_ACCESS_KEY_ID", "ENV".into()),
        ("AWS_SECRET_ACCESS_KEY", "s".into()),
        ("AWS_REGION", "eu-west-1".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let case = Case { files, base: &[], ..all()[0] };
    let run = |variables: &[(&str, &str)], config: &str| {
        let fixture = Fixture::of(&case);
        std::fs::create_dir(fixture.home().join(".aws")).unwrap();
        std::fs::write(fixture.home().join(".aws/config"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.env_clear().envs(&base).envs(variables.iter().copied()).env("HOME", fixture.home());
        command.env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1").env("AWSIDEMAN_LOG_FILE", fixture.home().join("log"));
        let output = command.args(["instance", "list", "--no-cache"]).output().unwrap();
        (posted(folder.path()), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let bundled = format!("[default]\nca_bundle = {pem}\n");
    for (variables, config) in [
        (&[("AWS_CA_BUNDLE", pem.as_str())][..], ""),
        (&[], bundled.as_str()),
        (&[("SSL_CERT_FILE", &pem)], ""),
        (&[("SSL_CERT_DIR", certificates.to_str().unwrap())], ""),
    ] {
        let (key, said) = run(variables, config);
        assert_eq!(key.as_deref(), Some("ENV"), "{variables:?} {config}\n{said}");
    }
    let (key, said) = run(&[], "");
    assert_eq!(key, None);
    assert!(said.contains("certificate") && said.contains("AWS_CA_BUNDLE or ca_bundle"), "{said}");
    assert!(said.contains(&format!("localhost:{}", server.port)), "{said}");
}

#[test]
fn info_and_doctor_name_the_credential_source_and_unused_keys() {
    let keys = all().into_iter().find(|case| case.name == "a flag wins over keys").unwrap();
    let fixture = Fixture::of(&keys);
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.env_clear().envs(fixture.environment(&keys)).args(words).stdin(Stdio::null());
        command.env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1").env("AWSIDEMAN_LOG_FILE", fixture.home().join("log"));
        let output = command.output().unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let info: Value = serde_json::from_str(&run(&["info", "--profile", "prod", "--json"]).0).unwrap();
    let source = format!("the keys of profile `prod` in {}", fixture.home().join(".aws/credentials").display());
    assert_eq!((&info["credentials"], &info["keys_not_used"]), (&json!(source), &json!(true)), "{info}");
    let info: Value = serde_json::from_str(&run(&["info", "--json"]).0).unwrap();
    assert_eq!((&info["credentials"], &info["keys_not_used"]), (&json!("AWS_ACCESS_KEY_ID"), &json!(false)), "{info}");
    let (shown, _) = run(&["doctor", "--profile", "prod"]);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        shown.contains("from the keys of profile `prod`") && shown.contains("AWS_ACCESS_KEY_ID is set and not used"),
        "{shown}"
    );
    // One of the first two commands has printed it: it appears once for each state directory.
    std::fs::remove_dir_all(fixture.home().join(".local/state/awsideman")).unwrap();
    let notice = "awsideman uses the profile `prod` (flag) and not AWS_ACCESS_KEY_ID";
    let words = ["instance", "list", "--no-cache", "--profile", "prod"];
    assert!(
        !run(&["instance", "list", "--no-cache"]).1.contains("and not AWS_ACCESS_KEY_ID"),
        "nothing changes without a profile"
    );
    assert!(run(&words).1.contains(notice));
    assert!(!run(&words).1.contains(notice), "once");
}

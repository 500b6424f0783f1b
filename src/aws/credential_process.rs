//! Runs the `credential_process` of a profile as a source of credentials.
//!
//! Guarantee: the program ends with its timeout and with the command that waits for it, its output is bounded, and no
//! value on its standard output is part of a message.

use super::files;
use super::sso_session;
use crate::clock;
use crate::model;
use crate::program::{Environment, KEPT, ProgramEnd, ProgramError, ProgramSpec};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// The most bytes of its standard output: several times the longest session token.
const MOST: usize = KEPT - 1;
/// The most bytes of its standard error that a message repeats.
const PRINTED: usize = 4_096;

/// Why a program provides no credentials. The texts follow the name of the program.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProcessFault {
    /// The value of `credential_process` is not a command.
    #[error("{0}")]
    Command(&'static str),
    /// The program does not exist.
    #[error("{why}")]
    NotFound {
        /// The searched places.
        why: String,
        /// Whether its name has a part that only a shell replaces.
        is_for_shell: bool,
    },
    /// The system does not start it, or it cannot be read.
    #[error("{0}")]
    System(ProgramError),
    /// It was killed at the timeout.
    #[error("no answer within {}", model::format_duration(*.0))]
    Late(Duration),
    /// It ended with an error.
    #[error("{status}{}", after_status(.printed))]
    Failed {
        /// `exit status: 1`
        status: String,
        /// Its exit status; `None` if a signal ended it.
        code: Option<i32>,
        /// The beginning of its standard error.
        printed: String,
    },
    /// Its output is not the document of a `credential_process`.
    #[error("its output cannot be used: {0}")]
    Output(String),
    /// Its credentials have expired.
    #[error("its credentials ended at {0}")]
    Expired(String),
}

/// The output of a failed program, after its status.
fn after_status(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A program that prints credentials.
pub(super) struct CredentialProcess {
    command: String,
    timeout: Duration,
}

// The command may contain a secret.
impl fmt::Debug for CredentialProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialProcess").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Stops the program of a cancelled call.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl CredentialProcess {
    pub(super) fn new(command: &str, timeout: Duration) -> CredentialProcess {
        CredentialProcess { command: command.to_owned(), timeout }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (command, timeout, stopped) = (self.command.clone(), self.timeout, Arc::clone(&stop));
        let _guard = StopOnDrop(stop);
        // The runtime waits for this thread, so that the program never outlives the command.
        let ran = tokio::task::spawn_blocking(move || run(&command, timeout, &stopped)).await;
        let ran = ran.unwrap_or_else(|error| {
            Err(ProcessFault::System(ProgramError::Io("cannot be waited for", io::Error::other(error))))
        });
        ran.map_err(CredentialsError::provider_error)
    }
}

impl ProvideCredentials for CredentialProcess {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

fn run(command: &str, timeout: Duration, stop: &AtomicBool) -> Result<Credentials, ProcessFault> {
    // As the AWS CLI: quotes as in a shell, and no shell.
    let words = files::words(command).ok_or(ProcessFault::Command("the command has a quote that does not end"))?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(ProcessFault::Command("the command is empty"));
    };
    let spec = ProgramSpec {
        program: OsStr::new(program),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: Environment::Inherited,
        variables: Vec::new(),
        input: b"",
        // It may ask for a code on the terminal.
        is_foreground: io::stdin().is_terminal(),
        timeout,
    };
    let ended = spec.run_until(&|out| out.len() > MOST || stop.load(Ordering::Relaxed));
    let too_long = || ProcessFault::Output(format!("it is longer than {}", model::format_size(MOST as u64)));
    let ended = ended.map_err(|error| match error {
        ProgramError::NotFound(why) => {
            ProcessFault::NotFound { why, is_for_shell: program.starts_with('~') || program.contains('$') }
        }
        ProgramError::Late(timeout) => ProcessFault::Late(timeout),
        ProgramError::Stopped => too_long(),
        error => ProcessFault::System(error),
    })?;
    if !ended.status.success() {
        return Err(failed(&ended));
    }
    if ended.out.len() > MOST {
        return Err(too_long());
    }
    parse(&ended.out, clock::micros() / 1000)
}

fn failed(ended: &ProgramEnd) -> ProcessFault {
    ProcessFault::Failed {
        status: ended.status.to_string().replace("exit status: ", "exit status "),
        code: ended.status.code(),
        printed: model::cut(&ended.words, PRINTED).into_owned(),
    }
}

/// The credentials in a document of version 1, with the keys that the AWS CLI reads.
fn parse(text: &[u8], now: clock::UnixMillis) -> Result<Credentials, ProcessFault> {
    let unusable = |why: String| ProcessFault::Output(why);
    let text = std::str::from_utf8(text).map_err(|_| unusable("it is not UTF-8".into()))?;
    if text.trim().is_empty() {
        return Err(unusable("it is empty".into()));
    }
    let document: Value = serde_json::from_str(text).map_err(|error| {
        // The text of the error may repeat a part of the document.
        unusable(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let Value::Object(members) = document else { return Err(unusable("it is not a JSON object".into())) };
    match members.get("Version") {
        Some(version) if version.as_i64() == Some(1) => {}
        Some(Value::Number(version)) => return Err(unusable(format!("`Version` is {version}, and only 1 is known"))),
        Some(_) => return Err(unusable("`Version` is not the number 1".into())),
        None => return Err(unusable("`Version` is missing".into())),
    }
    let required = |key: &str| text_of(&members, key)?.ok_or_else(|| unusable(format!("`{key}` is missing")));
    let mut keys = Credentials::builder().provider_name("CredentialProcess");
    keys = keys.access_key_id(required("AccessKeyId")?).secret_access_key(required("SecretAccessKey")?);
    keys.set_session_token(text_of(&members, "SessionToken")?.map(str::to_owned));
    keys.set_account_id(text_of(&members, "AccountId")?.map(Into::into));
    if let Some(text) = text_of(&members, "Expiration")? {
        let at = sso_session::time(text)
            .ok_or_else(|| unusable("`Expiration` is not a time as in RFC 3339 (`2026-01-31T17:00:00Z`)".into()))?;
        if at <= now {
            return Err(ProcessFault::Expired(clock::utc(at)));
        }
        let since = u64::try_from(at).unwrap_or_default();
        keys.set_expiry(UNIX_EPOCH.checked_add(Duration::from_millis(since)));
    }
    Ok(keys.build())
}

/// A member that is text; `None` where it is absent, null or empty.
fn text_of<'a>(members: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, ProcessFault> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(ProcessFault::Output(format!("`{key}` is not text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: clock::UnixMillis = 1_700_000_000_000;
    const LONG: Duration = Duration::from_secs(60);

    fn going() -> AtomicBool {
        AtomicBool::new(false)
    }

    #[test]
    fn a_document_of_version_1_gives_credentials_with_their_end_and_account() {
        let text = br#"{"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": "s3cret", "SessionToken": "t",
            "Expiration": "2099-01-01T01:00:00+01:00", "AccountId": "123456789012", "Other": [1]}"#;
        let keys = parse(text, NOW).unwrap();
        assert_eq!(
            (keys.access_key_id(), keys.secret_access_key(), keys.session_token()),
            ("AKID", "s3cret", Some("t"))
        );
        assert_eq!(keys.expiry(), Some(UNIX_EPOCH + Duration::from_secs(4_070_908_800)));
        assert_eq!(keys.account_id().map(aws_credential_types::attributes::AccountId::as_str), Some("123456789012"));
        let keys = parse(br#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":null}"#, NOW).unwrap();
        assert_eq!((keys.session_token(), keys.expiry()), (None, None));
    }

    #[test]
    fn any_other_document_is_refused_with_the_key_and_without_a_value() {
        let keys = r#""AccessKeyId": "AKID", "SecretAccessKey": "s3cret""#;
        for (text, why) in [
            (String::new(), "it is empty"),
            (" \n".into(), "it is empty"),
            ("s3cret".into(), "it is not JSON (line 1, column 1)"),
            (format!("{{{keys}, \"x\": s3cret}}"), "it is not JSON"),
            (r#"["s3cret"]"#.into(), "it is not a JSON object"),
            (format!("{{{keys}}}"), "`Version` is missing"),
            (format!("{{\"Version\": 2, {keys}}}"), "`Version` is 2"),
            (format!("{{\"Version\": 1.5, {keys}}}"), "`Version` is 1.5"),
            (format!("{{\"Version\": \"1\", {keys}}}"), "`Version` is not the number 1"),
            (r#"{"Version": 1, "SecretAccessKey": "s3cret"}"#.into(), "`AccessKeyId` is missing"),
            (r#"{"Version": 1, "AccessKeyId": " ", "SecretAccessKey": "s3cret"}"#.into(), "`AccessKeyId` is missing"),
            (r#"{"Version": 1, "AccessKeyId": "AKID"}"#.into(), "`SecretAccessKey` is missing"),
            (r#"{"Version": 1, "AccessKeyId": "AKID", "SecretAccessKey": 7}"#.into(), "`SecretAccessKey` is not text"),
            (format!("{{\"Version\": 1, {keys}, \"SessionToken\": {{}}}}"), "`SessionToken` is not text"),
            (format!("{{\"Version\": 1, {keys}, \"Expiration\": \"s3cret\"}}"), "`Expiration` is not a time"),
            (format!("{{\"Version\": 1, {keys}, \"Expiration\": 5}}"), "`Expiration` is not text"),
            (format!("{{\"Version\": 1, {keys}, \"Expiration\": \"2020-01-01T00:00:00Z\"}}"), "ended at 2020-01-01"),
        ] {
            let fault = parse(text.as_bytes(), NOW).unwrap_err();
            let shown = format!("{fault} {fault:?}");
            assert!(shown.contains(why), "{text}: {shown}");
            assert!(!shown.contains("s3cret"), "{text}: {shown}");
        }
        assert!(parse(b"\xff\xfe", NOW).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn the_command_is_split_as_the_aws_cli_splits_it_and_no_shell_reads_it() {
        let run = |command: &str| run(command, LONG, &going());
        let document = r#"{"Version": 1, "AccessKeyId": "$HOME *", "SecretAccessKey": "s"}"#;
        let keys = run(&format!("printf %s '{document}'")).unwrap();
        assert_eq!(keys.access_key_id(), "$HOME *");
        for (command, why) in [
            ("printf 'x", "a quote that does not end"),
            ("''", "is in no directory of PATH"),
            (" ", "the command is empty"),
            ("no-such-helper-anywhere --x", "is in no directory of PATH"),
            ("/no/such/helper", "cannot be started: No such file"),
            ("~/helper", "cannot be started: No such file"),
        ] {
            let fault = run(command).unwrap_err();
            assert!(fault.to_string().contains(why), "{command}: {fault}");
        }
        assert!(matches!(run("~/helper").unwrap_err(), ProcessFault::NotFound { is_for_shell: true, .. }));
    }

    #[test]
    fn a_failure_has_the_status_and_4_kib_of_what_was_printed() {
        let fault = run("sh -c 'head -c 9000 /dev/zero | tr \"\\0\" x >&2; echo s3cret; exit 3'", LONG, &going());
        let fault = fault.unwrap_err().to_string();
        assert!(fault.starts_with("exit status 3: xxx") && fault.len() < 4_300, "{fault}");
        assert!(!fault.contains("s3cret"), "{fault}");
        let killed = run("sh -c 'kill -9 $$'", LONG, &going()).unwrap_err();
        assert!(matches!(killed, ProcessFault::Failed { code: None, .. }), "{killed}");
    }

    #[test]
    fn endless_output_is_refused_when_it_is_too_long() {
        let fault = run("yes", LONG, &going()).unwrap_err().to_string();
        assert!(fault.contains("longer than 16"), "{fault}");
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_stops_the_program() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("pid");
        let script = format!("sh -c 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 60'", file.display());
        let source = CredentialProcess::new(&script, LONG);
        let wait = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = source.provide_credentials() => panic!("it ended"),
            () = wait => {}
        }
        let process = std::fs::read_to_string(&file).unwrap();
        let is_there = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let end = std::time::Instant::now() + LONG;
        while is_there() {
            assert!(std::time::Instant::now() < end, "still running");
            std::thread::yield_now();
        }
    }
}

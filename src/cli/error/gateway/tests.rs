//! Tests of the conversion of errors.

use super::*;
use crate::progress;

fn check(error: impl Into<CliError>, code: Code, in_hint: &str) -> CliError {
    let failure = error.into();
    assert_eq!(failure.code, code, "{failure:?}");
    assert!(failure.hint.as_deref().unwrap_or_default().contains(in_hint), "{failure:?}");
    failure
}

#[test]
fn never_logged_in_expired_and_refused_are_three_sentences() {
    let profile = || Some("prod".to_owned());
    let (detail, hint) = (|| "as it is".to_owned(), || "do this".to_owned());
    let errors = [
        GatewayError::NotLoggedIn { profile: profile(), detail: detail(), hint: hint() },
        GatewayError::LoginExpired { profile: profile(), detail: detail(), hint: hint() },
        GatewayError::CredentialsRefused { service: "STS AssumeRole (h)".into(), detail: detail(), hint: hint() },
    ];
    let messages = errors.map(|error| check(error, Code::Refused, "do this").message);
    assert_eq!(
        messages,
        [
            "no AWS login on this host for profile `prod`: as it is",
            "the AWS login of profile `prod` has expired: as it is",
            "credentials refused by STS AssumeRole (h): as it is",
        ]
    );
}

#[test]
fn each_aws_error_has_its_code_and_remedy() {
    let text = String::from;
    check(GatewayError::NoCredentials { profile: None, detail: text("") }, Code::Refused, "AWS_ACCESS_KEY_ID");
    let denied = GatewayError::AccessDenied {
        operation: text("identitystore ListUsers"),
        account: Some(text("123456789012")),
        detail: text("no"),
    };
    let failure = check(denied, Code::Refused, "awsideman doctor");
    assert!(failure.message.contains("ListUsers") && failure.message.contains("123456789012"));
    check(GatewayError::NotFound { what: text("account `x`") }, Code::NotFound, "--refresh");
    check(GatewayError::NotFound { what: text("permission set `x`") }, Code::NotFound, "permission-set find TEXT");
    let ambiguous = GatewayError::Ambiguous { name: text("x"), choices: vec![text("a"), text("b")] };
    assert_eq!(check(ambiguous, Code::Usage, "id").details, ["a", "b"]);
    check(
        GatewayError::NoInstance { region: text("r"), sso_region: Some(text("eu-west-1")) },
        Code::Usage,
        "`--region eu-west-1`",
    );
    let choose = GatewayError::ChooseInstance { reason: text("two"), choices: vec![text("arn")] };
    assert_eq!(check(choose, Code::Usage, "aws.instance").details, ["arn"]);
    let throttled = |ms| GatewayError::Throttled { operation: text("o"), attempts: 3, retry_after_ms: ms };
    check(throttled(Some(90_000)), Code::Unavailable, "in 1m 30s");
    check(throttled(None), Code::Unavailable, "later");
    let unreachable = GatewayError::Unreachable { operation: text("o"), detail: text("dns"), sent: false };
    check(unreachable, Code::Unavailable, "--cache-only");
    check(GatewayError::NotCached { key: text("k") }, Code::CacheNeeded, "leave out `--cache-only`");
    check(GatewayError::Budget { budget: 5 }, Code::Partial, "--budget");
    check(GatewayError::Configuration { detail: text("d"), hint: text("do this") }, Code::Usage, "do this");
}

#[test]
fn a_partial_walk_names_each_target_that_failed() {
    let failures = vec![progress::TargetFailure {
        target: "assignments of account 1".into(),
        error: "AWS denied it".into(),
        hint: Some("awsideman doctor".into()),
        ..crate::progress::TargetFailure::default()
    }];
    let failure = check(GatewayError::Partial { total: 9, failures }, Code::Partial, "awsideman doctor");
    assert_eq!(failure.details, ["assignments of account 1: AWS denied it"]);
}

#[test]
fn a_cache_that_missed_a_change_is_integrity_with_the_command() {
    let error = CacheError::NotInvalidated(StoreError::BreakerOpen);
    let failure = check(error, Code::Integrity, "awsideman cache clear --all");
    assert!(failure.message.starts_with("AWS was changed; the cache does not know"));
}

#[test]
fn a_backend_error_keeps_its_word_and_the_remedy_of_its_cause() {
    let error = CacheError::Backend(StoreError::Private(PrivateError::WritableByOthers {
        path: "/var/cache/x".into(),
        mode: 0o777,
    }));
    let failure = check(error, Code::Failed, "chmod go-w /var/cache/x");
    assert!(failure.message.starts_with("CacheBackendError: "), "{failure:?}");
    let foreign = PrivateError::ForeignOwner { path: "/var/cache/x".into(), owner: 0, us: 7 };
    check(foreign, Code::Failed, "chown");
    let damaged = StoreError::Damaged { key: "k".into(), reason: "checksum" };
    check(damaged, Code::Integrity, "cache recover");
    let newer = SqliteError::Newer { path: "/s/state.db".into(), found: 9, known: 1 };
    check(newer, Code::Failed, "another directory than /s");
    let older = StoreError::Sqlite(SqliteError::Older { path: "/s/c.db".into(), found: 1, known: 2 });
    check(older, Code::Integrity, "cache recover");
}

#[test]
fn a_closed_pipe_is_quiet_from_every_room() {
    let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
    assert!(CliError::from(GatewayError::Output(closed())).is_quiet());
    assert!(CliError::from(CacheError::Backend(StoreError::Output(closed()))).is_quiet());
}

#[test]
fn a_miss_names_a_warm_only_where_one_stores_the_answer() {
    for (key, target) in [
        ("user:list:all", Some("users")),
        ("user:by_name:ada", Some("users")),
        ("group:describe:1", Some("groups")),
        ("group:members:1", Some("memberships")),
        ("permission_set:describe:ps-1", Some("permission-sets")),
        ("account:list:all", Some("accounts")),
        ("user:groups:1", None),
        ("permission_set:policies:ps-1", None),
        ("ou:list:all", None),
        ("account:permission_sets:1", None),
        ("assignment:by_principal:USER:1", None),
        ("which instance this profile belongs to", None),
    ] {
        let hint = CliError::from(GatewayError::NotCached { key: key.into() }).hint.unwrap();
        assert!(hint.starts_with("leave out `--cache-only`"), "{key}: {hint}");
        match target {
            Some(target) => assert!(hint.contains(&format!("`awsideman cache warm {target}`")), "{key}: {hint}"),
            None => assert!(!hint.contains("warm"), "{key}: {hint}"),
        }
    }
}

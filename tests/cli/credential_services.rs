//! Failures of the services that issue credentials: class, exit code, the service and host in the message, and how often
//! each is called.

use crate::home::Home;
use crate::world::Ran;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// `AWSIdentityStore.ListUsers`
    pub(crate) target: String,
    /// The region that it is signed for.
    pub(crate) region: String,
}

/// An HTTP server on loopback that counts its requests.
pub(crate) struct Server {
    pub(crate) host: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Gives the same answer to all requests.
    pub(crate) fn answering(status: u16, body: &'static str) -> Server {
        Server::by_request(move |_| (status, body.to_owned()))
    }

    pub(crate) fn by_request(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read(&stream) else { continue };
                counted.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answer(&request);
                let head =
                    format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                // The client may be gone.
                let _ = (&stream).write_all([head.as_bytes(), body.as_bytes()].concat().as_slice());
            }
        });
        Server { host, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads a request to its end.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (Request::default(), 0);
    for number in 0.. {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if number == 0 {
            line.split(' ').nth(1)?.clone_into(&mut request.path);
        } else if line.trim_end().is_empty() {
            break;
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "x-amz-target" => value.trim().clone_into(&mut request.target),
                "authorization" => value.split('/').nth(2).unwrap_or_default().clone_into(&mut request.region),
                _ => {}
            }
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(request)
}

/// A home whose profiles get their credentials in different ways.
fn home() -> Home {
    let home = Home::new();
    let aws = home.folder(".aws");
    let config = "[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n\
        [profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n\
        [profile portal]\nsso_session = valid\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile renewed]\nsso_session = expired\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile never]\nsso_session = never\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile ended]\nsso_session = ended\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile legacy]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        sso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile by-legacy]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = legacy\n\
        [profile utc]\nsso_session = utc\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [profile utc-ended]\nsso_session = utc-ended\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
        [sso-session utc]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [sso-session utc-ended]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [sso-session valid]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [sso-session expired]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [sso-session ended]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [sso-session never]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [profile tool]\ncredential_process = sh -c 'eval \"$TOOL\"'\n";
    std::fs::write(aws.join("config"), config).unwrap();
    let tokens = home.folder(".aws/sso/cache");
    let token = |name: &str, text: &str| {
        // The AWS CLI names the file by the SHA-1 of the session, or of the start URL.
        std::fs::write(tokens.join(format!("{name}.json")), text).unwrap();
    };
    token(
        &sha1("valid"),
        r#"{"startUrl": "https://corp.example.com/start", "region": "us-east-1", "accessToken": "t", "expiresAt": "2099-01-01T00:00:00Z"}"#,
    );
    token(
        &sha1("expired"),
        r#"{"startUrl": "https://corp.example.com/start", "region": "us-east-1", "accessToken": "t",
        "expiresAt": "2020-01-01T00:00:00Z", "clientId": "c", "clientSecret": "s", "refreshToken": "r",
        "registrationExpiresAt": "2099-01-01T00:00:00Z"}"#,
    );
    let ended =
        r#"{"startUrl": "https://corp.example.com/start", "accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z"}"#;
    for (name, end) in [("utc", "2099-01-01T00:00:00UTC"), ("utc-ended", "2020-01-01T00:00:00UTC")] {
        let text = format!(
            r#"{{"startUrl": "https://corp.example.com/start", "region": "us-east-1", "accessToken": "t", "expiresAt": "{end}"}}"#
        );
        token(&sha1(name), &text);
    }
    token(&sha1("ended"), ended);
    token(&sha1("https://corp.example.com/start"), ended);
    home
}

fn sha1(text: &str) -> String {
    use sha1::Digest;
    use std::fmt::Write as _;
    let digest = sha1::Sha1::digest(text.as_bytes());
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Lists users with `server` as every service that issues credentials.
fn ask(home: &Home, way: &str, server: &Server, more: &[(&str, &str)]) -> Ran {
    let url = format!("http://{}", server.host);
    let mut command = home.command("user list");
    command.env("AWS_REGION", "us-east-1");
    match way {
        "container" => _ = command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/v1/credentials")),
        "instance" => {
            _ = command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url).env_remove("AWS_EC2_METADATA_DISABLED");
        }
        profile => _ = command.args(["--profile", profile]),
    }
    for service in ["STS", "SSO", "SSO_OIDC", "SIGNIN"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), &url);
    }
    command.envs(more.iter().copied());
    Ran::of(format!("user list by {way}"), &command.output().unwrap())
}

const HTML: &str = "<html><body>Sign in to the guest network</body></html>";
const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User u is not \
    authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";
const FORBIDDEN: &str = r#"{"__type": "com.amazonaws.switchboard.portal#ForbiddenException", "message": "No access"}"#;
const UNAUTHORIZED: &str = r#"{"__type": "UnauthorizedException", "message": "Session token not found or invalid"}"#;
const INVALID_GRANT: &str = r#"{"error": "invalid_grant", "error_description": "Invalid refresh token provided"}"#;

#[test]
fn each_service_that_gives_credentials_fails_with_the_class_of_its_answer() {
    let home = &home();
    let rows: &[(&str, u16, &str, i32, &str)] = &[
        (
            "role",
            403,
            DENIED,
            4,
            "credentials refused by STS AssumeRole (HOST): AccessDenied: User u is not authorized",
        ),
        ("role", 500, "", 13, "for STS AssumeRole (HOST): HTTP 500 and no AWS error"),
        ("role", 503, HTML, 13, "for STS AssumeRole (HOST): HTTP 503"),
        ("role", 404, HTML, 13, "for STS AssumeRole (HOST): HTTP 404"),
        ("role", 200, HTML, 13, "for STS AssumeRole (HOST): the answer is not from an AWS service"),
        ("role", 429, "", 13, "AWS throttled STS AssumeRole (HOST) 2 times"),
        (
            "portal",
            403,
            FORBIDDEN,
            4,
            "refused by the SSO portal GetRoleCredentials (HOST): ForbiddenException: No access",
        ),
        ("portal", 401, UNAUTHORIZED, 4, "the AWS login of profile `portal` has expired"),
        ("portal", 500, "", 13, "for the SSO portal GetRoleCredentials (HOST): HTTP 500"),
        ("portal", 503, HTML, 13, "for the SSO portal GetRoleCredentials (HOST): HTTP 503"),
        ("portal", 200, HTML, 13, "for the SSO portal GetRoleCredentials (HOST)"),
        ("portal", 404, HTML, 13, "for the SSO portal GetRoleCredentials (HOST): HTTP 404"),
        ("container", 403, "", 4, "refused by the container credentials endpoint (HOST): HTTP 403"),
        ("container", 500, "", 13, "for the container credentials endpoint (HOST): HTTP 500"),
        ("container", 503, HTML, 13, "for the container credentials endpoint (HOST): HTTP 503"),
        ("container", 200, HTML, 13, "for the container credentials endpoint (HOST)"),
        ("container", 404, "", 4, "refused by the container credentials endpoint (HOST): HTTP 404"),
        ("role", 200, "<AssumeRoleResponse/>", 13, "for STS AssumeRole (HOST): the answer has no AccessKeyId"),
        ("role", 200, "", 13, "for STS AssumeRole (HOST)"),
        ("portal", 200, "", 13, "for the SSO portal GetRoleCredentials (HOST)"),
        ("portal", 200, "[]", 13, "for the SSO portal GetRoleCredentials (HOST)"),
        (
            "portal",
            200,
            r#"{"roleCredentials": {}}"#,
            13,
            "the SSO portal GetRoleCredentials (HOST): the answer has no roleCredentials.accessKeyId",
        ),
        ("container", 200, "", 13, "for the container credentials endpoint (HOST)"),
        ("container", 200, "{}", 13, "for the container credentials endpoint (HOST): the answer has no AccessKeyId"),
        (
            "container",
            200,
            r#"{"AccessKeyId": 1, "SecretAccessKey": null, "Token": "t", "Expiration": "never"}"#,
            13,
            "for the container credentials endpoint (HOST): the answer has no AccessKeyId",
        ),
        (
            "container",
            200,
            r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no trust"}"#,
            4,
            "refused by the container credentials endpoint (HOST): AssumeRoleUnauthorizedAccess: no trust",
        ),
        ("instance", 500, "", 13, "for the EC2 instance metadata service (HOST): HTTP 500"),
        ("instance", 404, "", 4, "refused by the EC2 instance metadata service (HOST): HTTP 404"),
    ];
    std::thread::scope(|scope| {
        for (way, status, body, exit, message) in rows {
            scope.spawn(move || {
                let server = Server::answering(*status, body);
                let ran = ask(home, way, &server, &[("AWSIDEMAN_AWS_MAX_ATTEMPTS", "2")]);
                let message = message.replace("HOST", &server.host);
                let ran = ran.code(*exit).stderr_has(&message);
                let most = if *exit == 13 { 2 } else { 1 };
                assert_eq!(server.requests(), most, "{way} {status}: requests\n{}", ran.stderr);
            });
        }
    });
}

#[test]
fn a_failed_renewal_of_the_sso_login_is_the_reported_reason() {
    let home = &home();
    let rows: &[(u16, &str, i32, &str, usize)] = &[
        (503, "", 13, "for SSO OIDC CreateToken (HOST): HTTP 503", 4),
        (200, HTML, 13, "for SSO OIDC CreateToken (HOST)", 4),
        (429, "", 13, "AWS throttled SSO OIDC CreateToken (HOST) 2 times", 4),
        (
            200,
            r#"{"accessToken": "a", "expiresIn": -1}"#,
            13,
            "CreateToken (HOST): the answer has no valid expiresIn",
            4,
        ),
        (
            200,
            r#"{"accessToken": "a", "expiresIn": "9"}"#,
            13,
            "CreateToken (HOST): the answer has no valid expiresIn",
            4,
        ),
        (200, r#"{"expiresIn": 60}"#, 13, "CreateToken (HOST): the answer has no accessToken", 4),
        (400, INVALID_GRANT, 4, "the AWS login of profile `renewed` has expired", 2),
    ];
    std::thread::scope(|scope| {
        for (status, body, exit, message, requests) in rows {
            scope.spawn(move || {
                let (status, body) = (*status, *body);
                // The portal refuses the old token after each renewal that failed.
                let server = Server::by_request(move |request| match request.path.as_str() {
                    "/token" => (status, body.to_owned()),
                    _ => (401, UNAUTHORIZED.to_owned()),
                });
                let ran = ask(home, "renewed", &server, &[("AWSIDEMAN_AWS_MAX_ATTEMPTS", "2")]);
                ran.code(*exit).stderr_has(&message.replace("HOST", &server.host));
                assert_eq!(server.requests(), *requests, "{status}: one renewal and one use of the token per attempt");
            });
        }
    });
}

#[test]
fn an_answer_of_a_credential_service_is_read_up_to_1_mib() {
    let home = &home();
    std::thread::scope(|scope| {
        for (way, service) in [
            ("role", "STS AssumeRole"),
            ("portal", "the SSO portal GetRoleCredentials"),
            ("container", "the container credentials endpoint"),
            ("instance", "the EC2 instance metadata service"),
        ] {
            scope.spawn(move || {
                let server = Server::by_request(|_| (200, "x".repeat(10 * 1024 * 1024)));
                let ran = ask(home, way, &server, &[("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1")]);
                ran.code(13).stderr_has(&format!(
                    "{service} ({}): the answer cannot be read: it is longer than 1 MiB",
                    server.host
                ));
            });
        }
    });
}

#[test]
fn an_sso_token_whose_times_end_in_utc_is_a_login() {
    let home = home();
    let server = Server::answering(403, FORBIDDEN);
    ask(&home, "utc", &server, &[]).code(4).stderr_has("refused by the SSO portal GetRoleCredentials");
    assert_eq!(server.requests(), 1, "the token was used");
    let ran = ask(&home, "utc-ended", &server, &[]).code(4);
    ran.stderr_has("the AWS login of profile `utc-ended` has expired").stderr_has("aws sso login --profile utc-ended");
    assert_eq!(server.requests(), 1);
}

#[test]
fn an_end_of_credentials_that_is_no_date_is_shown_as_none() {
    let home = home();
    let keys = format!(
        r#"{{"roleCredentials": {{"accessKeyId": "A", "secretAccessKey": "s", "sessionToken": "t", "expiration": {}}}}}"#,
        i64::MAX
    );
    let server = Server::by_request(move |request| match request.path.split('?').next() {
        Some("/federation/credentials") => (200, keys.clone()),
        _ => (403, "{}".into()),
    });
    let url = format!("http://{}", server.host);
    let variables =
        [("AWS_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", url.as_str()), ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1")];
    let ran = home.run_with("doctor --profile portal", &variables);
    assert!(ran.stdout.contains("no expiry") && !ran.stdout.contains("9223372036854775807"), "{ran:?}");
}

#[test]
fn a_service_that_is_down_is_asked_five_times_in_all() {
    let home = &home();
    std::thread::scope(|scope| {
        for way in ["role", "portal", "container"] {
            scope.spawn(move || {
                let server = Server::answering(503, "");
                ask(home, way, &server, &[]).code(13);
                assert_eq!(server.requests(), 5, "{way}");
            });
        }
    });
}

#[test]
fn no_login_and_expired_login_have_their_own_sentence_and_no_request() {
    let home = home();
    let server = Server::answering(500, "");
    for (profile, sentence, command) in [
        ("never", "no AWS login on this host for profile `never`", "hint: log in: `aws sso login --profile never`"),
        (
            "ended",
            "the AWS login of profile `ended` has expired",
            "hint: log in again: `aws sso login --profile ended`",
        ),
        (
            "legacy",
            "the AWS login of profile `legacy` has expired",
            "hint: log in again: `aws sso login --profile legacy`",
        ),
        (
            "by-legacy",
            "has expired: the login at https://corp.example.com/start ended at 2020-01-01",
            "--profile legacy`",
        ),
    ] {
        ask(&home, profile, &server, &[]).code(4).stderr_has(sentence).stderr_has(command);
    }
    assert_eq!(server.requests(), 0, "what a file says is not asked");
}

#[test]
fn a_credential_process_fails_with_the_class_of_what_it_prints() {
    let home = home();
    let server = Server::answering(500, "");
    for (tool, exit, message) in [
        (
            "echo 'not in the group ops' >&2; exit 1",
            4,
            "credential_process of profile `tool`: exit status 1: not in the group ops",
        ),
        (
            "echo 'Token has expired and refresh failed' >&2; exit 255",
            4,
            "has expired: exit status 255: Token has expired",
        ),
        ("echo 'Could not connect to the endpoint URL' >&2; exit 1", 13, "for credential_process of profile `tool`"),
        ("no-such-helper", 2, "credential_process of profile `tool` did not find a program: exit status 127"),
        ("echo '{}'", 2, "credential_process of profile `tool`: its output cannot be used"),
    ] {
        let ran = ask(&home, "tool", &server, &[("TOOL", tool), ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1")]);
        ran.code(exit).stderr_has(message);
    }
}

#[test]
fn a_job_retries_if_the_service_is_down_but_not_if_refused() {
    let home = home();
    let jobs = home.folder(".config/awsideman/jobs");
    let job = "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\nprofiles = [\"role\"]\n\
               retry = { attempts = 2, delay = \"1s\" }\n[warm]\nresources = [\"users\"]\n";
    std::fs::write(jobs.join("10-warm.toml"), job).unwrap();
    for (status, body, exit, requests) in [(503, "", 13, 2), (403, DENIED, 4, 1)] {
        let server = Server::answering(status, body);
        let url = format!("http://{}", server.host);
        let variables = [
            ("AWSIDEMAN_JOBS_DIR", jobs.to_str().unwrap()),
            ("AWS_REGION", "us-east-1"),
            ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1"),
            ("AWS_ENDPOINT_URL_STS", &url),
        ];
        home.run_with("jobs run warm", &variables).code(exit).says("STS AssumeRole");
        assert_eq!(server.requests(), requests, "HTTP {status}");
    }
}

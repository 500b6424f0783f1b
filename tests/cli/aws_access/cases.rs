//! The cases: files, variables and a profile, and the expected call with its key.

mod route;

/// How the profile is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Nothing,
    /// `--profile`
    Flag(&'static str),
    /// `AWSIDEMAN_PROFILE`
    Variable(&'static str),
    /// `profile` in the user's configuration file.
    UserFile(&'static str),
    /// `profile` in the file that `--config` names.
    NamedFile(&'static str),
    /// `profiles` of a job.
    Job(&'static str),
}

impl How {
    pub(crate) fn profile(self) -> Option<&'static str> {
        match self {
            How::Nothing => None,
            How::Flag(profile)
            | How::Variable(profile)
            | How::UserFile(profile)
            | How::NamedFile(profile)
            | How::Job(profile) => Some(profile),
        }
    }
}

type Pairs = &'static [(&'static str, &'static str)];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// The row of docs/aws-access.md.
    pub(crate) row: u32,
    pub(crate) name: &'static str,
    pub(crate) files: Pairs,
    pub(crate) base: Pairs,
    pub(crate) variables: Pairs,
    pub(crate) how: How,
    /// `KEY REGION WHERE`, the host of a proxy request, or `error`.
    pub(crate) right: &'static str,
    /// The result of the reference if it differs; `none` if it cannot be tried.
    pub(crate) reference: Option<&'static str>,
    /// Whether the AWS CLI itself runs, and not only botocore.
    pub(crate) cli: bool,
    /// Texts of our messages.
    pub(crate) says: &'static [&'static str],
    /// Our exit code, where it is an error.
    pub(crate) exit: Option<i32>,
}

/// Every service is at the stub.
const STUB: Pairs = &[("AWS_ENDPOINT_URL", "{stub}"), ("AWS_DEFAULT_REGION", "eu-west-1")];
/// The same, and the region is not chosen yet.
const NO_REGION: Pairs = &[("AWS_ENDPOINT_URL", "{stub}")];
/// No endpoint is set: a proxy sees where AWS is.
const PROXY: Pairs = &[("HTTPS_PROXY", "{stub}"), ("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
const REGION: Pairs =
    &[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_DEFAULT_REGION", "eu-west-1")];
const KEYS: Pairs = &[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];

const CONFIG: &str = ".aws/config";
const CREDENTIALS: &str = ".aws/credentials";

const FILES: Pairs = &[
    (
        CREDENTIALS,
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n\
        [prod]\naws_access_key_id = PROD\naws_secret_access_key = s\naws_session_token = t\n",
    ),
    (
        CONFIG,
        "[default]\nregion = eu-west-1\n[profile dev]\naws_access_key_id = DEV\naws_secret_access_key = s\n\
        [profile empty]\nregion = eu-west-1\n",
    ),
];

fn case(row: u32, name: &'static str, right: &'static str) -> Case {
    Case {
        row,
        name,
        files: FILES,
        base: STUB,
        variables: &[],
        how: How::Nothing,
        right,
        reference: None,
        cli: false,
        says: &[],
        exit: None,
    }
}

impl Case {
    fn with(self, variables: Pairs) -> Case {
        Case { variables, ..self }
    }
    fn files(self, files: Pairs) -> Case {
        Case { files, ..self }
    }
    fn base(self, base: Pairs) -> Case {
        Case { base, ..self }
    }
    fn how(self, how: How) -> Case {
        Case { how, ..self }
    }
    fn flag(self, profile: &'static str) -> Case {
        self.how(How::Flag(profile))
    }
    /// The reference does something else.
    fn but(self, reference: &'static str) -> Case {
        Case { reference: Some(reference), ..self }
    }
    fn cli(self) -> Case {
        Case { cli: true, ..self }
    }
    fn says(self, says: &'static [&'static str]) -> Case {
        Case { says, ..self }
    }
    fn exits(self, exit: i32) -> Case {
        Case { exit: Some(exit), ..self }
    }
}

pub(crate) fn all() -> Vec<Case> {
    [
        profiles(),
        sources(),
        route::regions(),
        route::endpoints(),
        route::hosts(),
        route::proxies(),
        route::certificates(),
    ]
    .concat()
}

/// Which profile, and whether it takes precedence over the keys of the environment.
fn profiles() -> Vec<Case> {
    const WHEN_BOTH: Pairs = &[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "prod")];
    vec![
        case(1, "keys of the environment", "ENV eu-west-1 stub").with(KEYS).cli(),
        case(1, "a flag wins over keys", "PROD eu-west-1 stub").with(KEYS).flag("prod").cli(),
        case(1, "our own variable does", "PROD eu-west-1 stub").with(KEYS).how(How::Variable("prod")),
        case(1, "the user's file does", "PROD eu-west-1 stub").with(KEYS).how(How::UserFile("prod")),
        case(1, "a named file does", "PROD eu-west-1 stub").with(KEYS).how(How::NamedFile("prod")),
        case(1, "a job does", "PROD eu-west-1 stub").with(KEYS).how(How::Job("prod")),
        case(2, "a profile without credentials drops the keys too", "error").with(KEYS).flag("empty").cli(),
        case(2, "the next source is asked", "CONTAINER eu-west-1 stub").flag("empty").with(&[
            ("AWS_ACCESS_KEY_ID", "ENV"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "{stub}/creds"),
        ]),
        case(2, "a profile drops the web identity of the environment", "PROD eu-west-1 stub").flag("prod").with(&[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "{home}/token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::012345678901:role/W"),
        ]),
        case(3, "AWS_PROFILE with keys", "ENV eu-west-1 stub").with(WHEN_BOTH).cli(),
        case(3, "AWS_PROFILE alone", "PROD eu-west-1 stub").with(&[("AWS_PROFILE", "prod")]),
        case(4, "AWS_DEFAULT_PROFILE", "PROD eu-west-1 stub").with(&[("AWS_DEFAULT_PROFILE", "prod")]).cli(),
        case(4, "both variables", "DEV eu-west-1 stub")
            .with(&[("AWS_DEFAULT_PROFILE", "dev"), ("AWS_PROFILE", "prod")])
            .cli(),
        case(4, "a flag before both", "PROD eu-west-1 stub").with(&[("AWS_DEFAULT_PROFILE", "dev")]).flag("prod"),
        case(5, "no profile", "DEFAULT eu-west-1 stub"),
        case(5, "an empty variable is none", "DEFAULT eu-west-1 stub").with(&[("AWS_PROFILE", "")]).but("error"),
        case(6, "an unknown profile", "error")
            .flag("prdo")
            .says(&["profile `prdo` is in neither", "did you mean `prod`"])
            .exits(2),
        case(6, "an unknown profile in a variable, with keys", "error")
            .with(&[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "nosuch")])
            .says(&["profile `nosuch` is in neither"])
            .exits(2),
        case(7, "a name of other letters", "U eu-west-1 stub").flag("ünï").files(NAMES).cli(),
        case(7, "a name with a blank", "Q eu-west-1 stub").flag("q u").files(NAMES).cli(),
        case(7, "quotes in the credentials file are part of the name", "error").flag("c u").files(NAMES),
        case(7, "a name with a blank in the credentials file", "C eu-west-1 stub").flag("d u").files(NAMES),
        case(7, "a section of the config file without `profile`", "error").flag("bare").files(NAMES),
        case(8, "keys without their secret", "error")
            .with(&[("AWS_ACCESS_KEY_ID", "ENV")])
            .says(&["AWS_SECRET_ACCESS_KEY is not"])
            .exits(2),
        case(8, "empty keys are none", "DEFAULT eu-west-1 stub").with(&[("AWS_ACCESS_KEY_ID", "")]),
        case(9, "an unreadable file", "error")
            .files(&[(CONFIG, "[default]\nregion\n")])
            .says(&["config line 2 is neither"])
            .exits(2),
    ]
}

const NAMES: Pairs = &[
    (
        CONFIG,
        "[profile ünï]\naws_access_key_id = U\naws_secret_access_key = s\n[profile \"q u\"]\n\
        aws_access_key_id = Q\naws_secret_access_key = s\n[bare]\naws_access_key_id = B\naws_secret_access_key = s\n",
    ),
    (
        CREDENTIALS,
        "[\"c u\"]\naws_access_key_id = C\naws_secret_access_key = s\n[d u]\naws_access_key_id = C\n\
        aws_secret_access_key = s\n",
    ),
];

/// Which source of a profile.
fn sources() -> Vec<Case> {
    let sources = |row, name, right| case(row, name, right).files(SOURCES);
    vec![
        sources(10, "a role before keys", "BASE>role/R eu-west-1 stub").flag("role").cli(),
        sources(10, "a role of a role", "BASE>role/R>role/S eu-west-1 stub").flag("chain"),
        sources(10, "external id and duration", "BASE>role/Txx900 eu-west-1 stub").flag("extra"),
        sources(10, "a role with its own keys", "SELF>role/R eu-west-1 stub").flag("self"),
        sources(10, "the keys of a source win over its role", "MID>role/R eu-west-1 stub").flag("short"),
        sources(10, "a role with the keys of the environment", "ENV>role/R eu-west-1 stub").with(KEYS).flag("named"),
        sources(10, "a role with the container", "CONTAINER>role/R eu-west-1 stub")
            .flag("contained")
            .with(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "{stub}/creds")]),
        sources(10, "a role without a source", "error").flag("lost").says(&["without source_profile"]).exits(2),
        sources(10, "a role in a circle", "error").flag("round").says(&["leads back"]).exits(2),
        sources(10, "an unknown source", "error").flag("gone").says(&["source_profile `nosuch`"]).exits(2),
        sources(11, "a device for codes", "error")
            .flag("mfa")
            .says(&[
                "profile `mfa` assumes a role with the MFA device `arn:aws:iam::012345678901:mfa/ada` (mfa_serial)",
                "credential_process = aws configure export-credentials --profile mfa --format process",
            ])
            .exits(4),
        sources(12, "web identity before the login", "TOKEN>role/W eu-west-1 stub").flag("web"),
        sources(12, "web identity of the environment", "TOKEN>role/E eu-west-1 stub")
            .with(&[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "{home}/token"),
                ("AWS_ROLE_ARN", "arn:aws:iam::012345678901:role/E"),
            ])
            .cli(),
        sources(13, "an SSO session before keys", "SSO.111111111111.Ops eu-west-1 stub").flag("sso").cli(),
        sources(13, "an SSO login without a session", "SSO.111111111111.Ops eu-west-1 stub").flag("legacy"),
        sources(13, "a role with an SSO login", "SSO.111111111111.Ops>role/R eu-west-1 stub").flag("ssorole"),
        sources(13, "a session without a role", "error").flag("bare"),
        sources(14, "keys of the credentials file before a program", "KEPT eu-west-1 stub").flag("both"),
        sources(14, "a program before keys of the config file", "PROGRAM eu-west-1 stub").flag("program").cli(),
        sources(14, "keys of both files", "IN.CREDENTIALS eu-west-1 stub").flag("twice"),
        // botocore needs a library in C for this.
        sources(15, "an `aws login` that holds", "LOGIN eu-west-1 stub").flag("login").but("none"),
        sources(15, "an `aws login` that is renewed", "LOGIN.RENEWED eu-west-1 stub").flag("renew").but("none"),
        sources(15, "an `aws login` that has ended", "error")
            .flag("ended")
            .but("none")
            .says(&["aws login --profile ended"])
            .exits(4),
        sources(15, "an `aws login` that was never made", "error")
            .flag("never")
            .but("none")
            .says(&["aws login --profile never"])
            .exits(4),
        sources(16, "the container", "CONTAINER eu-west-1 stub").with(&[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "{stub}/creds"),
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "{stub}"),
        ]),
        sources(16, "EC2 at last", "EC2 eu-west-1 stub")
            .with(&[("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "{stub}")]),
        sources(16, "nothing at all", "error"),
    ]
}

/// The session `corp` and the start URL, as their SHA-1; the logins as their SHA-256.
const SOURCES: Pairs = &[
    (".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json", TOKEN),
    (".aws/sso/cache/320c065519a2fc37b0f28a1bd477dc924a630080.json", TOKEN),
    (".aws/login/cache/20582debcf65f389b6ec1d9549d7b8909a176cf434f83d431118e4e58edf28e4.json", LOGIN_HOLDS),
    (".aws/login/cache/43e3306111dee687377c56f40e7639c76999b07efa83d44849707e5573c60c20.json", LOGIN_RENEW),
    (".aws/login/cache/f00f9be2fd07c1d8d10785e5ac11c7df83ecbf1d5ea51f3844f7c31bd87bb09b.json", LOGIN_ENDED),
    ("token", "a-token"),
    ("program", "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"PROGRAM\", \"SecretAccessKey\": \"s\"}'\n"),
    (
        CREDENTIALS,
        "[both]\naws_access_key_id = KEPT\naws_secret_access_key = s\n\
        [twice]\naws_access_key_id = IN.CREDENTIALS\naws_secret_access_key = s\n",
    ),
    (
        CONFIG,
        "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n\
        [profile role]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = base\n\
        aws_access_key_id = OWN\naws_secret_access_key = s\n\
        [profile plain]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = base\n\
        [profile chain]\nrole_arn = arn:aws:iam::012345678901:role/S\nsource_profile = plain\n\
        [profile extra]\nrole_arn = arn:aws:iam::012345678901:role/T\nsource_profile = base\nexternal_id = xx\n\
        duration_seconds = 900\n\
        [profile self]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = self\n\
        aws_access_key_id = SELF\naws_secret_access_key = s\n\
        [profile mid]\nrole_arn = arn:aws:iam::012345678901:role/M\nsource_profile = base\n\
        aws_access_key_id = MID\naws_secret_access_key = s\n\
        [profile short]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = mid\n\
        [profile named]\nrole_arn = arn:aws:iam::012345678901:role/R\ncredential_source = Environment\n\
        [profile contained]\nrole_arn = arn:aws:iam::012345678901:role/R\ncredential_source = EcsContainer\n\
        [profile lost]\nrole_arn = arn:aws:iam::012345678901:role/R\n\
        [profile round]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = round\n\
        [profile gone]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = nosuch\n\
        [profile mfa]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = base\n\
        mfa_serial = arn:aws:iam::012345678901:mfa/ada\n\
        [profile web]\nrole_arn = arn:aws:iam::012345678901:role/W\nweb_identity_token_file = {home}/token\n\
        sso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Ops\n\
        [profile sso]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Ops\n\
        aws_access_key_id = OWN\naws_secret_access_key = s\n\
        [profile legacy]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        sso_account_id = 111111111111\nsso_role_name = Ops\n\
        [profile ssorole]\nrole_arn = arn:aws:iam::012345678901:role/R\nsource_profile = sso2\n\
        [profile sso2]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Ops\n\
        [profile bare]\nsso_session = corp\n\
        [sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
        [profile both]\ncredential_process = sh {home}/program\n\
        [profile program]\ncredential_process = sh {home}/program\n\
        aws_access_key_id = OWN\naws_secret_access_key = s\n\
        [profile twice]\naws_access_key_id = IN.CONFIG\naws_secret_access_key = s\n\
        [profile login]\nlogin_session = arn:aws:iam::012345678901:user/holds\n\
        [profile renew]\nlogin_session = arn:aws:iam::012345678901:user/renew\n\
        [profile ended]\nlogin_session = arn:aws:iam::012345678901:user/ended\n\
        [profile never]\nlogin_session = arn:aws:iam::012345678901:user/never\n",
    ),
];

const TOKEN: &str = r#"{"startUrl": "https://corp.example.com/start", "region": "us-east-1", "accessToken": "t",
    "expiresAt": "2099-01-01T00:00:00Z"}"#;
// The key is the example of the AWS documentation.
const LOGIN_HOLDS: &str = r#"{"accessToken": {"accessKeyId": "LOGIN", "secretAccessKey": "s", "sessionToken": "t",
    "accountId": "012345678901", "expiresAt": "2099-01-01T00:00:00Z"}, "tokenType": "aws_sigv4", "refreshToken": "r",
    "clientId": "arn:aws:signin:::devtools/same-device",
    "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\nAwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\ndjiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n"}"#;
const LOGIN_RENEW: &str = r#"{"accessToken": {"accessKeyId": "LOGIN", "secretAccessKey": "s", "sessionToken": "t",
    "accountId": "012345678901", "expiresAt": "2020-01-01T00:00:00Z"}, "tokenType": "aws_sigv4", "refreshToken": "r",
    "clientId": "arn:aws:signin:::devtools/same-device",
    "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\nAwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\ndjiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n"}"#;
const LOGIN_ENDED: &str = r#"{"accessToken": {"accessKeyId": "LOGIN", "secretAccessKey": "s", "sessionToken": "t",
    "accountId": "012345678901", "expiresAt": "2020-01-01T00:00:00Z"}, "tokenType": "aws_sigv4", "refreshToken": "ended",
    "clientId": "arn:aws:signin:::devtools/same-device",
    "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\nAwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\ndjiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n-----END EC PRIVATE KEY-----\n"}"#;

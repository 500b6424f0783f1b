//! The cases: files, variables and a profile, and the expected call with its key.

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
    [profiles(), sources(), regions(), endpoints(), hosts(), proxies(), certificates()].concat()
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

/// Which region.
fn regions() -> Vec<Case> {
    const FILES: Pairs = &[
        (
            CONFIG,
            "[default]\nregion = us-east-2 # Ohio\n[profile b]\nregion = us-west-1\naws_access_key_id = B\n\
            aws_secret_access_key = s\n",
        ),
        (CREDENTIALS, "[default]\naws_access_key_id = D\naws_secret_access_key = s\n[b]\nregion = us-west-2\n"),
    ];
    const PLAIN: Pairs = &[
        (CONFIG, "[default]\nregion = us-east-2\n"),
        (CREDENTIALS, "[default]\naws_access_key_id = D\naws_secret_access_key = s\n"),
    ];
    let region = |row, name, right| case(row, name, right).files(FILES).base(NO_REGION);
    vec![
        region(17, "AWS_DEFAULT_REGION before the profile", "D ap-south-1 stub")
            .with(&[("AWS_DEFAULT_REGION", "ap-south-1")]),
        // The AWS CLI v1 does not know AWS_REGION; the AWS CLI v2 and the SDKs do.
        region(17, "AWS_REGION", "D ap-south-1 stub")
            .with(&[("AWS_REGION", "ap-south-1")])
            .files(PLAIN)
            .but("D us-east-2 stub"),
        region(17, "both variables", "D ap-south-1 stub")
            .with(&[("AWS_REGION", "ap-south-1"), ("AWS_DEFAULT_REGION", "sa-east-1")])
            .but("D sa-east-1 stub"),
        region(18, "the profile's", "D us-east-2 stub").files(PLAIN).cli(),
        region(18, "the credentials file wins", "B us-west-2 stub").flag("b").cli(),
        region(18, "with keys of the environment", "ENV us-east-2 stub").files(PLAIN).with(KEYS),
        region(19, "a comment behind a value", "D us-east-2 stub").but("error"),
        region(20, "another config file", "ENV eu-south-1 stub")
            .files(&[("elsewhere", "[default]\nregion = eu-south-1\n")])
            .with(&[("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_CONFIG_FILE", "~/elsewhere")]),
        region(20, "another credentials file", "E us-east-2 stub")
            .files(&[("keys", "[default]\naws_access_key_id = E\naws_secret_access_key = s\nregion = us-east-2\n")])
            .with(&[("AWS_SHARED_CREDENTIALS_FILE", "$HOME/keys")]),
    ]
}

/// Which endpoint.
fn endpoints() -> Vec<Case> {
    const LAB: Pairs = &[(
        CONFIG,
        "[default]\nservices = lab\nendpoint_url = {other}\n[services lab]\nsso_admin =\n  endpoint_url = {stub}\n\
            [profile one]\nendpoint_url = {other}\n[profile gone]\nservices = nosuch\n\
            [profile hyphen]\nservices = wrong\nendpoint_url = {other}\n[services wrong]\nsso-admin =\n  endpoint_url = {stub}\n\
            [profile ignore]\nendpoint_url = {other}\nignore_configured_endpoint_urls = true\n",
    )];
    let endpoint = |row, name, right| case(row, name, right).files(LAB).base(REGION);
    vec![
        endpoint(21, "a variable for the service", "ENV eu-west-1 stub")
            .with(&[("AWS_ENDPOINT_URL_SSO_ADMIN", "{stub}"), ("AWS_ENDPOINT_URL", "{other}")])
            .cli(),
        endpoint(21, "a variable for all before the files", "ENV eu-west-1 other").with(&[("AWS_ENDPOINT_URL", "{other}")]),
        endpoint(22, "a services section", "ENV eu-west-1 stub").cli(),
        endpoint(22, "a services section that is not there", "error").with(&[("AWS_PROFILE", "gone")])
            .says(&["services `nosuch`"]).exits(2),
        endpoint(22, "a name that AWS does not document", "ENV eu-west-1 other").with(&[("AWS_PROFILE", "hyphen")]),
        endpoint(23, "endpoint_url of the profile", "ENV eu-west-1 other").with(&[("AWS_PROFILE", "one")]).cli(),
        endpoint(24, "configured endpoints are ignored", "sso.eu-west-1.amazonaws.com")
            .with(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_ENDPOINT_URL", "{other}"), ("HTTPS_PROXY", "{stub}")]),
        endpoint(24, "the profile ignores them", "sso.eu-west-1.amazonaws.com")
            .with(&[("AWS_PROFILE", "ignore"), ("HTTPS_PROXY", "{stub}")]),
        endpoint(25, "STS at another place than Identity Center", "BASE>role/R eu-west-1 stub")
            .flag("role")
            .files(SOURCES)
            .with(&[("AWS_ENDPOINT_URL_STS", "{other}"), ("AWS_ENDPOINT_URL_SSO_ADMIN", "{stub}")]),
        endpoint(25, "the SSO portal of a services section", "SSO.111111111111.Ops eu-west-1 stub").flag("lab").files(&[
            (".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json", TOKEN),
            (CONFIG, "[profile lab]\nservices = lab\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Ops\n\
                [sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
                [services lab]\nsso =\n  endpoint_url = {other}\nsso_admin =\n  endpoint_url = {stub}\n"),
        ]),
    ]
}

/// The host, as a proxy sees it.
fn hosts() -> Vec<Case> {
    const FILES: Pairs = &[(
        CONFIG,
        "[default]\nregion = us-east-1\n[profile fips]\nregion = us-east-1\n\
        use_fips_endpoint = true\n[profile dual]\nregion = us-east-1\nuse_dualstack_endpoint = true\n",
    )];
    let host = |row, name, right| case(row, name, right).files(FILES).base(PROXY);
    vec![
        host(26, "AWS itself", "sso.us-east-1.amazonaws.com").cli(),
        host(26, "another partition", "sso.cn-north-1.amazonaws.com.cn").with(&[("AWS_DEFAULT_REGION", "cn-north-1")]),
        host(26, "FIPS by a variable", "sso-fips.us-east-1.amazonaws.com").with(&[("AWS_USE_FIPS_ENDPOINT", "true")]),
        host(26, "FIPS by the profile", "sso-fips.us-east-1.amazonaws.com").with(&[("AWS_PROFILE", "fips")]).cli(),
        host(26, "a variable wins over the profile", "sso.us-east-1.amazonaws.com")
            .with(&[("AWS_PROFILE", "fips"), ("AWS_USE_FIPS_ENDPOINT", "false")]),
        host(27, "dual-stack by a variable", "sso.us-east-1.api.aws").with(&[("AWS_USE_DUALSTACK_ENDPOINT", "TRUE")]),
        host(27, "dual-stack by the profile", "sso.us-east-1.api.aws").with(&[("AWS_PROFILE", "dual")]),
        host(27, "both", "sso-fips.us-east-1.api.aws")
            .with(&[("AWS_PROFILE", "dual"), ("AWS_USE_FIPS_ENDPOINT", "true")]),
    ]
}

/// Which route: the stub is called over TLS, which it does not speak, so that only a proxy sees the call.
fn proxies() -> Vec<Case> {
    const TLS: Pairs = &[
        ("AWS_ENDPOINT_URL", "{stub_tls}"),
        ("AWS_ACCESS_KEY_ID", "ENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let way = |row, name, right| case(row, name, right).files(&[]).base(TLS);
    vec![
        way(28, "no proxy", "error"),
        way(28, "large letters", "stub by other").with(&[("HTTPS_PROXY", "{other}")]).cli(),
        way(28, "small letters", "stub by other").with(&[("https_proxy", "{other}"), ("HTTPS_PROXY", "{stub}")]),
        way(28, "an empty variable in small letters", "error").with(&[("https_proxy", ""), ("HTTPS_PROXY", "{other}")]),
        way(28, "a proxy without a scheme", "stub by other").with(&[("HTTPS_PROXY", "{other_bare}")]),
        way(28, "a proxy for everything is not known", "error").with(&[("ALL_PROXY", "{other}")]),
        way(28, "plain http goes direct", "ENV eu-west-1 stub")
            .with(&[("AWS_ENDPOINT_URL", "{stub}"), ("http_proxy", "{other}"), ("HTTP_PROXY", "{other}")])
            .but("ENV eu-west-1 other"),
        way(29, "an address", "error").with(&[("HTTPS_PROXY", "{other}"), ("NO_PROXY", "10.0.0.1, 127.0.0.1")]),
        way(29, "another name", "stub by other")
            .with(&[("HTTPS_PROXY", "{other}"), ("NO_PROXY", "example.com,27.0.0.1")]),
        way(29, "small letters", "error").with(&[
            ("HTTPS_PROXY", "{other}"),
            ("no_proxy", "*"),
            ("NO_PROXY", "example.com"),
        ]),
        way(29, "a network", "error")
            .with(&[("HTTPS_PROXY", "{other}"), ("NO_PROXY", "127.0.0.0/8")])
            .but("stub by other"),
        way(30, "no URL", "error")
            .with(&[("HTTPS_PROXY", "not a url")])
            .says(&["HTTPS_PROXY does not name a proxy: `not a url`"])
            .exits(2),
        way(30, "another protocol", "error")
            .with(&[("https_proxy", "socks5://127.0.0.1:1")])
            .but("none")
            .says(&["https_proxy does not name a proxy"])
            .exits(2),
        case(30, "a proxy that refuses is named", "sso.eu-west-1.amazonaws.com")
            .files(&[])
            .base(REGION)
            .with(&[("HTTPS_PROXY", "{stub}")])
            .says(&["sso.eu-west-1.amazonaws.com through the proxy 127.0.0.1:", "(HTTPS_PROXY)"]),
        way(30, "a host that does not answer in TLS is named", "error").says(&["127.0.0.1:"]),
    ]
}

/// A file of certificates that cannot be used.
fn certificates() -> Vec<Case> {
    const FILES: Pairs = &[
        ("empty.pem", ""),
        ("none/readme", "no certificate"),
        (
            CONFIG,
            "[profile ca]\nca_bundle = {home}/gone.pem\n\
        aws_access_key_id = CA\naws_secret_access_key = s\n",
        ),
    ];
    const TLS: Pairs = &[
        ("AWS_ENDPOINT_URL", "{stub_tls}"),
        ("AWS_ACCESS_KEY_ID", "ENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let broken = |name, says| case(32, name, "error").files(FILES).base(TLS).says(says).exits(2);
    vec![
        broken("a bundle that is missing", &["AWS_CA_BUNDLE names ", "/gone.pem, which cannot be read"])
            .with(&[("AWS_CA_BUNDLE", "{home}/gone.pem")])
            .cli(),
        broken("a bundle that is empty", &["AWS_CA_BUNDLE names ", "no PEM certificate"])
            .with(&[("AWS_CA_BUNDLE", "{home}/empty.pem")]),
        broken("ca_bundle of the profile", &["profile `ca` in ", "/gone.pem, which cannot be read"]).flag("ca"),
        broken("SSL_CERT_FILE", &["SSL_CERT_FILE names ", "/gone.pem"]).with(&[("SSL_CERT_FILE", "{home}/gone.pem")]),
        broken("SSL_CERT_DIR", &["SSL_CERT_DIR names ", "/none"]).with(&[("SSL_CERT_DIR", "{home}/none")]),
    ]
}

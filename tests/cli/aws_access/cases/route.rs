//! The cases of regions, endpoints, proxies and certificates.

use super::{CONFIG, CREDENTIALS, Case, KEYS, NO_REGION, PROXY, Pairs, REGION, SOURCES, TOKEN, case};

/// Which region.
pub(super) fn regions() -> Vec<Case> {
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
pub(super) fn endpoints() -> Vec<Case> {
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
pub(super) fn hosts() -> Vec<Case> {
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
pub(super) fn proxies() -> Vec<Case> {
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
pub(super) fn certificates() -> Vec<Case> {
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

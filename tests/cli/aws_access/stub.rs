//! A stub server for every AWS service, for the metadata services and for a proxy.
//!
//! Guarantee: the last call that was signed, or the last host of a proxy request, is recorded. The access key that
//! it issues names its source: `A>role/B` is the role B, assumed with the key A.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a stub saw last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The access key of ListInstances.
    pub(crate) key: Option<String>,
    /// The region that it was signed for.
    pub(crate) region: Option<String>,
    /// The host of the proxy request.
    pub(crate) host: Option<String>,
}

pub(crate) struct Stub {
    pub(crate) address: String,
    seen: Arc<Mutex<Seen>>,
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The access key and the region that the request is signed with.
    fn signed(&self) -> Option<(String, String)> {
        let (_, rest) = self.header("authorization").split_once("Credential=")?;
        // KEY/DATE/REGION/SERVICE/aws4_request, and our key may have a slash.
        let mut parts = rest.split(',').next()?.rsplitn(5, '/');
        let region = parts.nth(2)?.to_owned();
        Some((parts.nth(1)?.to_owned(), region))
    }

    fn form(&self, name: &str) -> String {
        let field = self.body.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        field.map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/")).unwrap_or_default()
    }

    fn query(&self, name: &str) -> String {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let field = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        field.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

impl Stub {
    pub(crate) fn start() -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(&stream, &log));
            }
        });
        Stub { address, seen }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: String::new() };
    let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

fn serve(mut stream: &TcpStream, log: &Mutex<Seen>) {
    let Some(request) = read(stream) else { return };
    let (status, body) = answer(&request, log);
    // A client may have closed the connection.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Status\r\nx-aws-ec2-metadata-token-ttl-seconds: 300\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
}

fn answer(request: &Request, log: &Mutex<Seen>) -> (u16, String) {
    let path = request.path.split('?').next().unwrap_or_default();
    let keys = |key: &str| {
        format!(
            r#"{{"AccessKeyId": "{key}", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z",
            "Code": "Success"}}"#
        )
    };
    match (request.method.as_str(), path) {
        ("CONNECT", host) => {
            log.lock().unwrap().host = Some(host.trim_end_matches(":443").to_owned());
            (502, String::new())
        }
        (_, "/creds") => (200, keys("CONTAINER")),
        ("PUT", "/latest/api/token") => (200, "token".into()),
        (_, "/latest/meta-data/iam/security-credentials/") => (200, "role".into()),
        (_, "/latest/meta-data/iam/security-credentials/role") => (200, keys("EC2")),
        (_, "/federation/credentials") => {
            let key = format!("SSO.{}.{}", request.query("account_id"), request.query("role_name"));
            let body = format!(
                r#"{{"roleCredentials": {{"accessKeyId": "{key}", "secretAccessKey": "s", "sessionToken": "t",
                "expiration": 4070908800000}}}}"#
            );
            (200, body)
        }
        (_, "/v1/token") if request.header("dpop").is_empty() => (400, "{}".into()),
        (_, "/v1/token") if request.body.contains("ended") => {
            (401, r#"{"__type": "AccessDeniedException", "error": "TOKEN_EXPIRED", "message": "ended"}"#.into())
        }
        (_, "/v1/token") => {
            let body = r#"{"accessToken": {"accessKeyId": "LOGIN.RENEWED", "secretAccessKey": "s",
                "sessionToken": "t"}, "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "r2"}"#;
            (200, body.into())
        }
        _ if request.body.contains("Action=AssumeRole") => assume(request),
        _ if request.header("x-amz-target").ends_with("ListInstances") => {
            let (key, region) = request.signed().unzip();
            *log.lock().unwrap() = Seen { key, region, host: None };
            let body = r#"{"Instances": [{"InstanceArn": "arn:aws:sso:::instance/ssoins-1",
                "IdentityStoreId": "d-1234567890"}]}"#;
            (200, body.into())
        }
        _ => (404, "{}".into()),
    }
}

fn assume(request: &Request) -> (u16, String) {
    let role = request.form("RoleArn");
    let role = role.rsplit_once(':').map_or("", |(_, name)| name);
    let action = request.form("Action");
    let by = request.signed().map_or_else(|| "TOKEN".to_owned(), |(key, _)| key);
    let extra = ["ExternalId", "DurationSeconds"].map(|name| request.form(name)).concat();
    let key = format!("{by}&gt;{role}{extra}");
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>i</AssumedRoleId>\
         <Arn>arn:aws:sts::012345678901:assumed-role/r/s</Arn></AssumedRoleUser></{action}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
    );
    (200, body)
}

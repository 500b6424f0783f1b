//! The modes: what a server does to the listing of users, and how the command ends.

use super::server::{Act, INSTANCE, STORE};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The operations that the commands of these tests call.
pub(super) const OPERATIONS: &[&str] = &[
    "ListInstances",
    "ListUsers",
    "ListGroups",
    "ListGroupMemberships",
    "ListPermissionSets",
    "DescribePermissionSet",
    "ListAccountAssignments",
    "ListAccountAssignmentsForPrincipal",
    "ListPermissionSetsProvisionedToAccount",
    "ListAccountsForProvisionedPermissionSet",
    "ListAccounts",
    "DescribeAccount",
    "GetUserId",
    "GetGroupId",
    "DescribeUser",
    "CreateUser",
];

/// The mode whose answer is as large as one may be.
pub(super) const LARGEST: &str = "30 MiB of users, which is allowed";

/// A mode, by the kind of attack.
pub(super) struct Mode {
    pub(super) class: &'static str,
    pub(super) name: &'static str,
    /// What the page of this number (from 0) is answered with.
    pub(super) page: Box<dyn Fn(usize) -> Act + Send + Sync>,
    pub(super) exit: i32,
    /// A part of what is printed.
    pub(super) message: &'static str,
}

/// The instance, as AWS lists it.
pub(super) fn instance() -> Act {
    let row = json!({"InstanceArn": INSTANCE, "IdentityStoreId": STORE, "OwnerAccountId": "111111111111",
        "Name": "main", "Status": "ACTIVE"});
    Act::answer(200, "", json!({ "Instances": [row] }).to_string())
}

fn user(n: usize) -> Value {
    json!({"UserId": format!("u-{n}"), "IdentityStoreId": STORE, "UserName": format!("user{n}")})
}

fn users(n: usize, next: Option<&str>) -> String {
    json!({"Users": (0..n).map(user).collect::<Vec<_>>(), "NextToken": next}).to_string()
}

fn mode(class: &'static str, name: &'static str, exit: i32, message: &'static str, act: Act) -> Mode {
    Mode { class, name, page: Box::new(move |_| act.clone()), exit, message }
}

/// A success with this body.
fn body(name: &'static str, message: &'static str, body: impl AsRef<[u8]>) -> Mode {
    mode("body", name, 13, message, Act::answer(200, "", body))
}

/// A good first page, then this.
fn second(name: &'static str, message: &'static str, act: Act) -> Mode {
    let first = Act::answer(200, "", users(2, Some("t")));
    let page = Box::new(move |n| if n == 0 { first.clone() } else { act.clone() });
    Mode { class: "second page", name, page, exit: 13, message }
}

fn raw(class: &'static str, name: &'static str, exit: i32, message: &'static str, bytes: impl AsRef<[u8]>) -> Mode {
    mode(class, name, exit, message, Act::Bytes(bytes.as_ref().to_vec()))
}

/// An error document.
fn error(
    name: &'static str,
    exit: i32,
    message: &'static str,
    status: u16,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> Mode {
    mode("error document", name, exit, message, Act::answer(status, headers, body))
}

pub(super) fn all() -> Vec<Mode> {
    [bodies(), lengths(), shapes(), answers(), tokens(), connections(), heads(), errors()]
        .into_iter()
        .flatten()
        .collect()
}

const MIB: usize = 1024 * 1024;
const OK: &str = "HTTP/1.1 200 OK\r\n";

fn bodies() -> Vec<Mode> {
    let open = format!("{OK}content-type: application/x-amz-json-1.1\r\n");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).into_bytes();
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 10_000]].concat();
    let utf16: Vec<u8> = users(1, None).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = |length: usize| {
        let name = "n".repeat(30_000);
        let row = |n: usize| json!({"UserId": format!("u-{n}"), "UserName": format!("{n}{name}")});
        json!({"Users": (0..length / 30_000).map(row).collect::<Vec<_>>()}).to_string()
    };
    vec![
        mode(
            "size",
            "endless in chunks",
            13,
            "it is longer than 32 MiB",
            Act::Endless(format!("{open}transfer-encoding: chunked\r\n\r\n").into(), chunk),
        ),
        mode(
            "size",
            "endless until the close",
            13,
            "it is longer than 32 MiB",
            Act::Endless(format!("{open}\r\n{{\"Users\": [").into(), vec![b' '; 65_536]),
        ),
        mode("size", "33 MiB", 13, "it is longer than 32 MiB", Act::answer(200, "", vec![b' '; 33 * MIB])),
        mode("size", "33 MiB of users", 13, "it is longer than 32 MiB", Act::answer(200, "", long(33 * MIB))),
        mode("size", LARGEST, 0, "", Act::answer(200, "", long(30 * MIB))),
        mode(
            "encoding",
            "gzip",
            13,
            "`gzip`, which was not requested",
            Act::answer(200, "content-encoding: gzip\r\n", &gzip),
        ),
        mode(
            "encoding",
            "brotli",
            13,
            "`br`, which was not requested",
            Act::answer(200, "content-encoding: br\r\n", &gzip),
        ),
        body("gzip without a header", "it is not JSON", &gzip),
        body("zero bytes", "it is not JSON", [0; 1000]),
        body("a byte order mark", "it is not JSON", format!("\u{feff}{}", users(1, None))),
        body("UTF-16", "it is not JSON", utf16),
        body("invalid UTF-8", "it is not JSON", b"{\"Users\": [{\"UserId\": \"\xff\xfe\"}]}"),
        body("a page of HTML", "it is not JSON", "<html><body>Sign in to the guest network</body></html>"),
        body("something after the end", "it is not JSON", format!("{} {{}}", users(1, None))),
    ]
}

fn lengths() -> Vec<Mode> {
    let page = users(1, None);
    let of = |length: &str| format!("{OK}content-length: {length}\r\nconnection: close\r\n\r\n{page}");
    let chunked = |rest: &str| format!("{OK}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{rest}");
    let lengths = "length";
    vec![
        raw(lengths, "longer than the body", 13, "the answer broke off", of("100000")),
        raw(lengths, "shorter than the body", 13, "the answer broke off", of("20")),
        raw(lengths, "negative", 13, "identitystore ListUsers", of("-1")),
        raw(lengths, "not a number", 13, "identitystore ListUsers", of("many")),
        raw(lengths, "2^64", 13, "identitystore ListUsers", of("18446744073709551616")),
        raw(lengths, "2^63", 13, "it is longer than 32 MiB", of("9223372036854775808")),
        raw(lengths, "given twice, differently", 13, "identitystore ListUsers", of("1\r\ncontent-length: 2")),
        raw(lengths, "chunk of no size", 13, "the answer broke off", chunked("xyz\r\n{}\r\n0\r\n\r\n")),
        raw(lengths, "chunk of 2^64 bytes", 13, "the answer broke off", chunked("fffffffffffffffff\r\n{}")),
        raw(lengths, "chunks without an end", 13, "the answer broke off", chunked("2\r\n{}\r\n")),
    ]
}

fn shapes() -> Vec<Mode> {
    let (lists, objects) = ("[".repeat(100_000), "{\"a\":".repeat(100_000));
    vec![
        body("100,000 lists deep", "nested deeper than 64 levels", format!("{{\"Users\": {lists}")),
        body("100,000 objects deep", "nested deeper than 64 levels", format!("{{\"Users\": {objects}")),
        body("a number beyond all", "it is not JSON", r#"{"Users": [{"UserId": "u", "CreatedAt": 1e999}]}"#),
        body("a number of a million digits", "it is not JSON", format!("{{\"Users\": [{}]}}", "9".repeat(MIB))),
        body("one member twice", "it names Users twice", r#"{"Users": [{"UserId": "u"}], "Users": []}"#),
        body("one member of an entry twice", "it names UserId twice", r#"{"Users": [{"UserId": "u", "UserId": "v"}]}"#),
        body("an object for the list", "its Users is an object", r#"{"Users": {}}"#),
        body("a text for the list", "its Users is a text", r#"{"Users": "none"}"#),
        body("a number for an entry", "cannot be used", r#"{"Users": [1]}"#),
        body("null for an entry", "entry 1 of a list is null", r#"{"Users": [null]}"#),
        body("a number for an id", "cannot be used", r#"{"Users": [{"UserId": 7}]}"#),
        body("an entry without an id", "entry 1 of a page has no UserId", r#"{"Users": [{"UserName": "a"}]}"#),
        body("an entry with an empty id", "entry 1 of a page has no UserId", r#"{"Users": [{"UserId": ""}]}"#),
        body("one id twice", "repeats the id of another", r#"{"Users": [{"UserId": "u"}, {"UserId": "u"}]}"#),
        body(
            "a user of another store",
            "its IdentityStoreId is `d-2`",
            r#"{"Users": [{"UserId": "u", "IdentityStoreId": "d-2"}]}"#,
        ),
        body("10,001 entries", "has 10001 entries", users(10_001, None)),
        body(
            "10 million entries",
            "more than 200000 values",
            format!("{{\"Users\": [{}{{}}]}}", "{},".repeat(10_000_000)),
        ),
        body(
            "16 million numbers",
            "more than 200000 values",
            format!("{{\"X\": [{}0], \"Users\": []}}", "0,".repeat(16_000_000)),
        ),
    ]
}

/// What is not an answer, alone and as the second page.
fn answers() -> Vec<Mode> {
    let rows: &[(&'static str, u16, &str, &'static str)] = &[
        ("no body", 200, "", "HTTP 200 without a body"),
        ("204", 204, "", "HTTP 204 without a body"),
        ("an empty object", 200, "{}", "it has no Users"),
        ("null", 200, "null", "null"),
        ("null for the list", 200, r#"{"Users": null}"#, "its Users is null"),
        (
            "an error type in a success",
            200,
            r#"{"__type": "ThrottlingException", "Users": []}"#,
            "`ThrottlingException`",
        ),
    ];
    let alone = rows
        .iter()
        .map(|(name, status, text, message)| mode("no answer", name, 13, message, Act::answer(*status, "", text)));
    let later = rows.iter().map(|(name, status, text, message)| second(name, message, Act::answer(*status, "", text)));
    alone.chain(later).collect()
}

fn tokens() -> Vec<Mode> {
    let with = |token: Value| json!({"Users": [], "NextToken": token}).to_string();
    let class = "token";
    vec![
        mode(class, "the same again", 13, "the same NextToken came twice", Act::answer(200, "", with(json!("t")))),
        mode(class, "empty, which is the end", 0, "", Act::answer(200, "", with(json!("")))),
        mode(class, "1 MB", 13, "its NextToken has 1048576 bytes", Act::answer(200, "", with(json!("t".repeat(MIB))))),
        mode(class, "control characters", 13, "came twice", Act::answer(200, "", with(json!("\u{0}\u{1b}[31m\u{7f}")))),
        mode(class, "a number", 13, "its NextToken is a number", Act::answer(200, "", with(json!(7)))),
        mode(class, "a list", 13, "its NextToken is a list", Act::answer(200, "", with(json!(["t"])))),
        second("the first user again", "two entries with the id `u-0`", Act::answer(200, "", users(1, None))),
        second("a reset", "the answer broke off", Act::Reset(format!("{OK}content-length: 900\r\n\r\n{{").into())),
    ]
}

fn connections() -> Vec<Mode> {
    let half = format!("{OK}content-length: 1000\r\n\r\n{{\"Users\": [");
    let (reset, drip) = ("connection", "drip");
    vec![
        mode(reset, "closed before the head", 13, "ListUsers", Act::Bytes(Vec::new())),
        mode(reset, "reset before the head", 13, "ListUsers", Act::Reset(Vec::new())),
        mode(reset, "reset within the head", 13, "ListUsers", Act::Reset(b"HTTP/1.1 200 OK\r\ncont".to_vec())),
        mode(reset, "reset within the body", 13, "the answer broke off", Act::Reset(half.clone().into())),
        mode(drip, "silence", 13, "no answer in time", Act::Silence(Vec::new())),
        mode(drip, "a head that drips", 13, "no answer in time", Act::Drip(b"HTTP/1.1 200 OK\r\nx-a: ".to_vec())),
        mode(drip, "a body that drips", 13, "no answer in time", Act::Drip(half.clone().into())),
        mode(drip, "silence within the body", 13, "no answer in time", Act::Silence(half.into())),
        mode(
            drip,
            "a body that drips without a length",
            13,
            "no answer in time",
            Act::Drip(format!("{OK}\r\n{{\"Users\": [").into()),
        ),
    ]
}

fn heads() -> Vec<Mode> {
    let page = users(1, None);
    let many = (0..65_000).fold(String::new(), |mut headers, n| {
        let _ = write!(headers, "x-{n}: a\r\n");
        headers
    });
    let with = |headers: &str| Act::answer(200, headers, &page);
    let class = "head";
    vec![
        mode(class, "65,000 headers", 13, "ListUsers", with(&many)),
        mode(class, "a header of 10 MB", 13, "ListUsers", with(&format!("x-a: {}\r\n", "a".repeat(10 * MIB)))),
        raw(class, "a status line of 10 MB", 13, "ListUsers", format!("HTTP/1.1 200 {}\r\n\r\n", "a".repeat(10 * MIB))),
        raw(class, "status 999", 13, "HTTP 999", "HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"),
        raw(class, "status 0", 13, "ListUsers", "HTTP/1.1 000 Odd\r\ncontent-length: 0\r\n\r\n"),
        raw(class, "no HTTP", 13, "ListUsers", "SSH-2.0-OpenSSH_9.9\r\n"),
        raw(class, "HTTP/2", 13, "ListUsers", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"),
        raw(
            class,
            "random bytes",
            13,
            "ListUsers",
            (0..10_000_u32).map(|n| n.to_le_bytes()[n as usize % 2]).collect::<Vec<_>>(),
        ),
        raw(class, "a header without a colon", 13, "ListUsers", format!("{OK}nonsense\r\n\r\n{page}")),
        raw(class, "an escape in a header", 13, "ListUsers", format!("{OK}x-amzn-requestid: \u{1b}[31m\r\n\r\n")),
        raw(
            class,
            "three interim answers, then the answer",
            0,
            "",
            format!(
                "{}{OK}content-length: {}\r\nconnection: close\r\n\r\n{page}",
                "HTTP/1.1 100 Continue\r\n\r\n".repeat(3),
                page.len()
            ),
        ),
        mode(
            class,
            "interim answers without end",
            13,
            "ListUsers",
            Act::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        ),
        raw(
            class,
            "another protocol",
            13,
            "ListUsers",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        ),
        mode(class, "a clock ten years ahead", 0, "", with("date: Tue, 30 Nov 2036 10:00:00 GMT\r\n")),
        mode(class, "a date of the year 9999", 0, "", with("date: Fri, 31 Dec 9999 23:59:59 GMT\r\n")),
        mode(class, "a date that is none", 0, "", with("date: -99999999999999999999\r\n")),
    ]
}

fn errors() -> Vec<Mode> {
    let named = |code: &str, text: &str| json!({"__type": code, "Message": text}).to_string();
    let throttle = named("ThrottlingException", "slow");
    let waits = |seconds: &str| format!(r#"{{"__type": "ThrottlingException", "RetryAfterSeconds": {seconds}}}"#);
    let elsewhere = "location: http://127.0.0.1:9/\r\n";
    let html = "<html><body>Forbidden</body></html>";
    let ansi = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m red \u{202e}desrever";
    vec![
        error("HTML and 403", 4, "HTTP 403", 403, "", html),
        error("HTML and 404", 13, "HTTP 404 and no AWS error", 404, "", html),
        error("HTML and 502", 13, "HTTP 502 and no AWS error", 502, "", html),
        error("XML", 13, "HTTP 400 and no AWS error", 400, "", "<Error><Code>AccessDenied</Code></Error>"),
        error("empty", 13, "HTTP 400 and no AWS error", 400, "", ""),
        mode(
            "error document",
            "text without end",
            13,
            "HTTP 400 and no AWS error",
            Act::Endless(b"HTTP/1.1 400 Bad\r\n\r\n{\"Message\": \"".to_vec(), vec![b'x'; 65_536]),
        ),
        mode(
            "error document",
            "200 MB announced",
            13,
            "the service failed with HTTP 500",
            Act::Endless(b"HTTP/1.1 500 Bad\r\ncontent-length: 200000000\r\n\r\n".to_vec(), vec![b'x'; 65_536]),
        ),
        error("a message of 500 KB", 4, "more bytes)", 400, "", named("AccessDeniedException", &"x".repeat(500_000))),
        error(
            "a message of 10 MB",
            13,
            "HTTP 400 and no AWS error",
            400,
            "",
            named("AccessDeniedException", &"x".repeat(10 * MIB)),
        ),
        error("a code of 500 KB", 1, "more bytes)", 400, "", named(&"Odd".repeat(170_000), "x")),
        error("a code that nobody knows", 1, "OddException: why", 400, "", named("OddException", "why")),
        error("a code that is a number", 13, "HTTP 400", 400, "", r#"{"__type": 7}"#),
        error("escapes in the message", 4, "\\u{1b}[2J", 400, "", named("AccessDeniedException", ansi)),
        error("escapes in the code", 1, "\\u{1b}[2J", 400, "", named(ansi, "why")),
        error("nested 100,000 deep", 13, "HTTP 400", 400, "", "[".repeat(100_000)),
        error("moved to elsewhere", 13, "HTTP 301", 301, elsewhere, ""),
        error("found elsewhere", 13, "HTTP 302", 302, elsewhere, ""),
        error("temporarily elsewhere", 13, "HTTP 307", 307, elsewhere, ""),
        error("permanently elsewhere", 13, "HTTP 308", 308, "location: /\r\n", ""),
        error("not modified", 13, "HTTP 304", 304, "", ""),
        error("come back in ten years", 13, "AWS throttled", 400, "retry-after: 315360000\r\n", &throttle),
        error("come back before now", 13, "AWS throttled", 400, "retry-after: -1\r\n", &throttle),
        error("come back at NaN", 13, "AWS throttled", 429, "retry-after: NaN\r\n", &throttle),
        error("come back after all time", 13, "AWS throttled", 400, "", waits("18446744073709551615")),
        error("come back at a fraction", 13, "AWS throttled", 400, "", waits("1e300")),
    ]
}

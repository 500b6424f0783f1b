//! Mails against a real SMTP server: aiosmtpd with STARTTLS and a login, started by each test on a free port.
//!
//! What is counted here is what arrived, not what was meant to. `AWSIDEMAN_TEST_PYTHON` names a Python with
//! aiosmtpd and cryptography.

use crate::python::{Server, python};
use awsideman::alerts::{
    AlertError, Channel, DeliveryContext, JobPass, Mailer, Notifier as _, check, deliver, observe,
};
use awsideman::config::{
    AlertWhen, Alerts, Auth, CommandConfig as Program, EmailConfig, MailTransport, PingConfig, Tls, Webhook,
};
use awsideman::health::{Finding, Level};
use awsideman::secure_fs::Access;
use awsideman::state::Database;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const SUBJECT: &str = "awsideman Cache Health Alert";
const PASSWORD: &str = "correct-horse";

/// A state directory, settings that fit the server, and a run every minute.
struct Desk {
    root: tempfile::TempDir,
    database: Database,
    alerts: Alerts,
    minute: i64,
}

impl Desk {
    fn new() -> Desk {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("password");
        awsideman::secure_fs::replace(&path, format!("{PASSWORD}\n").as_bytes(), Access::Owner).unwrap();
        let (database, _) = Database::open(root.path(), Access::Owner, Duration::from_secs(10), 0).unwrap();
        let email = EmailConfig {
            enabled: true,
            transport: MailTransport::Smtp,
            host: "localhost".into(),
            port: None,
            tls: Tls::Starttls,
            ca_file: Some(root.path().join("cert.pem")),
            username: Some("mailer".into()),
            password: None,
            password_file: Some(path),
            password_command: Vec::new(),
            helo: None,
            auth: Auth::Password,
            token_command: Vec::new(),
            from: "awsideman <awsideman@example.com>".into(),
            to: vec!["oncall@example.com".into(), "Zweite Ärztin <second@example.com>".into()],
            dir: None,
            timeout: Duration::from_secs(20),
        };
        let webhook = Webhook {
            enabled: false,
            url: None,
            url_file: None,
            url_command: Vec::new(),
            only_text: false,
            ca_file: None,
            timeout: Duration::from_secs(10),
        };
        let alerts = Alerts {
            hold: Duration::ZERO,
            recovery_delay: Duration::ZERO,
            group_wait: Duration::ZERO,
            partial_runs: 2,
            repeat: Duration::ZERO,
            email,
            webhook,
            command: Program { enabled: false, argv: Vec::new(), env: Vec::new(), timeout: Duration::from_secs(10) },
            ping: PingConfig { start: None, success: None, failure: None, timeout: Duration::from_secs(5) },
        };
        Desk { root, database, alerts, minute: 0 }
    }

    fn folder(&self) -> &Path {
        self.root.path()
    }

    fn serve(&mut self, python: &Path, mode: &str) -> Server {
        let port = self.alerts.email.port.unwrap_or(0);
        let server = Server::smtp(python, self.root.path(), mode, port);
        self.alerts.email.port = Some(server.port);
        server
    }

    /// One run that finds this hit rate: decided and delivered.
    fn run(&mut self, percent: f64) -> awsideman::alerts::Delivered {
        self.minute += 1;
        let now = 1_800_000_000_000 + self.minute * 60_000;
        let critical = percent < 50.0;
        let findings = [Finding {
            key: "hit_rate".into(),
            level: if critical { Level::Critical } else { Level::Ok },
            message: format!("Low cache hit rate: {percent:.1}%"),
            hint: "awsideman cache status --detailed".into(),
            recovered: !critical,
        }];
        let run = JobPass {
            findings: &findings,
            causes: &[],
            disabled: None,
            more: "awsideman cache health",
            note: None,
            when: AlertWhen::OnChange,
            host: "host-1",
            cache_dir: Path::new("/var/cache/awsideman"),
        };
        observe(&mut self.database, &run, &self.alerts, now).unwrap();
        let post = DeliveryContext { settings: &self.alerts, state_dir: self.root.path(), access: Access::Owner };
        deliver(&mut self.database, &post, now).unwrap()
    }

    fn test_mail(&self) -> Result<awsideman::alerts::Receipt, AlertError> {
        let post = DeliveryContext { settings: &self.alerts, state_dir: self.folder(), access: Access::Owner };
        awsideman::alerts::test(&post, Channel::Mail, "host-1", 1_800_000_000_000)
    }

    fn received(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.folder().join("mails.jsonl")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn crossed_unchanged_over_is_exactly_two_mails_received() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new();
    let _server = desk.serve(&python, "starttls");
    for percent in [98.0, 42.0, 42.0, 41.0, 42.0, 98.0, 98.0] {
        let delivered = desk.run(percent);
        assert_eq!((delivered.failed, delivered.waiting), (None, 0));
    }
    let mails = desk.received();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert_eq!(mails[0]["headers"]["Subject"], format!("{SUBJECT}: [FIRING:1] hit_rate (host-1)"));
    assert_eq!(mails[1]["headers"]["Subject"], format!("{SUBJECT}: [RESOLVED:1] hit_rate (host-1)"));
    for mail in &mails {
        assert_eq!(mail["tls"], true);
        assert_eq!(mail["login"], "mailer");
        assert_eq!(mail["from"], "awsideman@example.com");
        assert_eq!(mail["to"], serde_json::json!(["oncall@example.com", "second@example.com"]));
        assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    }
    let body = mails[0]["body"].as_str().unwrap();
    assert!(body.contains("Low cache hit rate: 42.0%") && body.contains("next: awsideman cache status"), "{body}");
    assert!(mails[1]["body"].as_str().unwrap().contains("lasted 4m"), "{}", mails[1]["body"]);
}

#[test]
fn a_server_that_is_down_is_reported_and_a_later_run_delivers() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new();
    drop(desk.serve(&python, "starttls"));
    let delivered = desk.run(42.0);
    assert_eq!((delivered.sent.len(), delivered.waiting), (0, 1));
    let failed = delivered.failed.expect("the failure is said");
    let port = desk.alerts.email.port.unwrap();
    assert!(failed.starts_with(&format!("the mail server localhost:{port} cannot be reached: ")), "{failed}");
    assert!(delivered.hint.contains("the next run tries again"), "{}", delivered.hint);
    let row = "SELECT message_id, attempts, last_error FROM outbox o JOIN deliveries d ON d.message = o.id";
    let (id, attempts, error): (String, i64, String) =
        desk.database.connection().query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((attempts, error), (1, failed));

    let _server = desk.serve(&python, "starttls");
    let delivered = desk.run(42.0);
    assert_eq!((delivered.sent.len(), delivered.waiting, delivered.failed), (1, 0, None));
    let mails = desk.received();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["headers"]["Message-ID"], id);
}

#[test]
fn tls_from_the_first_byte_and_no_tls_without_a_login_work() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new();
    desk.alerts.email.tls = Tls::Implicit;
    {
        let _server = desk.serve(&python, "implicit");
        assert_eq!(desk.test_mail().unwrap().complaint, None);
    }
    (desk.alerts.email.username, desk.alerts.email.password_file) = (None, None);
    (desk.alerts.email.tls, desk.alerts.email.port) = (Tls::None, None);
    let _server = desk.serve(&python, "plain");
    desk.test_mail().unwrap();
    let mails = desk.received();
    assert_eq!(mails.iter().map(|mail| mail["tls"] == true).collect::<Vec<_>>(), [true, false]);
    assert_eq!(mails[0]["headers"]["Subject"], format!("{SUBJECT}: [TEST] (host-1)"));
}

#[test]
fn wrong_password_unknown_certificate_wrong_name_and_wrong_port_are_told_apart() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new();
    let _server = desk.serve(&python, "starttls");
    let right = desk.alerts.email.clone();

    let wrong = desk.folder().join("wrong");
    awsideman::secure_fs::replace(&wrong, b"battery-staple\n", Access::Owner).unwrap();
    desk.alerts.email.password_file = Some(wrong);
    let error = desk.test_mail().unwrap_err();
    assert!(matches!(error, AlertError::Login { .. }), "{error:?}");
    assert!(error.to_string().contains("refused to log in mailer") && error.to_string().contains("535"), "{error}");
    assert!(!format!("{error:?}").contains("battery"), "{error:?}");
    assert!(error.hint().contains("alerts.email.password_file"), "{}", error.hint());

    desk.alerts.email = EmailConfig { ca_file: None, ..right.clone() };
    let error = desk.test_mail().unwrap_err();
    assert!(matches!(error, AlertError::Certificate { .. }), "{error:?}");
    assert!(error.hint().contains("alerts.email.ca_file"), "{}", error.hint());

    desk.alerts.email = EmailConfig { host: "127.0.0.1".into(), ..right.clone() };
    let error = desk.test_mail().unwrap_err();
    assert!(matches!(error, AlertError::Certificate { .. }), "{error:?}");

    desk.alerts.email = EmailConfig { tls: Tls::Implicit, ..right };
    let error = desk.test_mail().unwrap_err();
    assert!(matches!(error, AlertError::Tls { .. }), "{error:?}");
    assert!(error.hint().contains("alerts.email.tls"), "{}", error.hint());
    assert_eq!(desk.received().len(), 0);
}

#[test]
fn one_refused_recipient_keeps_the_mail_from_nobody_else() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new();
    let _server = desk.serve(&python, "starttls");
    desk.alerts.email.to = vec!["gone@example.com".into(), "oncall@example.com".into()];
    let delivered = desk.run(42.0);
    assert_eq!((delivered.sent.len(), delivered.waiting), (1, 0));
    let complaint = delivered.sent[0].complaint.as_deref().expect("a complaint");
    assert!(complaint.contains("refused the recipient gone@example.com"), "{complaint}");
    assert_eq!(desk.received()[0]["to"], serde_json::json!(["oncall@example.com"]));

    desk.alerts.email.to = vec!["gone@example.com".into()];
    let delivered = desk.run(98.0);
    assert_eq!((delivered.sent.len(), delivered.waiting), (0, 1));
    assert!(delivered.failed.unwrap().contains("no such mailbox"));
    assert!(delivered.hint.starts_with("check alerts.email.to; the message is kept"), "{}", delivered.hint);
}

#[test]
fn a_password_without_tls_is_refused_before_any_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut desk = Desk::new();
    desk.alerts.email.host = "127.0.0.1".into();
    desk.alerts.email.port = Some(listener.local_addr().unwrap().port());
    (desk.alerts.email.tls, desk.alerts.email.ca_file) = (Tls::None, None);
    let delivered = desk.run(42.0);
    assert_eq!(delivered.waiting, 1);
    assert_eq!(delivered.failed.unwrap(), "alerts.email.tls: `none` would send the password in plaintext");
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_server_without_starttls_never_sees_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut desk = Desk::new();
    desk.alerts.email.host = "127.0.0.1".into();
    desk.alerts.email.port = Some(listener.local_addr().unwrap().port());
    desk.alerts.email.ca_file = None;
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail ESMTP\r\n").unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..n]);
            let _ = stream.write_all(b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n");
        }
        String::from_utf8(heard).unwrap()
    });
    let error = desk.test_mail().unwrap_err();
    assert!(error.to_string().ends_with("it does not offer STARTTLS"), "{error}");
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("EHLO") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[test]
fn a_server_that_never_speaks_is_left_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut desk = Desk::new();
    desk.alerts.email.host = "127.0.0.1".into();
    desk.alerts.email.port = Some(listener.local_addr().unwrap().port());
    desk.alerts.email.ca_file = None;
    desk.alerts.email.timeout = Duration::from_millis(200);
    let error = desk.test_mail().unwrap_err();
    assert!(matches!(error, AlertError::TimedOut { .. }), "{error:?}");
}

#[test]
fn settings_are_checked_and_mails_composed_without_a_server() {
    let desk = Desk::new();
    let email = EmailConfig { transport: MailTransport::File, ..desk.alerts.email.clone() };
    let alerts = Alerts { email, ..desk.alerts.clone() };
    let post = DeliveryContext { settings: &alerts, state_dir: desk.folder(), access: Access::Owner };
    check(&post, Channel::Mail).unwrap();
    let mail = awsideman::alerts::Mail {
        id: 1,
        message_id: "<1.2@host>".into(),
        created_at: 0,
        subject: "first\r\nBcc: all@example.com".into(),
        body: "Grüße\n".into(),
        html: String::new(),
        document: String::new(),
    };
    let receipt = Mailer::open(&post).unwrap().send(&mail).unwrap();
    let text = std::fs::read_to_string(receipt.place).unwrap();
    assert!(text.contains("\r\nSubject: first  Bcc: all@example.com\r\n"), "{text}");
    assert!(!text.contains("\r\nBcc:"), "{text}");
}

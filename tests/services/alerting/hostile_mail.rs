//! A mail server that misbehaves at every step.

use super::hostile::{Mode, alarmed, delivered, holds, kept};
use super::servers::{Server, python};
use base64::Engine;

const LATE: &str = "did not answer in time";
const PROTOCOL: &str = "broke the protocol";
const UNCONFIRMED: &str = "did not confirm the mail, which may have arrived";

/// Without TLS and without a login.
const PLAIN: &[Mode] = &[
    delivered("well"),
    delivered("accepted-then-reset"),
    delivered("accepted-then-silent"),
    kept("silent", LATE),
    kept("drip-greeting", LATE),
    kept("drip-every-answer", LATE),
    kept("endless-greeting", PROTOCOL),
    kept("huge-reply", PROTOCOL),
    kept("endless-lines", LATE),
    kept("busy", "421"),
    kept("not-utf8", PROTOCOL),
    kept("carriage-returns", LATE),
    kept("http", PROTOCOL),
    kept("reset-greeting", "reset"),
    kept("reset-ehlo", "reset"),
    kept("reset-mail", "reset"),
    kept("reset-rcpt", "reset"),
    kept("reset-data", "reset"),
    kept("control-characters", "refused the recipient"),
    kept("wrong-code-mail", PROTOCOL),
    kept("wrong-code-rcpt", PROTOCOL),
    kept("wrong-code-data", PROTOCOL),
    kept("wrong-code-end", PROTOCOL),
    kept("full", "452"),
    kept("silent-after-data", UNCONFIRMED),
    kept("reset-after-data", UNCONFIRMED),
];

/// With STARTTLS and a login.
const SECURED: &[Mode] = &[
    delivered("auth"),
    kept("stripped", "does not offer STARTTLS"),
    kept("starttls-refused", "454"),
    kept("starttls-garbage", "no TLS"),
    kept("starttls-silent", LATE),
    kept("starttls-injected", "no TLS"),
    kept("auth-change", "does not offer PLAIN or LOGIN"),
    kept("auth-echo", "refused to log in mailer: 535"),
    kept("auth-drip", LATE),
];

#[test]
fn a_misbehaving_mail_server_gets_the_mail_once_or_it_is_kept() {
    let Some(python) = python() else { return };
    let echoed = base64::prelude::BASE64_STANDARD.encode("\0mailer\0correct-horse");
    let secrets = ["correct-horse", echoed.as_str()];
    for (modes, has_tls) in [(PLAIN, false), (SECURED, true)] {
        for mode in modes {
            let desk = alarmed();
            std::fs::write(desk.path("mode"), mode.name).unwrap();
            let server = Server::start(&python, "hostile_smtp.py", desk.root.path(), &[]);
            let mut settings = desk.mail_through(server.port) + "timeout = \"2s\"\n";
            if !has_tls {
                let lines =
                    settings.lines().filter(|line| !line.starts_with("username") && !line.starts_with("password"));
                settings = lines.map(|line| line.replace("\"starttls\"", "\"none\"") + "\n").collect();
            }
            desk.configure(&settings);
            holds(&desk, mode, &secrets);
            let arrived = desk.lines("mails.jsonl").len();
            if mode.kept.is_none() {
                assert_eq!(arrived, 1, "{}", mode.name);
                // A later run has nothing to send again.
                desk.run("jobs run health");
                assert_eq!(desk.lines("mails.jsonl").len(), 1, "{}: sent twice", mode.name);
            }
            // A password is sent only inside TLS that was negotiated with this server.
            let may_log_in = ["auth", "auth-echo", "auth-drip"].contains(&mode.name);
            assert_eq!(!desk.lines("secrets.jsonl").is_empty(), may_log_in, "{}", mode.name);
        }
    }
}

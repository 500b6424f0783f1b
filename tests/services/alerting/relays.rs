//! Mail servers with requirements (a full host name, a token), and addresses as users write them.

use super::fixture::{Desk, subject};
use super::servers::{Server, python};
use serde_json::json;

/// `[alerts.email]` without a login, with these lines more.
fn plain(port: u16, more: &str) -> String {
    format!(
        "[alerts.email]\nenabled = true\nhost = \"localhost\"\nport = {port}\ntls = \"none\"\n\
         from = \"awsideman@example.com\"\nto = [\"oncall@example.com\"]\n{more}"
    )
}

#[test]
fn a_relay_that_wants_a_full_host_name_gets_one() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[]);
    let server = Server::smtp(&python, desk.root.path(), "fqdn", 0);
    desk.configure(&plain(server.port, "helo = \"short\"\n"));
    let refused = desk.run("alerts test");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for words in ["refused the host name `short`", "504 5.5.2", "alerts.email.helo"] {
        assert!(refused.err.contains(words), "{words}: {refused:?}");
    }
    assert!(!refused.err.contains("alerts.email.to"), "{refused:?}");
    assert_eq!(refused.out, "", "nothing says that it was sent");
    for (more, expected) in [("helo = \"mail.example.com\"\n", Some("mail.example.com")), ("", None)] {
        desk.configure(&plain(server.port, more));
        let sent = desk.run("alerts test");
        assert_eq!(sent.out, format!("Mail: sent to localhost:{}\n", server.port), "{sent:?}");
        let mail = desk.mails().pop().unwrap();
        let helo = mail["helo"].as_str().unwrap();
        assert!(expected.map_or(helo.contains(['.', '[']), |name| helo == name), "{mail}");
        assert_eq!(mail["headers"]["Subject"], subject("[TEST]"));
    }
}

#[test]
fn a_server_that_takes_only_tokens_gets_one_and_refusals_are_explained() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[]);
    let server = Server::smtp(&python, desk.root.path(), "xoauth2", 0);
    let password = desk.mail_through(server.port);
    let token = |token: &str| {
        let script = desk.script("token", &format!("printf '%s\\n' {token}"));
        let lines: Vec<&str> = password.lines().filter(|line| !line.starts_with("password_file")).collect();
        let argv = script.display();
        format!("{}\nauth = \"xoauth2\"\ntoken_command = [\"{argv}\"]\n", lines.join("\n"))
    };
    let offers = "it offers AUTH NTLM XOAUTH2";
    desk.configure(&password);
    let refused = desk.run("alerts test");
    assert!(refused.code == Some(1) && refused.err.contains("it does not offer PLAIN or LOGIN"), "{refused:?}");
    assert!(refused.err.contains(offers) && refused.err.contains("auth = \"xoauth2\""), "{refused:?}");
    desk.configure(&token("stale-token"));
    let refused = desk.run("alerts test");
    assert!(refused.code == Some(1) && refused.err.contains("{\"status\":\"401\""), "{refused:?}");
    assert!(refused.err.contains(offers) && refused.err.contains("alerts.email.token_command"), "{refused:?}");
    assert!(!format!("{refused:?}").contains("stale-token"), "{refused:?}");
    desk.configure(&token("fresh-token"));
    let sent = desk.run("alerts test");
    assert_eq!(sent.out, format!("Mail: sent to localhost:{}\n", server.port), "{sent:?}");
    let mails = desk.mails();
    assert_eq!((mails.len(), &mails[0]["login"], &mails[0]["tls"]), (1, &"mailer".into(), &true.into()));
    drop(server);
    // The other way round: a server that takes only passwords.
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    desk.configure(&token("fresh-token").replace(&port_of(&password), &format!("port = {}", server.port)));
    let refused = desk.run("alerts test");
    assert!(refused.err.contains("it does not offer XOAUTH2; it offers AUTH LOGIN PLAIN"), "{refused:?}");
    assert!(refused.err.contains("alerts.email.auth = \"password\""), "{refused:?}");
}

fn port_of(configuration: &str) -> String {
    configuration.lines().find(|line| line.starts_with("port")).unwrap().to_owned()
}

#[test]
fn one_parser_judges_every_address_and_accepted_ones_arrive() {
    let Some(python) = python() else { return };
    let mut desk = Desk::new(&[]);
    let server = Server::smtp(&python, desk.root.path(), "plain", 0);
    // (in a list of a file, in a variable; the message)
    for (file, variable, words) in [
        (r#"["Müller, Ops <a@b>"]"#, "Müller, Ops <a@b>", "quotes"),
        (r#"["a@x;b@x"]"#, "a@x;b@x", "separate addresses with commas"),
        (r#"["a@x y"]"#, "a@x y", "is not a mail address"),
    ] {
        desk.set("AWSIDEMAN_ALERTS_EMAIL_TO", "");
        desk.configure(&plain(server.port, "").replace("[\"oncall@example.com\"]", file));
        let in_file = desk.run("config validate");
        desk.configure(&plain(server.port, ""));
        desk.set("AWSIDEMAN_ALERTS_EMAIL_TO", variable);
        let in_variable = desk.run("config validate");
        for ran in [in_file, in_variable] {
            assert_eq!(ran.code, Some(2), "{file}: {ran:?}");
            assert!(ran.err.contains("alerts.email.to") && ran.err.contains(words), "{file}: {ran:?}");
            assert!(!ran.err.contains("alerts.email.from"), "{file}: {ran:?}");
        }
    }
    let quoted = r#""Müller, Ops" <a@bücher.example>"#;
    let file = format!("['{quoted}', \"second@example.com\"]");
    desk.set("AWSIDEMAN_ALERTS_EMAIL_TO", "");
    desk.configure(&plain(server.port, "").replace("[\"oncall@example.com\"]", &file));
    assert_eq!(desk.run("config validate").code, Some(0));
    let from_file = desk.run("alerts test");
    desk.configure(&plain(server.port, ""));
    desk.set("AWSIDEMAN_ALERTS_EMAIL_TO", &format!("{quoted}, second@example.com"));
    assert_eq!(desk.run("config validate").code, Some(0));
    let from_variable = desk.run("alerts test");
    assert_eq!((from_file.code, from_variable.code), (Some(0), Some(0)), "{from_file:?} {from_variable:?}");
    let mails = desk.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    for mail in &mails {
        assert_eq!(mail["to"], json!(["a@xn--bcher-kva.example", "second@example.com"]));
        assert!(mail["headers"]["To"].as_str().unwrap().contains("Müller, Ops"), "{mail}");
    }
    // A refused sender is reported as such.
    desk.set("AWSIDEMAN_ALERTS_EMAIL_FROM", "gone@example.com");
    let refused = desk.run("alerts test");
    assert!(refused.err.contains("refused the sender gone@example.com"), "{refused:?}");
    assert!(refused.err.contains("hint: check alerts.email.from"), "{refused:?}");
}

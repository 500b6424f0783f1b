//! The outbox and the file transport: what leaves, what stays, and what is never said.
//!
//! Each message by each channel once, whatever fails between.

use super::*;
use crate::alerts::outbox::drain;
use crate::config::Secret;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// A transport that is down until it is not.
#[derive(Clone, Default)]
struct Wire {
    down: Rc<Cell<bool>>,
    taken: Rc<RefCell<Vec<Mail>>>,
}

impl Notifier for Wire {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        if self.down.get() {
            return Err(AlertError::Unreachable { server: "mail:25".into(), reason: "Connection refused".into() });
        }
        self.taken.borrow_mut().push(mail.clone());
        Ok(Receipt { channel: Channel::Mail, place: "mail:25".into(), complaint: None })
    }
}

/// Every channel through this transport.
fn by<T: Notifier + Clone + 'static>(
    transport: &T,
) -> impl Fn(Channel) -> Option<Result<Box<dyn Notifier>, AlertError>> {
    let transport = transport.clone();
    move |_| Some(Ok(Box::new(transport.clone()) as Box<dyn Notifier>))
}

#[test]
fn what_cannot_leave_is_kept_with_its_message_id_and_leaves_in_order() {
    let mut desk = Fixture::new();
    let first = desk.decide(0, &[rate(42.0)]).mail.unwrap();
    let second = desk.decide(1, &[rate(98.0)]).mail.unwrap();
    let (settings, state_dir) = (settings(), desk.root.path().to_owned());
    let post = DeliveryContext { settings: &settings, state_dir: &state_dir, access: Access::Owner };
    let wire = Wire::default();
    wire.down.set(true);
    for _ in 0..2 {
        let delivered = drain(&mut desk.database, &by(&wire), &post, 2).unwrap();
        assert_eq!((delivered.sent.len(), delivered.waiting), (0, 2));
        let failed = delivered.failed.unwrap();
        assert_eq!(failed, "the mail server mail:25 cannot be reached: Connection refused");
    }
    wire.down.set(false);
    let delivered = drain(&mut desk.database, &by(&wire), &post, 3).unwrap();
    assert_eq!((delivered.sent.len(), delivered.waiting, delivered.failed), (2, 0, None));
    assert_eq!(*wire.taken.borrow(), [first, second]);
    let again = drain(&mut desk.database, &by(&wire), &post, 4).unwrap();
    assert_eq!(again, Delivered::default());
}

/// A transport that takes its time and counts.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<Vec<i64>>>);

impl Notifier for Counting {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        std::thread::yield_now();
        self.0.lock().unwrap().push(mail.id);
        Ok(Receipt { channel: Channel::Mail, place: "counted".into(), complaint: None })
    }
}

#[test]
fn many_senders_at_once_send_each_mail_once() {
    let mut desk = Fixture::new();
    for minute in 0..6 {
        desk.run(minute, &[rate(if minute % 2 == 0 { 42.0 } else { 98.0 })]).unwrap();
    }
    let wire = Counting::default();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let settings = settings();
                let post = DeliveryContext { settings: &settings, state_dir: desk.root.path(), access: Access::Owner };
                let delivered = drain(&mut open(desk.root.path()), &by(&wire), &post, 9).unwrap();
                assert_eq!((delivered.failed, delivered.waiting), (None, 0));
            });
        }
    });
    assert_eq!(*wire.0.lock().unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_file_transport_writes_one_private_file_for_each_mail() {
    let mut desk = Fixture::new();
    let mail = desk.decide(0, &[rate(42.0)]).mail.unwrap();
    let (settings, state_dir) = (settings(), desk.root.path().to_owned());
    let post = DeliveryContext { settings: &settings, state_dir: &state_dir, access: Access::Owner };
    let delivered = deliver(&mut desk.database, &post, 5).unwrap();
    let path = Path::new(&delivered.sent[0].place);
    assert_eq!(path.parent(), Some(&*state_dir.join("mail")));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(path).unwrap();
    for header in [
        "Subject: awsideman Cache Health Alert: [FIRING:1] hit_rate (host-1)\r\n",
        "From: awsideman@example.com\r\n",
        "To: \"On Call\" <oncall@example.com>\r\n",
        "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: multipart/alternative;",
        &format!("Message-ID: {}\r\n", mail.message_id),
    ] {
        assert!(text.contains(header), "{header}: {text}");
    }
    let (plain, html) = (text.find("Content-Type: text/plain; charset=utf-8"), text.find("Content-Type: text/html"));
    assert!(plain.is_some() && plain < html, "the text before the page: {text}");
    assert_eq!(deliver(&mut desk.database, &post, 6).unwrap(), Delivered::default());
}

#[test]
fn settings_that_cannot_be_used_are_named_with_their_key() {
    let state = tempfile::tempdir().unwrap();
    let password = state.path().join("password");
    crate::secure_fs::replace(&password, b"s3cret\n", Access::Owner).unwrap();
    let smtp = config::EmailConfig {
        transport: config::MailTransport::Smtp,
        host: "mail.example.com".into(),
        ..settings().email
    };
    let secret =
        config::EmailConfig { username: Some("u".into()), password_file: Some(password.clone()), ..smtp.clone() };
    for (email, words) in [
        (config::EmailConfig { host: String::new(), ..smtp.clone() }, "alerts.email.host: no mail server is given"),
        (config::EmailConfig { to: vec![], ..smtp.clone() }, "alerts.email.to: no recipient is given"),
        (
            config::EmailConfig { from: "nobody".into(), ..smtp.clone() },
            "alerts.email.from: `nobody` is not a mail address",
        ),
        (
            config::EmailConfig { to: vec!["a@example.com\r\nBcc: b@example.com".into()], ..smtp.clone() },
            "alerts.email.to: `a@example.com  Bcc: b@example.com` is not a mail address",
        ),
        (
            config::EmailConfig { tls: config::Tls::None, ..secret.clone() },
            "alerts.email.tls: `none` would send the password",
        ),
        (config::EmailConfig { username: None, ..secret.clone() }, "alerts.email.username: a password is given"),
        (
            config::EmailConfig { password_file: None, ..secret.clone() },
            "alerts.email.password_file: a user name is given",
        ),
        (config::EmailConfig { ca_file: Some(password), ..smtp.clone() }, "alerts.email.ca_file: "),
    ] {
        let settings = config::Alerts { email, ..settings() };
        let post = DeliveryContext { settings: &settings, state_dir: state.path(), access: Access::Owner };
        let error = check(&post, Channel::Mail).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert!(!error.hint().is_empty() && !error.to_string().contains("s3cret"), "{error}");
    }
    let settings = config::Alerts { email: secret, ..settings() };
    let post = DeliveryContext { settings: &settings, state_dir: state.path(), access: Access::Owner };
    check(&post, Channel::Mail).unwrap();
    assert!(!format!("{:?}", Mailer::open(&post).unwrap()).contains("s3cret"));
}

#[test]
fn a_channel_that_is_down_holds_up_no_other_and_each_gets_each_message_once() {
    let mut desk = Fixture::new();
    desk.settings.webhook.enabled = true;
    desk.settings.command.enabled = true;
    desk.decide(0, &[rate(42.0)]);
    desk.decide(1, &[rate(98.0)]);
    let wires = Channel::ALL.map(|channel| (channel, Wire::default()));
    let ways = |channel: Channel| {
        let (_, wire) = wires.iter().find(|(which, _)| *which == channel).unwrap();
        Some(Ok(Box::new(wire.clone()) as Box<dyn Notifier>))
    };
    let (settings, state_dir) = (desk.settings.clone(), desk.root.path().to_owned());
    let post = DeliveryContext { settings: &settings, state_dir: &state_dir, access: Access::Owner };
    let taken = || wires.each_ref().map(|(_, wire)| wire.taken.borrow().len());
    for (down, expected, waiting) in [(1, [2, 0, 2], 2), (0, [2, 2, 2], 0), (0, [2, 2, 2], 0)] {
        wires[1].1.down.set(down == 1);
        let delivered = drain(&mut desk.database, &ways, &post, 2).unwrap();
        assert_eq!((taken(), delivered.waiting), (expected, waiting));
    }
    let ids = wires
        .each_ref()
        .map(|(_, wire)| wire.taken.borrow().iter().map(|mail| mail.message_id.clone()).collect::<Vec<_>>());
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    desk.settings.webhook.enabled = false;
    desk.decide(2, &[rate(42.0)]);
    let settings = desk.settings.clone();
    let post = DeliveryContext { settings: &settings, ..post };
    drain(&mut desk.database, &ways, &post, 3).unwrap();
    assert_eq!(taken(), [3, 2, 3], "one that is switched off gets nothing");
}

#[test]
fn what_could_not_leave_for_a_week_is_given_up_and_told() {
    let mut desk = Fixture::new();
    desk.decide(0, &[rate(42.0)]);
    let wire = Wire::default();
    wire.down.set(true);
    let (settings, state_dir) = (desk.settings.clone(), desk.root.path().to_owned());
    let post = DeliveryContext { settings: &settings, state_dir: &state_dir, access: Access::Owner };
    let day = 24 * 60 * MINUTE;
    for (at, waiting) in [(6, 1), (8, 0)] {
        let delivered = drain(&mut desk.database, &by(&wire), &post, at * day).unwrap();
        assert_eq!((delivered.waiting, delivered.given_up.len()), (waiting, usize::from(waiting == 0)));
    }
    let told = &events(&desk.database, None, 1).unwrap()[0];
    assert_eq!(told.what, "given-up");
    assert!(told.message.contains("after 2 attempts: the mail server mail:25"), "{}", told.message);
}

/// Takes the message, and then the process is gone.
#[derive(Clone)]
struct Dying(Wire);
impl Notifier for Dying {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        self.0.send(mail)?;
        panic!("killed");
    }
}

#[test]
fn a_sender_that_dies_after_the_yes_and_before_its_note_repeats_with_the_same_message_id() {
    let mut desk = Fixture::new();
    let mail = desk.decide(0, &[rate(42.0)]).mail.unwrap();
    let wire = Wire::default();
    let (settings, state_dir) = (desk.settings.clone(), desk.root.path().to_owned());
    let post = DeliveryContext { settings: &settings, state_dir: &state_dir, access: Access::Owner };
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        drain(&mut open(&state_dir), &by(&Dying(wire.clone())), &post, 1).map(drop)
    }));
    assert!(killed.is_err());
    assert_eq!(drain(&mut desk.database, &by(&wire), &post, 2).unwrap().sent.len(), 1);
    assert_eq!(drain(&mut desk.database, &by(&wire), &post, 3).unwrap().sent.len(), 0);
    let ids: Vec<String> = wire.taken.borrow().iter().map(|taken| taken.message_id.clone()).collect();
    assert_eq!(ids, [mail.message_id.clone(), mail.message_id]);
}

#[test]
fn a_webhook_that_cannot_be_used_is_named_with_its_key_and_its_url_never_shown() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("url");
    crate::secure_fs::replace(&file, b"https://hooks.example.com/services/s3cret\n", Access::Owner).unwrap();
    let nothing = settings().webhook;
    let with = |url: &str| config::Webhook { url: Some(Secret::new(url)), ..nothing.clone() };
    for (webhook, words) in [
        (nothing.clone(), "alerts.webhook.url_file: no URL is given"),
        (with("hooks.example.com/s3cret"), "alerts.webhook.url: it is not an http"),
        (with("http://hooks.example.com/s3cret"), "alerts.webhook.url: http would send its secret part to hooks"),
        (with("https://a/s3cret\r\nHost: b"), "alerts.webhook.url: the variable does not hold one line"),
        (
            config::Webhook { ca_file: Some(file.clone()), ..with("https://hooks.example.com/s3cret") },
            "alerts.webhook.ca_file: the certificates cannot be used",
        ),
    ] {
        let settings = config::Alerts { webhook, ..settings() };
        let post = DeliveryContext { settings: &settings, state_dir: state.path(), access: Access::Owner };
        let error = check(&post, Channel::Webhook).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert!(!error.hint().is_empty() && !format!("{error} {error:?} {settings:?}").contains("s3cret"), "{error:?}");
    }
    let settings = config::Alerts { webhook: config::Webhook { url_file: Some(file), ..nothing }, ..settings() };
    let post = DeliveryContext { settings: &settings, state_dir: state.path(), access: Access::Owner };
    check(&post, Channel::Webhook).unwrap();
}

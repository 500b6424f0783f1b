//! Composes mails and sends them through SMTP, sendmail or into a folder.
//!
//! Guarantee: every setting is checked before the first connection.

use crate::alerts::email::fault::setting;
use crate::alerts::email::server::SmtpServer;
use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::alerts::notifier::Channel;
use crate::alerts::notifier::DeliveryContext;
use crate::alerts::notifier::Notifier;
use crate::alerts::notifier::Receipt;
use crate::alerts::sendmail;
use crate::config::MailTransport as Way;
use crate::model::{Mailbox as Parsed, one_line};
use crate::secure_fs;
use crate::secure_fs::Access;
use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message, MultiPart};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The mail notifier.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    way: Transport,
}

/// A mail transport with its settings.
#[derive(Debug)]
enum Transport {
    Smtp(Box<SmtpServer>),
    Sendmail(PathBuf),
    Folder(PathBuf, Access),
}

impl Mailer {
    /// Checks the settings and reads the password. Opens no connection.
    pub fn open(post: &DeliveryContext<'_>) -> Result<Mailer, AlertError> {
        let email = &post.settings.email;
        let (mut from, mut to) = (email.from.trim().to_owned(), email.to.clone());
        if email.transport == Way::File {
            // A file needs no real address.
            from = if from.is_empty() { "awsideman@localhost".into() } else { from };
            to = if to.is_empty() { vec!["root@localhost".into()] } else { to };
        }
        if to.is_empty() {
            return Err(setting("alerts.email.to", "no recipient is given", "name at least one address"));
        }
        let from = address("alerts.email.from", &from)?;
        let to = to.iter().map(|to| address("alerts.email.to", to)).collect::<Result<_, _>>()?;
        let way = match email.transport {
            Way::Smtp => Transport::Smtp(Box::new(SmtpServer::open(email)?)),
            Way::Sendmail => Transport::Sendmail(sendmail::find()?),
            Way::File => {
                let folder = email.dir.clone().unwrap_or_else(|| post.state_dir.join("mail"));
                Transport::Folder(folder, post.access)
            }
        };
        Ok(Mailer { from, to, timeout: email.timeout, way })
    }

    fn compose(&self, mail: &Mail) -> Result<Message, AlertError> {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.created_at).unwrap_or(0));
        let mut message = Message::builder()
            .message_id(Some(one_line(&mail.message_id)))
            .date(SystemTime::min(at, UNIX_EPOCH + Duration::from_secs(253_402_300_799)))
            .from(self.from.clone())
            .subject(one_line(&mail.subject))
            .header(AutoSubmitted)
            .header(MIME_VERSION_1_0);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let composed = if mail.html.is_empty() {
            message.header(ContentType::TEXT_PLAIN).body(mail.body.clone())
        } else {
            message.multipart(MultiPart::alternative_plain_html(mail.body.clone(), mail.html.clone()))
        };
        composed.map_err(|error| AlertError::Compose(error.to_string()))
    }
}

impl Notifier for Mailer {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        let message = self.compose(mail)?;
        let bytes = message.formatted();
        match &self.way {
            Transport::Smtp(server) => server.send(message.envelope(), &bytes, self.timeout),
            Transport::Sendmail(program) => {
                let to: Vec<String> = self.to.iter().map(|to| to.email.to_string()).collect();
                sendmail::send(program, self.from.email.as_ref(), &to, &bytes, self.timeout)?;
                Ok(Receipt { channel: Channel::Mail, place: program.display().to_string(), complaint: None })
            }
            Transport::Folder(folder, access) => {
                secure_fs::directory(folder, *access)?;
                // The name is derived from the Message-ID: a mail that is sent again replaces itself.
                let stem: String = mail.message_id.chars().take_while(|c| *c != '@').filter(|c| *c != '<').collect();
                let path = folder.join(format!("{stem}.eml"));
                secure_fs::replace(&path, &bytes, *access)?;
                Ok(Receipt { channel: Channel::Mail, place: path.display().to_string(), complaint: None })
            }
        }
    }
}

fn address(key: &'static str, text: &str) -> Result<Mailbox, AlertError> {
    let wrong = |problem: &str, hint: &str| {
        setting(key, &format!("`{}` is not a mail address: {problem}", one_line(text)), hint)
    };
    let parsed = Parsed::parse(text).map_err(|error| wrong(error.problem, error.hint))?;
    let address = Address::new(&parsed.local, &parsed.domain);
    let address = address.map_err(|error| wrong(&error.to_string(), "write one such as ops@example.com"))?;
    Ok(Mailbox::new(parsed.name, address))
}

/// `Auto-Submitted: auto-generated`, so that no vacation notice answers.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

//! Mails as the world knows them: headers, and the three ways out. The only file that names lettre.
//!
//! Neighbours: `outbox.rs` hands over what waits; `secret.rs` and `sendmail.rs` serve it. Promise: everything about
//! the settings is checked before the first connection; a password leaves only inside TLS; one refused recipient does
//! not keep the mail from the others; every error names the server and what it said.

use super::channel::{Channel, Post, Receipt, Transport};
use super::outbox::Mail;
use super::secret::Places;
use super::{AlertError, sendmail};
use crate::config::{Email, Tls, Transport as Way};
use crate::model::one_line;
use crate::private::{self, Access};
use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Mails that leave as the configuration says.
#[derive(Debug)]
pub struct Mailer {
    from: Mailbox,
    to: Vec<Mailbox>,
    timeout: Duration,
    way: Exit,
}

/// One way out, with all it needs.
#[derive(Debug)]
enum Exit {
    Smtp(Box<Server>),
    Sendmail(PathBuf),
    Folder(PathBuf, Access),
}

struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsParameters, Tls)>,
    /// The user name apart, for errors.
    login: Option<(String, Credentials)>,
}

impl Mailer {
    /// Checks the settings and reads the password; connects nowhere.
    pub fn open(post: &Post<'_>) -> Result<Mailer, AlertError> {
        let email = &post.settings.email;
        let (mut from, mut to) = (email.from.trim().to_owned(), email.to.clone());
        if email.transport == Way::File {
            // A file needs no address; whoever reads it knows why it is there.
            from = if from.is_empty() { "awsideman@localhost".into() } else { from };
            to = if to.is_empty() { vec!["root@localhost".into()] } else { to };
        }
        if to.is_empty() {
            return Err(setting("alerts.email.to", "no recipient is given", "name at least one address"));
        }
        let from = address("alerts.email.from", &from)?;
        let to = to.iter().map(|to| address("alerts.email.to", to)).collect::<Result<_, _>>()?;
        let way = match email.transport {
            Way::Smtp => Exit::Smtp(Box::new(Server::open(email)?)),
            Way::Sendmail => Exit::Sendmail(sendmail::find()?),
            Way::File => {
                let folder = email.dir.clone().unwrap_or_else(|| post.state_dir.join("mail"));
                Exit::Folder(folder, post.access)
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

impl Transport for Mailer {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        let message = self.compose(mail)?;
        let bytes = message.formatted();
        match &self.way {
            Exit::Smtp(server) => server.send(message.envelope(), &bytes, self.timeout),
            Exit::Sendmail(program) => {
                let to: Vec<String> = self.to.iter().map(|to| to.email.to_string()).collect();
                sendmail::send(program, self.from.email.as_ref(), &to, &bytes, self.timeout)?;
                Ok(Receipt { channel: Channel::Mail, place: program.display().to_string(), complaint: None })
            }
            Exit::Folder(folder, access) => {
                private::directory(folder, *access)?;
                // The name follows from the Message-ID: a mail that is sent again replaces itself.
                let stem: String = mail.message_id.chars().take_while(|c| *c != '@').filter(|c| *c != '<').collect();
                let path = folder.join(format!("{stem}.eml"));
                private::replace(&path, &bytes, *access)?;
                Ok(Receipt { channel: Channel::Mail, place: path.display().to_string(), complaint: None })
            }
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.name()).finish()
    }
}

impl Server {
    fn open(email: &Email) -> Result<Server, AlertError> {
        let host = email.host.trim().to_owned();
        if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(setting("alerts.email.host", "no mail server is given", "name the SMTP server"));
        }
        let places = Places {
            what: "password",
            variable: ("alerts.email.password", email.password.as_ref()),
            file: ("alerts.email.password_file", email.password_file.as_deref()),
            command: ("alerts.email.password_command", &email.password_command),
            timeout: email.timeout,
        };
        let login = match (&email.username, places.is_given()) {
            (None, false) => None,
            (Some(_), false) => {
                let hint = "name a file of mode 0600 that holds the password";
                return Err(setting("alerts.email.password_file", "a user name is given, but no password", hint));
            }
            (None, true) => {
                let hint = "give the user name that belongs to the password";
                return Err(setting("alerts.email.username", "a password is given, but no user name", hint));
            }
            (Some(_), true) if email.tls == Tls::None => {
                let hint = "set it to starttls or implicit, or drop username and password_file";
                return Err(setting("alerts.email.tls", "`none` would send the password in clear", hint));
            }
            (Some(name), true) => {
                let password = places.read()?.unwrap_or_default();
                Some((name.clone(), Credentials::new(name.clone(), password)))
            }
        };
        let tls = match email.tls {
            Tls::None => None,
            kind => Some((trust(email, &host)?, kind)),
        };
        let usual = match email.tls {
            Tls::Starttls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        };
        Ok(Server { host, port: email.port.unwrap_or(usual), tls, login })
    }

    fn send(&self, envelope: &Envelope, mail: &[u8], timeout: Duration) -> Result<Receipt, AlertError> {
        let mut connection = self.connect(timeout)?;
        let done = self.transact(&mut connection, envelope, mail);
        // Says QUIT; what it answers changes nothing any more.
        connection.abort();
        let complaint = done?;
        Ok(Receipt { channel: Channel::Mail, place: self.name(), complaint })
    }

    fn connect(&self, timeout: Duration) -> Result<SmtpConnection, AlertError> {
        let hello = ClientId::default();
        let wrapper = match &self.tls {
            Some((parameters, Tls::Implicit)) => Some(parameters),
            _ => None,
        };
        let fault = |error: SmtpError| self.fault(&error);
        let to = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(to, Some(timeout), &hello, wrapper, None).map_err(fault)?;
        if let Some((parameters, Tls::Starttls)) = &self.tls {
            if !connection.can_starttls() {
                connection.abort();
                let reason = "it does not offer STARTTLS".to_owned();
                return Err(AlertError::Tls { server: self.name(), reason });
            }
            connection.starttls(parameters, &hello).map_err(fault)?;
        }
        if let Some((username, credentials)) = &self.login {
            // Belt and braces: no path above leads here without TLS, and none ever must.
            if !connection.is_encrypted() {
                connection.abort();
                let reason = "the connection is not encrypted".to_owned();
                return Err(AlertError::Tls { server: self.name(), reason });
            }
            if let Err(error) = connection.auth(DEFAULT_MECHANISMS, credentials) {
                connection.abort();
                return Err(match self.fault(&error) {
                    AlertError::Refused { server, reason } => {
                        AlertError::Login { server, username: username.clone(), reason }
                    }
                    other => other,
                });
            }
        }
        Ok(connection)
    }

    /// One mail for all recipients the server takes; the sentence names those it does not.
    fn transact(
        &self,
        connection: &mut SmtpConnection,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<Option<String>, AlertError> {
        let fault = |error: SmtpError| self.fault(&error);
        let mut parameters = Vec::new();
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let reason = "an address is not ASCII, and it does not offer SMTPUTF8".to_owned();
                return Err(AlertError::Refused { server: self.name(), reason });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        connection.command(MailFrom::new(envelope.from().cloned(), parameters)).map_err(fault)?;
        let mut refused = Vec::new();
        for recipient in envelope.to() {
            let Err(error) = connection.command(Rcpt::new(recipient.clone(), Vec::new())) else { continue };
            match self.fault(&error) {
                AlertError::Refused { server, reason } => {
                    refused.push(AlertError::Recipient { server, recipient: recipient.to_string(), reason });
                }
                other => return Err(other),
            }
        }
        if refused.len() == envelope.to().len()
            && let Some(first) = refused.pop()
        {
            return Err(first);
        }
        connection.command(Data).map_err(fault)?;
        connection.message(mail).map_err(fault)?;
        let complaints = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok((!complaints.is_empty()).then_some(complaints))
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// lettre's error as ours.
    fn fault(&self, error: &SmtpError) -> AlertError {
        let (server, reason) = (self.name(), one_line(&root_cause(error)));
        if let Some(code) = error.status() {
            return AlertError::Refused { server, reason: format!("{code} {reason}") };
        }
        if is_timeout(error) {
            return AlertError::TimedOut { server };
        }
        // rustls speaks through an input/output error and keeps its own type to itself.
        if reason.contains("certificate") || reason.contains("UnknownIssuer") {
            return AlertError::Certificate { server, reason };
        }
        let garbled = reason.contains("corrupt message") || reason.contains("InvalidMessage") || error.is_response();
        if error.is_tls() || (self.tls.is_some() && garbled) {
            return AlertError::Tls { server, reason };
        }
        if error.is_client() || error.is_response() {
            return AlertError::Refused { server, reason };
        }
        AlertError::Unreachable { server, reason }
    }
}

/// The certificates to trust: the host's own and those of `ca_file`.
fn trust(email: &Email, host: &str) -> Result<TlsParameters, AlertError> {
    const KEY: &str = "alerts.email.ca_file";
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &email.ca_file {
        let hint = "name a PEM file of certificates";
        let pem = std::fs::read(path)
            .map_err(|error| setting(KEY, &format!("cannot read {}: {error}", path.display()), hint))?;
        let certificate = Certificate::from_pem(&pem)
            .ok()
            .filter(|_| pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----"))
            .ok_or_else(|| setting(KEY, &format!("{} holds no PEM certificate", path.display()), hint))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| setting(KEY, &error.to_string(), "name a PEM file of sound certificates"))
}

fn address(key: &'static str, text: &str) -> Result<Mailbox, AlertError> {
    let hint = "write it as name@example.com or Name <name@example.com>";
    // A line break in an address would begin a header of its own.
    let clean = !text.trim().is_empty() && !text.contains(char::is_control);
    let parsed = clean.then(|| text.trim().parse::<Mailbox>().ok()).flatten();
    parsed.ok_or_else(|| setting(key, &format!("`{}` is not a mail address", one_line(text)), hint))
}

fn setting(key: &'static str, problem: &str, hint: &str) -> AlertError {
    AlertError::Setting { key, problem: problem.into(), hint: hint.into() }
}

fn root_cause(error: &SmtpError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A read that ends by its timeout is `WouldBlock` on Unix, a connection attempt `TimedOut`.
fn is_timeout(error: &SmtpError) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock);
        }
        cause = this.source();
    }
    false
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

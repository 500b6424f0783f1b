//! Sends a mail to one SMTP server.
//!
//! Guarantee: a delivery ends within its timeout, whatever the server sends. A password or token is sent only inside
//! TLS and is in no error. A mail is reported as delivered only after the server accepted it. A refused recipient
//! does not stop delivery to the others.

use super::fault::{self, SmtpStage, setting};
use super::login::{SmtpLogin, log_in};
use super::wire::{self, TlsWire};
use crate::alerts::error::AlertError;
use crate::alerts::hidden::Hidden;
use crate::alerts::notifier::Channel;
use crate::alerts::notifier::Receipt;
use crate::alerts::secret::Places;
use crate::config::{Auth, EmailConfig, Tls};
use crate::host;
use crate::secure_fs::bounded;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest wait for the answer to QUIT.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct SmtpServer {
    host: String,
    port: u16,
    tls: Option<(TlsParameters, Tls)>,
    login: Option<SmtpLogin>,
    /// The name for EHLO from the configuration.
    helo: Option<String>,
    /// Forms of the password or token that a server may repeat.
    hidden: Hidden,
}

impl std::fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.name()).finish()
    }
}

impl SmtpServer {
    /// Checks the settings and reads the password or token. Opens no connection.
    pub(super) fn open(email: &EmailConfig) -> Result<SmtpServer, AlertError> {
        let host = email.host.trim().to_owned();
        if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(setting("alerts.email.host", "no mail server is given", "name the SMTP server"));
        }
        let helo = email.helo.clone();
        if helo.as_ref().is_some_and(|name| name.contains(|c: char| c.is_control() || c.is_whitespace())) {
            let hint = "write the full name of this host, such as mail.example.com";
            return Err(setting("alerts.email.helo", "it has a character that is not allowed in a host name", hint));
        }
        let login = login(email)?;
        let tls = match email.tls {
            Tls::None => None,
            kind => Some((trust(email, &host)?, kind)),
        };
        let usual = match email.tls {
            Tls::Starttls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        };
        let hidden = login.as_ref().map(hidden).unwrap_or_default();
        Ok(SmtpServer { host, port: email.port.unwrap_or(usual), tls, login, helo, hidden })
    }

    /// Sends one mail within `timeout`, from the first connection to the last answer.
    pub(super) fn send(&self, envelope: &Envelope, mail: &[u8], timeout: Duration) -> Result<Receipt, AlertError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| AlertError::Unreachable { server: self.name(), reason: error.to_string() })?;
        let done = runtime.block_on(self.deliver(envelope, mail, timeout));
        // A pending name resolution must not delay the next delivery.
        runtime.shutdown_background();
        let complaint = done.map_err(|error| error.with_reason(|reason| self.hidden.excerpt(reason)))?;
        Ok(Receipt { channel: Channel::Mail, place: self.name(), complaint })
    }

    async fn deliver(&self, envelope: &Envelope, mail: &[u8], timeout: Duration) -> Result<Option<String>, AlertError> {
        let end = Instant::now() + timeout;
        let late = |_| AlertError::TimedOut { server: self.name() };
        let (mut connection, hello) = timeout_at(end, self.connect(end)).await.map_err(late)??;
        // Once the whole mail is written, the server may have accepted it even if its answer is lost.
        let is_written = Cell::new(false);
        let done = timeout_at(end, self.transact(&mut connection, &hello, envelope, mail, &is_written)).await;
        match done {
            Ok(done) => {
                // Sends QUIT and ignores its answer.
                let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
                done
            }
            Err(_) if is_written.get() => {
                let reason = format!("it did not answer within {timeout:?}");
                Err(AlertError::Unconfirmed { server: self.name(), reason })
            }
            Err(elapsed) => Err(late(elapsed)),
        }
    }

    /// The name for EHLO: the configured name, the full name of this host, or its address in brackets (RFC 5321,
    /// 4.1.4).
    fn hello(&self, own: Option<IpAddr>) -> ClientId {
        if let Some(name) = self.helo.clone().or_else(host::full_host_name) {
            return ClientId::Domain(name);
        }
        match own {
            Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
            None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
        }
    }

    async fn connect(&self, end: Instant) -> Result<(AsyncSmtpConnection, ClientId), AlertError> {
        let server = self.name();
        let wire = wire::connect(&self.host, self.port, end).await.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => AlertError::TimedOut { server: server.clone() },
            _ => AlertError::Unreachable { server: server.clone(), reason: error.to_string() },
        })?;
        let hello = self.hello(wire.local_address());
        let fault = |error: SmtpError| self.fault(&error, &SmtpStage::Hello(hello.to_string()));
        let mut is_encrypted = false;
        let wire: Box<dyn AsyncTokioStream> = match &self.tls {
            Some((parameters, Tls::Implicit)) => {
                is_encrypted = true;
                Box::new(TlsWire::over(wire, parameters.clone()).await.map_err(fault)?)
            }
            _ => Box::new(wire),
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(wire, &hello).await.map_err(fault)?;
        if let Some((parameters, Tls::Starttls)) = &self.tls {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(AlertError::Tls { server, reason: "it does not offer STARTTLS".to_owned() });
            }
            connection.starttls(parameters.clone(), &hello).await.map_err(fault)?;
            is_encrypted = connection.is_encrypted();
        }
        if let Some(login) = &self.login {
            // Defense in depth: every path above has TLS at this point.
            if !is_encrypted {
                connection.abort().await;
                return Err(AlertError::Tls { server, reason: "the connection is not encrypted".to_owned() });
            }
            if let Err(error) = log_in(&mut connection, login, &hello, &server, &fault).await {
                connection.abort().await;
                return Err(error);
            }
        }
        Ok((connection, hello))
    }

    /// Sends one mail to all recipients that the server accepts, and returns a sentence with those it refuses.
    async fn transact(
        &self,
        connection: &mut AsyncSmtpConnection,
        hello: &ClientId,
        envelope: &Envelope,
        mail: &[u8],
        is_written: &Cell<bool>,
    ) -> Result<Option<String>, AlertError> {
        let helo = hello.to_string();
        let mut parameters = Vec::new();
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                let reason = "an address is not ASCII, and it does not offer SMTPUTF8".to_owned();
                return Err(AlertError::Refused { server: self.name(), reason });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = envelope.from().map(ToString::to_string).unwrap_or_default();
        let stage = SmtpStage::Sender { helo: helo.clone(), sender };
        let from = MailFrom::new(envelope.from().cloned(), parameters);
        let answer = connection.command(from).await.map_err(|error| self.fault(&error, &stage))?;
        self.completed(&answer, "MAIL")?;
        let mut refused = Vec::new();
        for recipient in envelope.to() {
            let error = match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
                Ok(answer) => {
                    self.completed(&answer, "RCPT")?;
                    continue;
                }
                Err(error) => error,
            };
            let stage = SmtpStage::Recipient { helo: helo.clone(), recipient: recipient.to_string() };
            match self.fault(&error, &stage) {
                error @ AlertError::Recipient { .. } => refused.push(error),
                other => return Err(other),
            }
        }
        if refused.len() == envelope.to().len()
            && let Some(first) = refused.pop()
        {
            return Err(first);
        }
        let answer = connection.command(Data).await.map_err(|error| self.fault(&error, &SmtpStage::Content))?;
        if !answer.has_code(354) {
            let reason = format!("it answered {} to DATA", answer.code());
            return Err(AlertError::Protocol { server: self.name(), reason });
        }
        is_written.set(true);
        let confirmed =
            connection.message(mail).await.map_err(|error| match self.fault(&error, &SmtpStage::Content) {
                refusal if error.status().is_some() => refusal,
                fault => AlertError::Unconfirmed { server: self.name(), reason: fault.reason().to_owned() },
            })?;
        self.completed(&confirmed, "the mail")?;
        let complaints = refused
            .into_iter()
            .map(|error| error.with_reason(|reason| self.hidden.excerpt(reason)).to_string())
            .collect::<Vec<_>>()
            .join("; ");
        Ok((!complaints.is_empty()).then_some(complaints))
    }

    /// Whether the server completed the command; lettre accepts a 3xx answer as success.
    fn completed(&self, answer: &Response, what: &str) -> Result<(), AlertError> {
        if answer.code().severity == Severity::PositiveCompletion {
            return Ok(());
        }
        let reason = format!("it answered {} to {what}", answer.code());
        Err(AlertError::Protocol { server: self.name(), reason })
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn fault(&self, error: &SmtpError, stage: &SmtpStage) -> AlertError {
        fault::of(error, stage, self.name(), self.tls.is_some())
    }
}

/// User name and password or token from the configured places; `None` if there are none.
fn login(email: &EmailConfig) -> Result<Option<SmtpLogin>, AlertError> {
    let is_token = email.auth == Auth::Xoauth2;
    let places = if is_token {
        Places {
            what: "token",
            variable: ("", None),
            file: ("", None),
            command: ("alerts.email.token_command", &email.token_command),
            timeout: email.timeout,
        }
    } else {
        Places {
            what: "password",
            variable: ("alerts.email.password", email.password.as_ref()),
            file: ("alerts.email.password_file", email.password_file.as_deref()),
            command: ("alerts.email.password_command", &email.password_command),
            timeout: email.timeout,
        }
    };
    match (&email.username, places.is_given()) {
        (None, false) if !is_token => Ok(None),
        (_, false) if is_token => {
            let hint = "write the command that prints an access token, and its arguments";
            Err(setting("alerts.email.token_command", "auth is xoauth2, but there is no command", hint))
        }
        (_, false) => {
            let hint = "name a file of mode 0600 that holds the password";
            Err(setting("alerts.email.password_file", "a user name is given, but no password", hint))
        }
        (None, true) => {
            let problem = format!("a {} is given, but no user name", places.what);
            let hint = format!("give the user name that belongs to the {}", places.what);
            Err(setting("alerts.email.username", &problem, &hint))
        }
        (Some(_), true) if email.tls == Tls::None => {
            let problem = format!("`none` would send the {} in plaintext", places.what);
            Err(setting("alerts.email.tls", &problem, "set it to starttls or implicit, or remove the username"))
        }
        (Some(name), true) => {
            let secret = places.read()?.unwrap_or_default();
            Ok(Some(SmtpLogin { username: name.clone(), secret, auth: email.auth }))
        }
    }
}

/// The secret in plaintext, and as each mechanism encodes it.
fn hidden(login: &SmtpLogin) -> Hidden {
    let (user, secret) = (&login.username, &login.secret);
    let sent = [secret.clone(), format!("\0{user}\0{secret}"), format!("user={user}\x01auth=Bearer {secret}\x01\x01")];
    let encoded = sent.iter().map(|text| BASE64_STANDARD.encode(text).trim_end_matches('=').to_owned());
    Hidden::new(encoded.chain([secret.clone()]))
}

/// The certificates to trust: the host's own and those of `ca_file`.
fn trust(email: &EmailConfig, host: &str) -> Result<TlsParameters, AlertError> {
    const KEY: &str = "alerts.email.ca_file";
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &email.ca_file {
        let hint = "name a PEM file of certificates";
        let pem = bounded::bounded(path, bounded::CERTIFICATE_FILE)
            .map_err(|error| setting(KEY, &format!("cannot read {}: {error}", path.display()), hint))?;
        let certificate = Certificate::from_pem(&pem)
            .ok()
            .filter(|_| pem.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----"))
            .ok_or_else(|| setting(KEY, &format!("{} holds no PEM certificate", path.display()), hint))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| setting(KEY, &error.to_string(), "name a PEM file of valid certificates"))
}

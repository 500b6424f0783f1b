//! One mail server: the connection, its protection, and the transaction of one mail.
//!
//! A password or token is sent only inside TLS. A refused recipient does not stop delivery to the others.

use super::fault::{self, Stage};
use super::login::{Login, log_in};
use super::setting;
use crate::alerts::AlertError;
use crate::alerts::channel::{Channel, Receipt};
use crate::alerts::secret::Places;
use crate::config::{Auth, Email, Tls};
use crate::host;
use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

pub(super) struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsParameters, Tls)>,
    login: Option<Login>,
    /// The name for EHLO from the configuration.
    helo: Option<String>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.name()).finish()
    }
}

impl Server {
    /// Checks the settings and reads the password or token; connects nowhere.
    pub(super) fn open(email: &Email) -> Result<Server, AlertError> {
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
        Ok(Server { host, port: email.port.unwrap_or(usual), tls, login, helo })
    }

    pub(super) fn send(&self, envelope: &Envelope, mail: &[u8], timeout: Duration) -> Result<Receipt, AlertError> {
        let hello = self.hello();
        let mut connection = self.connect(&hello, timeout)?;
        let done = self.transact(&mut connection, &hello, envelope, mail);
        // Sends QUIT; its answer does not matter.
        connection.abort();
        let complaint = done?;
        Ok(Receipt { channel: Channel::Mail, place: self.name(), complaint })
    }

    /// The name for EHLO: the configured name, the full name of this host, or else its address in brackets (RFC 5321, 4.1.4).
    fn hello(&self) -> ClientId {
        if let Some(name) = self.helo.clone().or_else(host::full_host_name) {
            return ClientId::Domain(name);
        }
        // Connecting a datagram socket sends nothing; the system only chooses the address that it would send from.
        let own = ["0.0.0.0:0", "[::]:0"].into_iter().find_map(|any| {
            let socket = UdpSocket::bind(any).ok()?;
            socket.connect((self.host.as_str(), self.port)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        });
        match own {
            Some(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Some(IpAddr::V6(address)) => ClientId::Ipv6(address),
            None => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
        }
    }

    fn connect(&self, hello: &ClientId, timeout: Duration) -> Result<SmtpConnection, AlertError> {
        let wrapper = match &self.tls {
            Some((parameters, Tls::Implicit)) => Some(parameters),
            _ => None,
        };
        let fault = |error: SmtpError| self.fault(&error, &Stage::Hello(hello.to_string()));
        let to = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(to, Some(timeout), hello, wrapper, None).map_err(fault)?;
        if let Some((parameters, Tls::Starttls)) = &self.tls {
            if !connection.can_starttls() {
                connection.abort();
                let reason = "it does not offer STARTTLS".to_owned();
                return Err(AlertError::Tls { server: self.name(), reason });
            }
            connection.starttls(parameters, hello).map_err(fault)?;
        }
        if let Some(login) = &self.login {
            // A second check: every path above has TLS at this point.
            if !connection.is_encrypted() {
                connection.abort();
                let reason = "the connection is not encrypted".to_owned();
                return Err(AlertError::Tls { server: self.name(), reason });
            }
            let server = self.name();
            if let Err(error) = log_in(&mut connection, login, hello, &server, &|error| fault(error)) {
                connection.abort();
                return Err(error);
            }
        }
        Ok(connection)
    }

    /// One mail for all recipients the server takes; the sentence names those it does not.
    fn transact(
        &self,
        connection: &mut SmtpConnection,
        hello: &ClientId,
        envelope: &Envelope,
        mail: &[u8],
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
        connection
            .command(MailFrom::new(envelope.from().cloned(), parameters))
            .map_err(|error| self.fault(&error, &Stage::Sender { helo: helo.clone(), sender }))?;
        let mut refused = Vec::new();
        for recipient in envelope.to() {
            let Err(error) = connection.command(Rcpt::new(recipient.clone(), Vec::new())) else { continue };
            let stage = Stage::Recipient { helo: helo.clone(), recipient: recipient.to_string() };
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
        let fault = |error: SmtpError| self.fault(&error, &Stage::Content);
        connection.command(Data).map_err(fault)?;
        connection.message(mail).map_err(fault)?;
        let complaints = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        Ok((!complaints.is_empty()).then_some(complaints))
    }

    fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn fault(&self, error: &SmtpError, stage: &Stage) -> AlertError {
        fault::of(error, stage, self.name(), self.tls.is_some())
    }
}

/// User name and password or token, from the places that the configuration names; `None` without any.
fn login(email: &Email) -> Result<Option<Login>, AlertError> {
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
            let credentials = Credentials::new(name.clone(), secret);
            Ok(Some(Login { username: name.clone(), credentials, auth: email.auth }))
        }
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
    builder.build_rustls().map_err(|error| setting(KEY, &error.to_string(), "name a PEM file of intact certificates"))
}

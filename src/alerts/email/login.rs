//! Logs in to a mail server, with a password or an OAuth 2.0 token.
//!
//! Errors name every mechanism that the server offers, including unknown ones.

use crate::alerts::error::AlertError;
use crate::config::Auth;
use crate::model::one_line;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Auth as AuthCommand, Ehlo};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;

/// The most characters of a server's explanation that are shown.
const SHOWN: usize = 300;

/// The user to log in, and the method.
pub(super) struct SmtpLogin {
    /// The user name, for errors.
    pub(super) username: String,
    /// The password or token.
    pub(super) secret: String,
    pub(super) auth: Auth,
}

/// Logs in; `fault` converts all errors except a refusal.
pub(super) async fn log_in(
    connection: &mut AsyncSmtpConnection,
    login: &SmtpLogin,
    hello: &ClientId,
    server: &str,
    fault: &dyn Fn(SmtpError) -> AlertError,
) -> Result<(), AlertError> {
    // lettre keeps only the mechanisms that it knows.
    let offered = offered(&connection.command(Ehlo::new(hello.clone())).await.map_err(fault)?);
    let wanted = match login.auth {
        Auth::Password => &[Mechanism::Plain, Mechanism::Login][..],
        Auth::Xoauth2 => &[Mechanism::Xoauth2],
    };
    let refusal = |reason: String, hint: String| AlertError::Login {
        server: server.to_owned(),
        username: login.username.clone(),
        reason: format!("{reason}; it offers {}", list(&offered)),
        hint,
    };
    let known = wanted.iter().find(|mechanism| offered.contains(&mechanism.to_string()));
    let Some(mechanism) = known.copied() else {
        let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        return Err(refusal(format!("it does not offer {}", names.join(" or ")), other_way(login.auth, &offered)));
    };
    let credentials = Credentials::new(login.username.clone(), login.secret.clone());
    let answer = match mechanism {
        Mechanism::Xoauth2 => xoauth2(connection, credentials).await,
        other => connection.auth(&[other], &credentials).await.map(drop).map_err(|error| (error, None)),
    };
    answer.map_err(|(error, detail)| {
        let Some(code) = error.status() else { return fault(error) };
        let words = detail.unwrap_or_else(|| one_line(&super::fault::root_cause(&error)));
        refusal(format!("{code} {words}"), after_refusal(login.auth, &offered))
    })
}

/// A server that refuses the token sends its explanation as a challenge, and the error only after an empty response.
async fn xoauth2(
    connection: &mut AsyncSmtpConnection,
    credentials: Credentials,
) -> Result<(), (SmtpError, Option<String>)> {
    let plain = |error| (error, None);
    let command = AuthCommand::new(Mechanism::Xoauth2, credentials, None).map_err(plain)?;
    let answer = connection.command(command).await.map_err(plain)?;
    if !answer.has_code(334) {
        return Ok(());
    }
    let detail = answer.first_line().and_then(|line| BASE64_STANDARD.decode(line.trim()).ok());
    let detail = detail.map(|bytes| one_line(&String::from_utf8_lossy(&bytes)).chars().take(SHOWN).collect::<String>());
    connection.command("\r\n").await.map(drop).map_err(|error| {
        let words = one_line(&super::fault::root_cause(&error));
        (error, Some(detail.map_or(words.clone(), |detail| format!("{words} {detail}"))))
    })
}

/// The mechanisms in the answer to EHLO.
fn offered(answer: &Response) -> Vec<String> {
    let lines = answer.message().filter_map(|line| line.strip_prefix("AUTH ").or_else(|| line.strip_prefix("AUTH=")));
    let mut names: Vec<String> =
        lines.flat_map(str::split_whitespace).map(|name| one_line(name).to_uppercase()).collect();
    names.dedup();
    names
}

fn list(offered: &[String]) -> String {
    if offered.is_empty() { "no login mechanism".to_owned() } else { format!("AUTH {}", offered.join(" ")) }
}

fn other_way(auth: Auth, offered: &[String]) -> String {
    let offers = |name: &str| offered.iter().any(|offered| offered == name);
    match auth {
        Auth::Password if offers("XOAUTH2") => {
            "set alerts.email.auth = \"xoauth2\" and alerts.email.token_command: this server takes no passwords".into()
        }
        Auth::Xoauth2 if offers("PLAIN") || offers("LOGIN") => {
            "set alerts.email.auth = \"password\": this server takes no tokens".into()
        }
        _ if offered.is_empty() => {
            "log in on the port for submission (587 or 465), or remove alerts.email.username".into()
        }
        _ => "use a server that offers PLAIN, LOGIN or XOAUTH2, or alerts.email.transport = \"sendmail\"".into(),
    }
}

fn after_refusal(auth: Auth, offered: &[String]) -> String {
    match auth {
        Auth::Password if offered.iter().any(|name| name == "XOAUTH2") => {
            "check alerts.email.username and alerts.email.password_file; if the provider no longer accepts passwords, \
             set alerts.email.auth = \"xoauth2\""
                .into()
        }
        Auth::Password => "check alerts.email.username and the file alerts.email.password_file".into(),
        Auth::Xoauth2 => {
            "run alerts.email.token_command by hand: its token must be valid for this user and for sending by SMTP"
                .into()
        }
    }
}

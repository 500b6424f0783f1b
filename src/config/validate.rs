//! Checks settings that contradict each other.
//!
//! Each rule names the key to change.

use crate::config::diagnostic::ValueFault;
use crate::config::schema::Auth;
use crate::config::schema::Config;
use crate::config::schema::EmailConfig;
use crate::config::schema::Encryption;
use crate::config::schema::HealthConfig;
use crate::config::schema::MailTransport;
use crate::config::schema::Tls;
use std::path::Path;

const ENABLED: &str = "alerts.email.enabled";

/// A contradiction of settings.
#[derive(Debug)]
pub(super) struct Contradiction {
    /// The keys of the contradiction; the first one is reported.
    pub(super) keys: &'static [&'static str],
    pub(super) fault: ValueFault,
}

/// All contradictions.
pub(super) fn check(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut rule = |broken: bool, keys: &'static [&'static str], what: String, hint: &str| {
        if broken {
            found.push(Contradiction { keys, fault: ValueFault::new(what, hint) });
        }
    };
    let health = &config.health;
    rule(
        health.hit_rate_critical > health.hit_rate_warn,
        &["health.hit_rate_critical", "health.hit_rate_warn"],
        format!("{} is above health.hit_rate_warn ({})", health.hit_rate_critical, health.hit_rate_warn),
        "a low hit rate is critical below the lower of the two: swap them",
    );
    if let (Some(warn), Some(critical)) = (health.size_mb_warn, health.size_mb_critical) {
        rule(
            warn > critical,
            &["health.size_mb_warn", "health.size_mb_critical"],
            format!("{warn} is above health.size_mb_critical ({critical})"),
            "a size is critical above the higher of the two: swap them",
        );
    }
    rule(
        health.free_disk_mb_critical > health.free_disk_mb_warn,
        &["health.free_disk_mb_critical", "health.free_disk_mb_warn"],
        format!("{} is above health.free_disk_mb_warn ({})", health.free_disk_mb_critical, health.free_disk_mb_warn),
        "little free space is critical below the lower of the two: swap them",
    );
    recovery(health, &mut rule);

    key(&config.cache.encryption, &mut rule);
    let daemon = &config.daemon;
    if let Some(listen) = daemon.listen {
        rule(
            !listen.ip().is_loopback() && !daemon.allow_remote,
            &["daemon.listen", "daemon.allow_remote"],
            format!("`{listen}` can be reached by other hosts"),
            "listen on 127.0.0.1, or set daemon.allow_remote = true to permit it",
        );
    }
    textfile(config.metrics.textfile.as_deref(), &mut rule);

    let email = &config.alerts.email;
    login(email, &mut rule);
    let without = |nothing: bool| email.enabled && nothing;
    rule(
        without(email.from.is_empty()),
        &["alerts.email.from", ENABLED],
        "mail is enabled and has no sender".into(),
        "set the sender's address",
    );
    rule(
        without(email.to.is_empty()),
        &["alerts.email.to", ENABLED],
        "mail is enabled and has no recipient".into(),
        "set at least one recipient",
    );
    rule(
        without(email.transport == MailTransport::Smtp && email.host.is_empty()),
        &["alerts.email.host", ENABLED],
        "mail is enabled and has no server".into(),
        "set the SMTP server, or another alerts.email.transport",
    );
    let webhook = &config.alerts.webhook;
    rule(
        webhook.enabled && webhook.url.is_none() && webhook.url_file.is_none() && webhook.url_command.is_empty(),
        &["alerts.webhook.url_file", "alerts.webhook.enabled"],
        "the webhook is enabled and has no URL".into(),
        "name the file that holds it, or set AWSIDEMAN_ALERTS_WEBHOOK_URL",
    );
    rule(
        config.alerts.command.enabled && config.alerts.command.argv.is_empty(),
        &["alerts.command.argv", "alerts.command.enabled"],
        "the command is enabled and names no program".into(),
        "write its program and arguments, as in [\"/usr/local/bin/page-me\"]",
    );
    found
}

/// A password or a token requires a user name and TLS, and excludes the other one.
fn login(email: &EmailConfig, rule: &mut impl FnMut(bool, &'static [&'static str], String, &str)) {
    let has_password = email.password.is_some() || email.password_file.is_some() || !email.password_command.is_empty();
    let is_token = email.auth == Auth::Xoauth2;
    let has_token = !email.token_command.is_empty();
    rule(
        email.tls == Tls::None && has_password,
        &["alerts.email.tls", "alerts.email.password_file"],
        "`none` would send the password in plaintext".into(),
        "write starttls or implicit, or remove alerts.email.password_file",
    );
    rule(
        email.tls == Tls::None && has_token,
        &["alerts.email.tls", "alerts.email.token_command"],
        "`none` would send the token in plaintext".into(),
        "write starttls or implicit",
    );
    rule(
        has_password && email.username.is_none(),
        &["alerts.email.password_file", "alerts.email.username"],
        "a password without alerts.email.username".into(),
        "set alerts.email.username",
    );
    rule(
        has_token && email.username.is_none(),
        &["alerts.email.token_command", "alerts.email.username"],
        "a token without alerts.email.username".into(),
        "set alerts.email.username",
    );
    rule(
        is_token && !has_token,
        &["alerts.email.auth", "alerts.email.token_command"],
        "`xoauth2` without alerts.email.token_command".into(),
        "write the command that prints an access token, and its arguments",
    );
    rule(
        !is_token && has_token,
        &["alerts.email.token_command", "alerts.email.auth"],
        "a token is not used with alerts.email.auth = \"password\"".into(),
        "set alerts.email.auth = \"xoauth2\"",
    );
}

/// The textfile collector reads only files with its extension.
fn textfile(textfile: Option<&Path>, rule: &mut impl FnMut(bool, &'static [&'static str], String, &str)) {
    if let Some(textfile) = textfile {
        rule(
            textfile.extension().is_none_or(|ending| ending != "prom"),
            &["metrics.textfile"],
            format!("`{}` does not end with .prom", textfile.display()),
            "node_exporter reads only *.prom: give it that ending",
        );
    }
}

/// Encryption requires exactly one source of keys.
fn key(encryption: &Encryption, rule: &mut impl FnMut(bool, &'static [&'static str], String, &str)) {
    rule(
        encryption.enabled && encryption.key_file.is_none() && encryption.key_command.is_empty(),
        &["cache.encryption.enabled", "cache.encryption.key_file"],
        "encryption is enabled and has no key".into(),
        "set cache.encryption.key_file; `awsideman cache encryption enable --generate` creates one",
    );
    rule(
        encryption.key_file.is_some() && !encryption.key_command.is_empty(),
        &["cache.encryption.key_command", "cache.encryption.key_file"],
        "the key would be in two places".into(),
        "keep cache.encryption.key_file or cache.encryption.key_command",
    );
}

/// The recovery value must be on the good side of the critical one.
fn recovery(health: &HealthConfig, rule: &mut impl FnMut(bool, &'static [&'static str], String, &str)) {
    let mut compare = |wrong: bool, keys: &'static [&'static str], side: &str| {
        let what = format!("an alert would be resolved while it is still critical ({})", keys[1]);
        rule(wrong, keys, what, &format!("set it {side} the critical value"));
    };
    let below = |recovered: Option<f64>, critical: f64| recovered.is_some_and(|value| value < critical);
    let above = |recovered: Option<f64>, critical: f64| recovered.is_some_and(|value| value > critical);
    compare(
        below(health.hit_rate_recovered, health.hit_rate_critical),
        &["health.hit_rate_recovered", "health.hit_rate_critical"],
        "above",
    );
    compare(
        below(health.free_disk_mb_recovered, health.free_disk_mb_critical),
        &["health.free_disk_mb_recovered", "health.free_disk_mb_critical"],
        "above",
    );
    compare(
        above(health.error_rate_recovered, health.error_rate_critical),
        &["health.error_rate_recovered", "health.error_rate_critical"],
        "below",
    );
    compare(
        health.size_mb_critical.is_some_and(|critical| above(health.size_mb_recovered, critical)),
        &["health.size_mb_recovered", "health.size_mb_critical"],
        "below",
    );
}

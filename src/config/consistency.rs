//! What single values cannot show: settings that contradict each other.
//!
//! Neighbours: `load.rs` asks after everything is merged. Promise: each rule names the key to change.

use super::problem::Fault;
use super::schema::{Config, Tls, Transport};

/// Every contradiction, with the key that the reader should look at first.
pub(super) fn check(config: &Config) -> Vec<(&'static str, Fault)> {
    let mut found = Vec::new();
    let mut rule = |broken: bool, key: &'static str, what: String, hint: &str| {
        if broken {
            found.push((key, Fault::new(what, hint)));
        }
    };
    let health = &config.health;
    rule(
        health.hit_rate_critical > health.hit_rate_warn,
        "health.hit_rate_critical",
        format!("{} is above health.hit_rate_warn ({})", health.hit_rate_critical, health.hit_rate_warn),
        "a low hit rate is critical below the lower of the two: swap them",
    );
    if let (Some(warn), Some(critical)) = (health.size_mb_warn, health.size_mb_critical) {
        rule(
            warn > critical,
            "health.size_mb_warn",
            format!("{warn} is above health.size_mb_critical ({critical})"),
            "a size is critical above the higher of the two: swap them",
        );
    }
    rule(
        health.free_disk_mb_critical > health.free_disk_mb_warn,
        "health.free_disk_mb_critical",
        format!("{} is above health.free_disk_mb_warn ({})", health.free_disk_mb_critical, health.free_disk_mb_warn),
        "little free space is critical below the lower of the two: swap them",
    );

    let email = &config.alerts.email;
    rule(
        email.tls == Tls::None && email.password_file.is_some(),
        "alerts.email.tls",
        "`none` would send the password in clear".into(),
        "write starttls or implicit, or remove alerts.email.password_file",
    );
    rule(
        email.password_file.is_some() && email.username.is_none(),
        "alerts.email.password_file",
        "a password without alerts.email.username".into(),
        "set alerts.email.username",
    );
    for (key, addresses) in [("alerts.email.from", std::slice::from_ref(&email.from)), ("alerts.email.to", &email.to)] {
        let bad = addresses.iter().find(|address| !address.is_empty() && !is_address(address));
        rule(
            bad.is_some(),
            key,
            format!("`{}` is not a mail address", bad.map_or("", String::as_str)),
            "write one such as ops@example.com or \"Ops <ops@example.com>\"",
        );
    }
    let needed = "alerts.email.enabled is true and needs it";
    rule(email.enabled && email.from.is_empty(), "alerts.email.from", needed.into(), "set the sender's address");
    rule(email.enabled && email.to.is_empty(), "alerts.email.to", needed.into(), "set at least one recipient");
    let no_host = email.enabled && email.transport == Transport::Smtp && email.host.is_empty();
    rule(no_host, "alerts.email.host", needed.into(), "set the SMTP server, or another alerts.email.transport");
    found
}

/// `a@b` or `Name <a@b>`; the mail library judges the rest.
fn is_address(text: &str) -> bool {
    let inner = text.rsplit_once('<').map_or(text, |(_, rest)| rest.trim_end_matches('>'));
    let has_both = inner.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    has_both && !inner.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_two_parts() {
        for (text, good) in [("a@b", true), ("Ops <ops@example.com>", true), ("ops", false), ("@b", false), ("a b@c", false)] {
            assert_eq!(is_address(text), good, "{text}");
        }
    }
}

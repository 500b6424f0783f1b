//! The output of `config show` and `config init`.
//!
//! Guarantee: every value is valid TOML and no secret is printed.

use super::keys::{is_command, is_secret};
use super::load::Loaded;

/// A starter file. It contains only comments, so it changes nothing until it is edited.
pub const STARTER: &str = include_str!("starter.toml");

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigLine {
    /// `cache.ttl."user:list"`
    pub key: String,
    /// The value as TOML; `***` for secrets.
    pub value: String,
    /// `default`, a file's path, a variable's name, or `flag`.
    pub origin: String,
}

/// Every key with a value, by name.
pub fn show(loaded: &Loaded) -> Vec<ConfigLine> {
    let line = |(key, value): (&String, &toml::Value)| ConfigLine {
        key: key.clone(),
        value: shown_value(key, value).to_string(),
        origin: loaded.origins.get(key).cloned().unwrap_or_default(),
    };
    loaded.values.iter().map(line).collect()
}

/// A value with its secrets replaced by `***`: the whole value, the arguments of a command, the login in a URL.
pub fn shown_value(key: &str, value: &toml::Value) -> toml::Value {
    const HIDDEN: &str = "***";
    match value {
        _ if is_secret(key) => HIDDEN.into(),
        toml::Value::Array(words) if is_command(key) && words.len() > 1 => {
            toml::Value::Array(vec![words[0].clone(), HIDDEN.into()])
        }
        toml::Value::String(url) => {
            match url.split_once("://").map(|(scheme, rest)| (scheme, rest, rest.find(['/', '?', '#']))) {
                Some((scheme, rest, end)) => {
                    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
                    let host = authority.rsplit_once('@').map(|(_, host)| host);
                    host.map_or_else(|| value.clone(), |host| format!("{scheme}://{HIDDEN}@{host}{path}").into())
                }
                None => value.clone(),
            }
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_arguments_and_logins_are_hidden_and_nothing_else() {
        let words = |words: &[&str]| toml::Value::from(words.to_vec());
        for (key, value, shown) in [
            ("alerts.command.argv", words(&["/bin/page", "--key", "s3cret"]), words(&["/bin/page", "***"])),
            ("alerts.command.argv", words(&["/bin/page"]), words(&["/bin/page"])),
            ("alerts.email.password_command", words(&["pass", "show", "x"]), words(&["pass", "***"])),
            ("cache.encryption.key_command", words(&[]), words(&[])),
            ("alerts.email.to", words(&["a@example.com", "b@example.com"]), words(&["a@example.com", "b@example.com"])),
            ("aws.endpoint_url", "http://ann:s3c@ret@127.0.0.1:81/x@y".into(), "http://***@127.0.0.1:81/x@y".into()),
            ("aws.endpoint_url", "http://127.0.0.1:81/@x".into(), "http://127.0.0.1:81/@x".into()),
            ("alerts.email.password", "s3cret".into(), "***".into()),
            ("cache.dir", "/a@b".into(), "/a@b".into()),
        ] {
            assert_eq!(shown_value(key, &value), shown, "{key}");
        }
    }
}

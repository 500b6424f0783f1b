//! The list of all configuration keys and their types.
//!
//! Guarantee: each key occurs once. Names of variables derive from it. Renamed keys of the original Python tool have
//! their successor.

use super::ttl;
use crate::config::diagnostic::nearest;
use crate::config::types::Type;
use crate::config::types::Type::Address;
use crate::config::types::Type::Choice;
use crate::config::types::Type::Flag;
use crate::config::types::Type::Number;
use crate::config::types::Type::Offset;
use crate::config::types::Type::Path;
use crate::config::types::Type::Secret;
use crate::config::types::Type::SecretUrl;
use crate::config::types::Type::Size;
use crate::config::types::Type::Switch;
use crate::config::types::Type::Text;
use crate::config::types::Type::Time;
use crate::config::types::Type::Url;
use crate::config::types::Type::Whole;
use crate::config::types::Type::Words;

/// A key and its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConfigKey {
    /// `cache.max_size_mb`
    pub(super) name: &'static str,
    pub(super) kind: Type,
}

/// A list of keys: those of the configuration, or those of a job file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Catalogue {
    pub(super) keys: &'static [ConfigKey],
    /// The section whose keys are `resource` and `resource:operation`.
    pub(super) ttl_section: Option<&'static str>,
    pub(super) former: &'static [Former],
}

/// A key of the original Python tool (or one that must not exist), and its replacement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former {
    /// The key; a trailing `*` matches every key with this prefix.
    pub(super) key: &'static str,
    /// The key that replaces it.
    pub(super) successor: Option<&'static str>,
    /// An additional note.
    pub(super) note: &'static str,
}

const fn key(name: &'static str, kind: Type) -> ConfigKey {
    ConfigKey { name, kind }
}

const fn moved(key: &'static str, successor: &'static str, note: &'static str) -> Former {
    Former { key, successor: Some(successor), note }
}

const fn gone(key: &'static str, note: &'static str) -> Former {
    Former { key, successor: None, note }
}

const YEAR: u64 = 366 * 86_400;
const HOUR: u64 = 3_600;

/// The keys of the configuration, in the order of `config/default.toml`.
pub(super) const CONFIG: Catalogue = Catalogue {
    keys: &[
        key("profile", Text),
        key("region", Text),
        key("aws.instance", Text),
        key("aws.endpoint_url", Url),
        key("aws.connect_timeout", Time(1, 10 * 60)),
        key("aws.operation_timeout", Time(1, HOUR)),
        key("aws.max_attempts", Whole(1, 100)),
        key("aws.change_timeout", Time(1, 24 * 60 * 60)),
        key("cache.disabled", Switch),
        key("cache.backend", Choice(&["disk", "memory"])),
        key("cache.dir", Path),
        key("cache.max_size_mb", Size),
        key("cache.low_water_percent", Number(1.0, 100.0)),
        key("cache.max_entries", Whole(0, i64::MAX as u64)),
        key("cache.max_disk_percent", Number(0.0, 100.0)),
        key("cache.max_memory_mb", Size),
        key("cache.eviction_policy", Choice(&["lru"])),
        key("cache.max_age", Time(0, YEAR)),
        key("cache.compression", Flag),
        key("cache.default_ttl", Time(1, YEAR)),
        key("cache.stale_if_error", Time(0, YEAR)),
        key("cache.not_found_ttl", Time(0, 24 * HOUR)),
        key("cache.settle", Time(0, 10 * 60)),
        key("cache.busy_timeout", Time(1, 10 * 60)),
        key("cache.disable_for", Time(1, YEAR)),
        key("cache.sharing", Type::Sharing),
        key("cache.breaker.failure_threshold", Whole(1, 1_000_000)),
        key("cache.breaker.recovery_timeout", Time(1, 24 * HOUR)),
        key("cache.encryption.enabled", Flag),
        key("cache.encryption.key_file", Path),
        key("cache.encryption.key_command", Words),
        key("state.dir", Path),
        key("log.file", Path),
        key("log.level", Choice(&["off", "error", "warn", "info", "debug"])),
        key("log.format", Choice(&["text", "json"])),
        key("pace.sso_admin_tps", Number(0.1, 10_000.0)),
        key("pace.identity_store_tps", Number(0.1, 10_000.0)),
        key("pace.organizations_tps", Number(0.1, 10_000.0)),
        key("pace.background_share", Number(0.01, 100.0)),
        key("access.max_calls", Whole(1, 1_000_000)),
        key("health.hit_rate_warn", Number(0.0, 100.0)),
        key("health.hit_rate_critical", Number(0.0, 100.0)),
        key("health.hit_rate_recovered", Number(0.0, 100.0)),
        key("health.size_mb_warn", Size),
        key("health.size_mb_critical", Size),
        key("health.size_mb_recovered", Size),
        key("health.error_rate_critical", Number(0.0, 100.0)),
        key("health.error_rate_recovered", Number(0.0, 100.0)),
        key("health.free_disk_mb_warn", Number(0.0, 1e9)),
        key("health.free_disk_mb_critical", Number(0.0, 1e9)),
        key("health.free_disk_mb_recovered", Number(0.0, 1e9)),
        key("health.oldest_warn", Time(0, YEAR)),
        key("health.disabled_warn", Time(0, YEAR)),
        key("health.login_warn", Time(0, YEAR)),
        key("health.min_samples", Whole(0, 1_000_000_000)),
        key("health.window", Time(HOUR, YEAR)),
        key("alerts.hold", Time(0, 24 * HOUR)),
        key("alerts.recovery_delay", Time(0, 24 * HOUR)),
        key("alerts.group_wait", Time(0, 24 * HOUR)),
        key("alerts.repeat", Time(0, YEAR)),
        key("alerts.partial_runs", Whole(1, 100)),
        key("alerts.email.enabled", Flag),
        key("alerts.email.transport", Choice(&["smtp", "sendmail", "file"])),
        key("alerts.email.host", Text),
        key("alerts.email.port", Whole(1, 65_535)),
        key("alerts.email.tls", Choice(&["starttls", "implicit", "none"])),
        key("alerts.email.ca_file", Path),
        key("alerts.email.helo", Text),
        key("alerts.email.auth", Choice(&["password", "xoauth2"])),
        key("alerts.email.username", Text),
        key("alerts.email.password", Secret),
        key("alerts.email.password_file", Path),
        key("alerts.email.password_command", Words),
        key("alerts.email.token_command", Words),
        key("alerts.email.from", Type::Mailbox),
        key("alerts.email.to", Type::Mailboxes),
        key("alerts.email.dir", Path),
        key("alerts.email.timeout", Time(1, HOUR)),
        key("alerts.webhook.enabled", Flag),
        key("alerts.webhook.url", Secret),
        key("alerts.webhook.url_file", Path),
        key("alerts.webhook.url_command", Words),
        key("alerts.webhook.only_text", Flag),
        key("alerts.webhook.ca_file", Path),
        key("alerts.webhook.timeout", Time(1, 10 * 60)),
        key("alerts.command.enabled", Flag),
        key("alerts.command.argv", Words),
        key("alerts.command.env", Words),
        key("alerts.command.timeout", Time(1, HOUR)),
        key("alerts.ping.start", SecretUrl),
        key("alerts.ping.success", SecretUrl),
        key("alerts.ping.failure", SecretUrl),
        key("alerts.ping.timeout", Time(1, 60)),
        key("jobs.dir", Path),
        key("jobs.parallel", Whole(1, 64)),
        key("jobs.history", Whole(1, 100_000)),
        key("jobs.grace", Time(0, HOUR)),
        key("daemon.listen", Address),
        key("daemon.allow_remote", Flag),
        key("daemon.hosts", Words),
        key("metrics.textfile", Path),
        key("output.format", Choice(&["table", "json", "jsonl", "yaml", "csv"])),
        key("debug.clock_offset", Offset(20 * YEAR)),
    ],
    ttl_section: Some("cache.ttl"),
    former: &[
        moved("cache.enabled", "cache.disabled", "it means the opposite"),
        moved("cache.ttl.default", "cache.default_ttl", ""),
        moved("cache.ttl_default", "cache.default_ttl", ""),
        moved("cache.operation_ttls", "cache.ttl", "its keys are written \"user:list\""),
        moved("cache.type", "cache.backend", "`file` is called `disk`"),
        moved("cache.backend_type", "cache.backend", "`file` is called `disk`"),
        moved("cache.file_dir", "cache.dir", ""),
        moved("cache.file_cache_dir", "cache.dir", ""),
        moved("cache.directory", "cache.dir", ""),
        moved("cache.file_enabled", "cache.backend", "write `disk`"),
        gone("cache.dynamodb*", "a cache in DynamoDB is not available in this version"),
        gone("cache.hybrid*", "a cache in two tiers is not available in this version"),
        moved("default_profile", "profile", ""),
        moved("default_region", "region", ""),
    ],
};

/// Every configuration key with a fixed name; `[cache.ttl]` has more.
pub fn keys() -> impl Iterator<Item = &'static str> {
    CONFIG.keys.iter().map(|key| key.name)
}

/// Variables that control the program and are no keys.
pub const STEERING_VARIABLES: [&str; 1] = ["AWSIDEMAN_CONFIG"];

/// The kind of a path in a file.
#[derive(Debug, PartialEq)]
pub(super) enum KeyMatch {
    Key(Type),
    Section,
    Unknown,
}

impl Catalogue {
    /// The kind of `path` (`cache.dir`, `cache.ttl."user:list"`).
    pub(super) fn find(&self, path: &str) -> KeyMatch {
        if let Some(key) = self.keys.iter().find(|key| key.name == path) {
            return KeyMatch::Key(key.kind);
        }
        match self.ttl_key(path) {
            Some("") => return KeyMatch::Section,
            Some(rest) if ttl::check_key(rest.trim_matches('"')).is_ok() => return KeyMatch::Key(Time(1, YEAR)),
            _ => {}
        }
        let is_section = |key: &ConfigKey| key.name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        if self.keys.iter().any(is_section) { KeyMatch::Section } else { KeyMatch::Unknown }
    }

    /// The part after the section of TTLs: `Some("")` for the section itself.
    pub(super) fn ttl_key<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.ttl_section?)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
    }

    /// The former key with this path.
    pub(super) fn former(&self, path: &str) -> Option<Former> {
        let is = |former: &&Former| match former.key.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => former.key == path,
        };
        self.former.iter().find(is).copied()
    }

    /// The hint for the unknown key `path`.
    pub(super) fn remedy(&self, path: &str) -> String {
        if let Some(former) = self.former(path) {
            return former.remedy(former.successor.unwrap_or_default());
        }
        if let Some(wrong) = self.ttl_key(path) {
            let wrong = wrong.trim_matches('"');
            return match nearest(wrong, ttl::all_keys()) {
                Some(right) => format!("did you mean \"{right}\"?"),
                None => "write a resource or \"resource:operation\", as in \"user:list\"".into(),
            };
        }
        let (section, last) = path.rsplit_once('.').unwrap_or(("", path));
        let within = |key: &&ConfigKey| key.name.rsplit_once('.').map_or("", |(section, _)| section) == section;
        let in_section = self.keys.iter().filter(within).map(|key| key.name.rsplit('.').next().unwrap_or(key.name));
        if let Some(right) = nearest(last, in_section) {
            let dot = if section.is_empty() { "" } else { "." };
            return format!("did you mean `{section}{dot}{right}`?");
        }
        let elsewhere = self.keys.iter().find(|key| key.name.rsplit('.').next() == Some(last)).map(|key| key.name);
        match elsewhere.or_else(|| nearest(path, self.names())) {
            Some(right) => format!("did you mean `{right}`?"),
            None => "remove it".into(),
        }
    }

    /// Every key and every section.
    fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        let sections = self.keys.iter().filter_map(|key| key.name.rsplit_once('.').map(|(section, _)| section));
        self.keys.iter().map(|key| key.name).chain(sections).chain(self.ttl_section)
    }
}

impl Former {
    /// The hint, with the successor as it must be written.
    pub(super) fn remedy(self, successor: &str) -> String {
        match (self.successor, self.note) {
            (Some(_), "") => format!("it is now called {successor}"),
            (Some(_), note) => format!("it is now called {successor} ({note})"),
            (None, note) => format!("remove it: {note}"),
        }
    }
}

/// Whether the value of a key is secret.
pub(super) fn is_secret(key: &str) -> bool {
    if let KeyMatch::Key(kind) = CONFIG.find(key) {
        return matches!(kind, Secret | SecretUrl);
    }
    let last = key.rsplit('.').next().unwrap_or(key);
    !last.ends_with("_file") && ["password", "secret", "token"].iter().any(|word| last.contains(word))
}

/// Whether the value of a key is a command, which may contain secrets.
pub(super) fn is_command(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    last == "argv" || last.ends_with("_command")
}

/// The variable of a key: `AWSIDEMAN_CACHE_MAX_SIZE_MB`, `AWSIDEMAN_CACHE_TTL_USER_LIST`.
pub fn variable_name(key: &str) -> String {
    let plain = key.replace(['.', ':'], "_").replace('"', "").to_ascii_uppercase();
    format!("AWSIDEMAN_{plain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_and_their_variables_are_unique() {
        let names: BTreeSet<_> = CONFIG.keys.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), CONFIG.keys.len());
        let variables: BTreeSet<_> = CONFIG.keys.iter().map(|key| variable_name(key.name)).collect();
        assert_eq!(variables.len(), CONFIG.keys.len());
        for former in CONFIG.former {
            assert!(!variables.contains(&variable_name(former.key)), "{}", former.key);
            assert!(former.successor.is_none_or(|s| CONFIG.find(s) != KeyMatch::Unknown), "{}", former.key);
        }
    }

    #[test]
    fn unknown_keys_are_led_to_the_nearest_right_one() {
        for (wrong, remedy) in [
            ("cache.maxsize_mb", "did you mean `cache.max_size_mb`?"),
            ("max_size_mb", "did you mean `cache.max_size_mb`?"),
            ("cahce", "did you mean `cache`?"),
            ("cache.ttl.\"user:lst\"", "did you mean \"user:list\"?"),
            ("cache.enabled", "it is now called cache.disabled (it means the opposite)"),
            ("frobnicate", "remove it"),
        ] {
            assert_eq!(CONFIG.find(wrong), KeyMatch::Unknown);
            assert_eq!(CONFIG.remedy(wrong), remedy, "{wrong}");
        }
        assert!(CONFIG.remedy("cache.dynamodb_table_name").contains("not available"));
    }

    #[test]
    fn ttls_are_keys_by_resource_and_operation() {
        assert_eq!(CONFIG.find("cache.ttl"), KeyMatch::Section);
        assert!(matches!(CONFIG.find("cache.ttl.permission_set"), KeyMatch::Key(_)));
        assert!(matches!(CONFIG.find("cache.ttl.\"permission_set:list\""), KeyMatch::Key(_)));
        assert!(matches!(CONFIG.find("cache.ttl.\"custom:thing\""), KeyMatch::Key(_)));
        assert_eq!(CONFIG.find("cache.ttl.people"), KeyMatch::Unknown);
    }

    #[test]
    fn passwords_are_secret_and_their_files_are_not() {
        assert!(is_secret("alerts.email.password") && is_secret("x.api_token") && is_secret("client_secret"));
        assert!(!is_secret("alerts.email.password_file") && !is_secret("cache.dir"));
    }
}

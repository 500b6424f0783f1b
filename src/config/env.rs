//! Converts `AWSIDEMAN_*` variables and flags into entries. Each is a layer, so its name is its origin.
//!
//! An unknown variable is an error with a suggestion. An unclear `AWSIDEMAN_CACHE_DISABLED` disables the cache,
//! because it is set in emergencies.

use crate::config::diagnostic::Problem;
use crate::config::diagnostic::nearest;
use crate::config::file::ConfigEntry;
use crate::config::file::Layer;
use crate::config::keys::CONFIG;
use crate::config::keys::KeyMatch;
use crate::config::keys::STEERING_VARIABLES;
use crate::config::keys::variable_name;
use crate::config::sources::{FLAG_ORIGIN, Sources};
use crate::config::ttl;
use crate::config::types::RawValue;
use crate::config::types::Setting;
use crate::config::types::Type;

const PREFIX: &str = "AWSIDEMAN_";

/// The entries of variables and flags.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) layers: Vec<Layer>,
    pub(super) warnings: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Reads every `AWSIDEMAN_*` variable, then every flag.
pub(super) fn read(sources: &Sources) -> Outside {
    let mut outside = Outside::default();
    let ours = |(name, value): &(&String, &String)| {
        name.starts_with(PREFIX) && !value.is_empty() && !STEERING_VARIABLES.contains(&name.as_str())
    };
    for (name, value) in sources.environment.iter().filter(ours) {
        match key_of(name) {
            Some((key, kind)) => outside.take(sources, name, key, kind, value),
            None => outside.problems.push(unknown(name)),
        }
    }
    for (key, value) in &sources.overrides {
        match CONFIG.find(key) {
            KeyMatch::Key(kind) => outside.take(sources, FLAG_ORIGIN, key.clone(), kind, value),
            _ => outside.problem(FLAG_ORIGIN, key.clone(), "unknown key".into(), CONFIG.remedy(key)),
        }
    }
    outside
}

impl Outside {
    fn take(&mut self, sources: &Sources, source: &str, key: String, kind: Type, value: &str) {
        let setting = match kind.check(&RawValue::Raw(value), sources.base()) {
            Ok(setting) => setting,
            Err(fault) if kind == Type::Switch => {
                self.warnings.push(format!("{source}: {}; interpreted as true: {key} is on", fault.what));
                Setting::Flag(true)
            }
            Err(fault) => return self.problem(source, key, fault.what, fault.hint),
        };
        self.layers.push(Layer { source: source.into(), entries: vec![ConfigEntry { key, setting, line: None }] });
    }

    fn problem(&mut self, source: &str, key: String, what: String, hint: String) {
        self.problems.push(Problem { source: source.into(), line: None, key, what, hint });
    }
}

/// The key that a variable sets.
fn key_of(variable: &str) -> Option<(String, Type)> {
    if CONFIG.former.iter().any(|former| variable_name(former.key) == variable) {
        return None;
    }
    if let Some(key) = CONFIG.keys.iter().find(|key| variable_name(key.name) == variable) {
        return Some((key.name.to_owned(), key.kind));
    }
    let section = CONFIG.ttl_section?;
    let rest = variable.strip_prefix(&variable_name(section))?.strip_prefix('_')?;
    let key = ttl_key(&rest.to_ascii_lowercase())?;
    let key = if key.contains(':') { format!("{section}.\"{key}\"") } else { format!("{section}.{key}") };
    match CONFIG.find(&key) {
        KeyMatch::Key(kind) => Some((key, kind)),
        _ => None,
    }
}

/// `permission_set_list` is `permission_set:list`: the longest matching resource.
fn ttl_key(words: &str) -> Option<String> {
    let resources = crate::model::Resource::ALL.into_iter().map(crate::model::Resource::as_str);
    let resource = resources.filter(|name| words.starts_with(name)).max_by_key(|name| name.len())?;
    let rest = &words[resource.len()..];
    match rest.strip_prefix('_') {
        Some(operation) => Some(format!("{resource}:{operation}")),
        None => rest.is_empty().then(|| resource.to_owned()),
    }
}

fn unknown(variable: &str) -> Problem {
    let former = CONFIG.former.iter().find(|former| match former.key.strip_suffix('*') {
        Some(start) => variable.starts_with(&variable_name(start)),
        None => variable == variable_name(former.key),
    });
    let (what, hint) = if let Some(former) = former {
        let successor = former.successor.map(variable_name).unwrap_or_default();
        ("a variable of the original Python tool", former.remedy(&successor))
    } else {
        ("unknown variable", similar(variable))
    };
    let (source, what) = (variable.into(), what.into());
    Problem { source, line: None, key: String::new(), what, hint }
}

fn similar(variable: &str) -> String {
    let keys = CONFIG.keys.iter().map(|key| variable_name(key.name));
    let ttls = ttl::all_keys().map(|key| variable_name(&format!("cache.ttl.{key}")));
    let steering = STEERING_VARIABLES.into_iter().map(str::to_owned);
    match nearest(variable, keys.chain(ttls).chain(steering)) {
        Some(right) => format!("did you mean {right}?"),
        None => "unset it; `awsideman config show` lists the keys that variables derive from".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_derive_from_keys_and_the_longest_resource_wins() {
        for (variable, key) in [
            ("AWSIDEMAN_PROFILE", Some("profile")),
            ("AWSIDEMAN_CACHE_MAX_SIZE_MB", Some("cache.max_size_mb")),
            ("AWSIDEMAN_ALERTS_EMAIL_TO", Some("alerts.email.to")),
            ("AWSIDEMAN_CACHE_TTL_USER", Some("cache.ttl.user")),
            ("AWSIDEMAN_CACHE_TTL_USER_LIST", Some("cache.ttl.\"user:list\"")),
            ("AWSIDEMAN_CACHE_TTL_USER_BY_NAME", Some("cache.ttl.\"user:by_name\"")),
            ("AWSIDEMAN_CACHE_TTL_PERMISSION_SET", Some("cache.ttl.permission_set")),
            ("AWSIDEMAN_CACHE_TTL_PERMISSION_SET_LIST", Some("cache.ttl.\"permission_set:list\"")),
            ("AWSIDEMAN_CACHE_TTL_USERLIST", None),
            ("AWSIDEMAN_CACHE_TTL_DEFAULT", None),
            ("AWSIDEMAN_CACHE", None),
        ] {
            assert_eq!(key_of(variable).map(|(key, _)| key).as_deref(), key, "{variable}");
        }
    }

    #[test]
    fn every_key_is_reached_by_its_variable() {
        for key in CONFIG.keys {
            assert_eq!(key_of(&variable_name(key.name)), Some((key.name.to_owned(), key.kind)));
        }
        for key in ttl::all_keys() {
            let found = key_of(&variable_name(&format!("cache.ttl.{key}"))).map(|(key, _)| key.replace('"', ""));
            assert_eq!(found, Some(format!("cache.ttl.{key}")));
        }
    }

    #[test]
    fn what_the_original_called_otherwise_is_named_with_its_successor() {
        for (variable, part) in [
            ("AWSIDEMAN_CACHE_ENABLED", "AWSIDEMAN_CACHE_DISABLED"),
            ("AWSIDEMAN_CACHE_TTL_DEFAULT", "AWSIDEMAN_CACHE_DEFAULT_TTL"),
            ("AWSIDEMAN_CACHE_BACKEND_TYPE", "AWSIDEMAN_CACHE_BACKEND"),
            ("AWSIDEMAN_CACHE_TYPE", "AWSIDEMAN_CACHE_BACKEND"),
            ("AWSIDEMAN_CACHE_FILE_DIR", "AWSIDEMAN_CACHE_DIR"),
            ("AWSIDEMAN_CACHE_FILE_CACHE_DIR", "AWSIDEMAN_CACHE_DIR"),
            ("AWSIDEMAN_CACHE_DYNAMODB_TABLE_NAME", "not available"),
            ("AWSIDEMAN_CACHE_MAXSIZE_MB", "did you mean AWSIDEMAN_CACHE_MAX_SIZE_MB?"),
        ] {
            assert!(key_of(variable).is_none(), "{variable}");
            let told = unknown(variable).to_string();
            assert!(told.starts_with(variable) && told.contains(part), "{told}");
        }
    }
}

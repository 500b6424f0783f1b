//! Parses the AWS config and credentials files as the AWS CLI does.
//!
//! Guarantee: reading never fails; [`Files::malformed`] names what the AWS CLI would refuse. Comments at the end of a
//! line are dropped, as in the AWS SDKs.

use crate::aws::profile::AwsEnvironment;
use crate::secure_fs::bounded;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// The keys of one section, in lower case. A nested block (`sso_admin =`) is kept as its lines.
pub(super) type IniSection = BTreeMap<String, String>;

/// One file.
#[derive(Debug, Default)]
struct AwsFile {
    path: Option<PathBuf>,
    text: String,
    /// The reason why an existing file could not be read.
    fault: Option<io::Error>,
}

/// Both files.
#[derive(Debug, Default)]
pub(super) struct Files {
    config: AwsFile,
    credentials: AwsFile,
}

/// The settings of one profile in both files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) config: Option<IniSection>,
    pub(super) credentials: Option<IniSection>,
}

impl Profile {
    /// The value of a key. The credentials file takes precedence, as in the AWS CLI.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        [&self.credentials, &self.config].into_iter().flatten().find_map(|section| filled(section, key))
    }
}

/// The value of a key that is not empty.
pub(super) fn filled<'a>(section: &'a IniSection, key: &str) -> Option<&'a str> {
    section.get(key).map(String::as_str).filter(|value| !value.is_empty())
}

/// The value of a key in a nested block.
pub(super) fn nested<'a>(section: &'a IniSection, block: &str, key: &str) -> Option<&'a str> {
    let lines = section.get(block)?.lines().filter_map(|line| line.split_once('='));
    let found = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next_back();
    found.filter(|value| !value.is_empty())
}

impl Files {
    /// Reads both files; one that cannot be read is empty.
    pub(super) fn read(environment: &AwsEnvironment) -> Files {
        let read = |path: Option<PathBuf>| {
            let read = path.as_ref().map_or(Ok(Vec::new()), |path| bounded::bounded(path, bounded::AWS_FILE));
            let (bytes, fault) = match read {
                Ok(bytes) => (bytes, None),
                Err(error) if is_absent(&error) => (Vec::new(), None),
                Err(error) => (Vec::new(), Some(error)),
            };
            AwsFile { path, text: String::from_utf8_lossy(&bytes).into_owned(), fault }
        };
        Files { config: read(config_file(environment)), credentials: read(credentials_file(environment)) }
    }

    /// The settings of a profile; `None` if it is in neither file.
    pub(super) fn profile(&self, name: &str) -> Option<Profile> {
        let config = section_of(&self.config.text, |header| config_profile(header).as_deref() == Some(name));
        let credentials = section_of(&self.credentials.text, |header| header == name);
        (config.is_some() || credentials.is_some()).then_some(Profile { config, credentials })
    }

    /// An `[sso-session NAME]` section.
    pub(super) fn sso_session(&self, name: &str) -> Option<IniSection> {
        section_of(&self.config.text, |header| named(header, "sso-session").as_deref() == Some(name))
    }

    /// A `[services NAME]` section.
    pub(super) fn services(&self, name: &str) -> Option<IniSection> {
        section_of(&self.config.text, |header| named(header, "services").as_deref() == Some(name))
    }

    /// The names of all profiles.
    pub(super) fn profile_names(&self) -> Vec<String> {
        let mut names: Vec<String> = headers(&self.config.text).filter_map(config_profile).collect();
        names.extend(headers(&self.credentials.text).map(str::to_owned));
        names.sort();
        names.dedup();
        names
    }

    /// The path of the config file, for messages.
    pub(super) fn config_path(&self) -> String {
        shown(&self.config, "~/.aws/config")
    }

    /// The path of the credentials file, for messages.
    pub(super) fn credentials_path(&self) -> String {
        shown(&self.credentials, "~/.aws/credentials")
    }

    /// The file that exists and could not be read. With `may_lack_rights` missing permissions are ignored.
    pub(super) fn unreadable(&self, may_lack_rights: bool) -> Option<String> {
        let files = [(&self.config, self.config_path()), (&self.credentials, self.credentials_path())];
        files.into_iter().find_map(|(file, path)| {
            let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            let fault = file.fault.as_ref().filter(|error| !(may_lack_rights && denied(error)))?;
            Some(format!("{path} cannot be read: {fault}"))
        })
    }

    /// The first line that is neither a section nor a setting.
    pub(super) fn malformed(&self) -> Option<String> {
        [(&self.config, self.config_path()), (&self.credentials, self.credentials_path())].into_iter().find_map(
            |(file, path)| {
                let number =
                    lines(&file.text).find_map(|(number, line)| matches!(line, IniLine::Bad).then_some(number))?;
                Some(format!("{path} line {number} is neither `[section]` nor `key = value`"))
            },
        )
    }
}

/// Whether the file does not exist, also because a directory above it is missing or is a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn shown(file: &AwsFile, otherwise: &str) -> String {
    file.path.as_ref().map_or_else(|| otherwise.to_owned(), |path| path.display().to_string())
}

/// The path of the config file.
pub(super) fn config_file(environment: &AwsEnvironment) -> Option<PathBuf> {
    path(environment, "AWS_CONFIG_FILE", "config")
}

/// The path of the credentials file.
pub(super) fn credentials_file(environment: &AwsEnvironment) -> Option<PathBuf> {
    path(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

fn path(environment: &AwsEnvironment, variable: &str, name: &str) -> Option<PathBuf> {
    let set = |key: &str| environment.get(key).filter(|value| !value.is_empty());
    let home = set("HOME").map(PathBuf::from);
    let Some(path) = set(variable) else { return home.map(|home| home.join(".aws").join(name)) };
    let below = ["~/", "$HOME/", "${HOME}/"].into_iter().find_map(|prefix| path.strip_prefix(prefix));
    match below {
        Some(rest) => home.map(|home| home.join(rest)),
        None => Some(path.into()),
    }
}

enum IniLine<'a> {
    Header(&'a str),
    Pair(&'a str, &'a str),
    /// A continuation of the value before it.
    More(&'a str),
    Bad,
}

/// The lines of a file except comments and empty ones, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, IniLine<'_>)> {
    // The indentation of the setting that a deeper line belongs to.
    let mut setting: Option<usize> = None;
    let mut is_inside = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            return None;
        }
        let depth = line.len() - line.trim_start().len();
        let line = if setting.is_some_and(|indentation| depth > indentation) {
            IniLine::More(without_comment(content))
        } else if let Some(header) = header(content) {
            (setting, is_inside) = (None, true);
            IniLine::Header(header)
        } else {
            match content.split_once(['=', ':']) {
                Some((key, value)) if is_inside && !key.trim().is_empty() => {
                    setting = Some(depth);
                    IniLine::Pair(key.trim(), without_comment(value.trim()))
                }
                _ => IniLine::Bad,
            }
        };
        Some((number + 1, line))
    })
}

fn header(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('[')?;
    rest.rfind(']').map(|end| &rest[..end]).filter(|name| !name.is_empty())
}

fn without_comment(value: &str) -> &str {
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    value[..end.unwrap_or(value.len())].trim_end()
}

fn headers(text: &str) -> impl Iterator<Item = &str> {
    lines(text).filter_map(|(_, line)| match line {
        IniLine::Header(header) => Some(header),
        _ => None,
    })
}

/// The merged settings of all matching sections; `None` if there is none.
fn section_of(text: &str, is_wanted: impl Fn(&str) -> bool) -> Option<IniSection> {
    let mut found: Option<IniSection> = None;
    let (mut is_inside, mut last) = (false, None);
    for (_, line) in lines(text) {
        match line {
            IniLine::Header(header) => {
                is_inside = is_wanted(header);
                last = None;
                if is_inside {
                    found.get_or_insert_default();
                }
            }
            IniLine::Pair(key, value) if is_inside => {
                let key = key.to_ascii_lowercase();
                found.get_or_insert_default().insert(key.clone(), value.to_owned());
                last = Some(key);
            }
            IniLine::More(more) if is_inside => {
                if let Some(value) = last.as_ref().and_then(|key| found.as_mut()?.get_mut(key)) {
                    value.push('\n');
                    value.push_str(more);
                }
            }
            _ => {}
        }
    }
    found
}

/// The profile of a section of the config file: `[default]` or `[profile NAME]`.
fn config_profile(header: &str) -> Option<String> {
    if header == "default" { Some(header.to_owned()) } else { named(header, "profile") }
}

/// The name after a keyword, with shell quoting.
fn named(header: &str, word: &str) -> Option<String> {
    if !header.starts_with(word) {
        return None;
    }
    match words(header)?.as_slice() {
        [first, name] if first == word => Some(name.clone()),
        _ => None,
    }
}

/// Splits as a POSIX shell does; `None` if a quote is not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, ' ' | '\t' | '\r' | '\n') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().push(characters.next()?),
            (Some(open), _) if open == character => quote = None,
            (Some('"'), '\\') => {
                let next = characters.next()?;
                let word = word.get_or_insert_default();
                if !matches!(next, '"' | '\\') {
                    word.push('\\');
                }
                word.push(next);
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str) -> Files {
        let file = |text: &str| AwsFile { text: text.to_owned(), ..AwsFile::default() };
        Files { config: file(config), credentials: file(credentials) }
    }

    #[test]
    fn names_of_profiles_have_the_quotes_of_a_shell_in_the_config_file_and_none_in_the_other() {
        let config = "[default]\n[profile ünï]\n[profile \"q u\"]\n[profile 'it']\n[profile it's]\n[profile a b]\n\
            [sso-session s]\n[profiles x]\n[corp]\n[profile\ttab]\n";
        let found = files(config, "[c u]\n[\"quoted\"]\n[profile x]\n");
        let names = ["\"quoted\"", "c u", "default", "it", "profile x", "q u", "tab", "ünï"];
        assert_eq!(found.profile_names(), names);
        for name in names {
            assert!(found.profile(name).is_some(), "{name}");
        }
        assert_eq!((found.profile("x"), found.profile("quoted"), found.profile("s")), (None, None, None));
        assert!(found.sso_session("s").is_some());
    }

    #[test]
    fn values_nested_blocks_and_comments() {
        let config = "# ours\n[profile a] # note\nRegion: eu-west-1 # Paris\ns3 =\n  region = nested\n\n  x = y\n\
            key = one\n  two\n  ; no\n  [odd]\n[profile in]\n  region = a\n  output = b\n[profile a]\nlater = 1\n\
            [services lab]\nsso_admin =\n  endpoint_url = http://127.0.0.1:1\nsts =\n";
        let found = files(config, "[a]\nregion = ca-central-1\nempty =\n");
        let a = found.profile("a").unwrap();
        assert_eq!(filled(a.config.as_ref().unwrap(), "region"), Some("eu-west-1"));
        assert_eq!(a.get("region"), Some("ca-central-1"), "the credentials file wins");
        assert_eq!((a.get("s3"), a.get("key")), (Some("\nregion = nested\nx = y"), Some("one\ntwo\n[odd]")));
        assert_eq!((a.get("empty"), a.get("later")), (None, Some("1")));
        let indented = found.profile("in").unwrap();
        assert_eq!((indented.get("region"), indented.get("output")), (Some("a"), Some("b")));
        let lab = found.services("lab").unwrap();
        assert_eq!(nested(&lab, "sso_admin", "endpoint_url"), Some("http://127.0.0.1:1"));
        assert_eq!((nested(&lab, "sts", "endpoint_url"), nested(&lab, "x", "y")), (None, None));
        assert_eq!(found.malformed(), None);
    }

    #[test]
    fn a_line_that_is_no_setting_is_named_with_its_file() {
        let bad = |config: &str, credentials: &str| files(config, credentials).malformed();
        assert_eq!(
            bad("[default]\nregion\n", "").unwrap(),
            "~/.aws/config line 2 is neither `[section]` nor `key = value`"
        );
        assert!(bad("", "region = x\n").unwrap().starts_with("~/.aws/credentials line 1"));
        assert_eq!(bad("\n# x\n", "[a]\n"), None);
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        let split = |text: &str| words(text).map(|found| found.join("|"));
        assert_eq!(split(r#"profile "a \"b" 'c\d' e\ f"#).unwrap(), r#"profile|a "b|c\d|e f"#);
        assert_eq!(split("a \"\" b").unwrap(), "a||b");
        assert_eq!((split("it's"), split("a\\")), (None, None));
    }
}

//! `config ...`: shows and validates the configuration, writes a first file, and lists the files that are read.
//!
//! `show` and `path` work with an invalid configuration and report its problems. Guarantee: no secret is printed, and an
//! existing file is not replaced without a flag.

use crate::app::sandbox_sources;
use crate::cli::args::GlobalArgs;
use crate::cli::args::meta::ConfigCommand;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{load_leniently, sources};
use crate::config::{self, ConfigError, ConfigLine, Format, Loaded, Problem, STARTER};
use crate::sandbox::Shape;
use crate::secure_fs;
use crate::secure_fs::Access;
use serde_json::{Value, json};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// `config ...`
pub(crate) fn config(command: ConfigCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        ConfigCommand::Show { origin } => show(origin, globals, output),
        ConfigCommand::Validate => validate(globals, output),
        ConfigCommand::Init { path, stdout } => init(path, stdout, globals, output),
        ConfigCommand::Path => path(globals, output),
    }
}

fn show(origin: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let mut sources = sources(globals);
    let (mut loaded, problems) = load_leniently(&sources);
    if let Some(seed) = globals.sandbox {
        let shape = Shape { seed: seed.unwrap_or(Shape::default().seed), ..Shape::default() };
        sources = sandbox_sources(&sources, &loaded, &shape);
        loaded = load_leniently(&sources).0;
    }
    output.set_default_format(loaded.config.output.format);
    warn(&problems, &loaded.warnings, output);
    let shown = config::show(&loaded);
    if output.format() == Format::Table {
        return output.text(&lines(&shown, origin));
    }
    output.report(&document(&shown, &loaded), &TextReport::new())
}

/// `key = value`, which is TOML as it stands; with the origin as a comment.
fn lines(shown: &[ConfigLine], origin: bool) -> String {
    let settings: Vec<String> = shown.iter().map(|one| format!("{} = {}", one.key, one.value)).collect();
    // A long list of addresses must not push every origin off the screen.
    let longest = settings.iter().map(|setting| setting.chars().count()).filter(|width| *width <= 56).max();
    let width = longest.unwrap_or(0);
    settings.iter().zip(shown).fold(String::new(), |text, (setting, one)| {
        if origin { text + &format!("{setting:<width$}  # {}\n", one.origin) } else { text + setting + "\n" }
    })
}

fn document(shown: &[ConfigLine], loaded: &Loaded) -> Value {
    let row = |one: &ConfigLine| {
        let value = loaded.values.get(&one.key).map(|value| config::shown_value(&one.key, value));
        let value = value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or(one.value.as_str().into());
        json!({ "key": one.key, "value": value, "origin": one.origin })
    };
    shown.iter().map(row).collect()
}

fn validate(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let (loaded, mut problems) = load_leniently(&sources(globals));
    output.set_default_format(loaded.config.output.format);
    let mut warnings = loaded.warnings.clone();
    warnings.extend(loaded.config.alerts.command.warning());
    let jobs = match config::load_jobs(loaded.config.jobs.dir.as_deref()) {
        Ok(jobs) => {
            warnings.extend(config::schedule_warnings(&jobs, &loaded.config.cache.ttl));
            jobs.len()
        }
        Err(ConfigError { problems: more }) => {
            problems.extend(more);
            0
        }
    };
    for warning in &warnings {
        output.talk().warning(warning);
    }
    let read = loaded.files.iter().filter(|(_, found)| *found).count();
    if output.format() == Format::Table && !problems.is_empty() {
        return Err(ConfigError { problems }.into());
    }
    let document = json!({
        "valid": problems.is_empty(),
        "files": loaded.files.iter().map(|(path, found)| json!({ "path": path, "exists": found })).collect::<Value>(),
        "jobs": jobs,
        "problems": problems.iter().map(problem).collect::<Value>(),
        "warnings": warnings,
    });
    let page = TextReport::new().line(format!("{read} {} read, valid; {jobs} jobs, valid", plural(read, "file")));
    output.report(&document, &page)?;
    if problems.is_empty() { Ok(()) } else { Err(CliError::quiet(Code::Usage)) }
}

fn problem(found: &Problem) -> Value {
    let Problem { source, line, key, what, hint } = found;
    json!({ "source": source, "line": line, "key": key, "what": what, "hint": hint })
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

fn init(path: Option<PathBuf>, stdout: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if stdout {
        return output.text(STARTER);
    }
    let path = match path {
        Some(path) => std::path::absolute(&path).unwrap_or(path),
        None => sources(globals).user_file().ok_or_else(|| {
            CliError::new(Code::Usage, "there is no home directory to write the configuration to (HOME is not set)")
                .hint("name the file with `--path FILE`, or print it with `--stdout`")
        })?,
    };
    write_new(&path, globals.yes)?;
    let page = TextReport::new()
        .line(format!("written to {}", path.display()))
        .line("everything in it is a comment: it changes nothing until you edit it");
    output.report(&json!({ "written": path }), &page)
}

fn write_new(path: &Path, replace: bool) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(CliError::new(Code::Usage, format!("{} is a directory", path.display()))
            .hint(format!("name a file in it: `--path {}`", path.join("config.toml").display())));
    }
    if fs::symlink_metadata(path).is_ok() && !replace {
        return Err(CliError::new(Code::Usage, format!("{} already exists", path.display()))
            .hint("`--yes` replaces it, `--path FILE` writes elsewhere, `--stdout` prints it"));
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            CliError::new(Code::Failed, format!("cannot make the directory {}: {error}", folder.display()))
                .hint("name a file that you may write with `--path FILE`")
        })?;
    }
    // A link to a file elsewhere stays a link.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Ok(secure_fs::replace(&real, STARTER.as_bytes(), Access::Owner)?)
}

fn path(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let sources = sources(globals);
    let (loaded, problems) = load_leniently(&sources);
    output.set_default_format(loaded.config.output.format);
    warn(&problems, &loaded.warnings, output);
    let places = config::paths(&sources);
    let document: Value =
        places.iter().map(|p| json!({ "path": p.path, "role": p.role, "exists": p.exists })).collect();
    let page = places.iter().fold(TextReport::new(), |page, place| {
        let absent = if place.exists { "" } else { "  (not there)" };
        page.field(place.role, format!("{}{absent}", place.path.display()))
    });
    output.report(&document, &page)
}

fn warn(problems: &[Problem], warnings: &[String], output: &Output) {
    for problem in problems {
        output.talk().warning(&format!("invalid configuration: {problem}"));
    }
    for warning in warnings {
        output.talk().warning(warning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn one(key: &str, value: &str) -> ConfigLine {
        ConfigLine { key: key.into(), value: value.into(), origin: "default".into() }
    }

    #[test]
    fn what_is_shown_reads_back_as_toml_with_and_without_origins() {
        let shown = [
            one("cache.ttl.\"user:list\"", "\"10m\""),
            one("alerts.email.password_file", "\"***\""),
            one("alerts.email.to", "[\"a@example.com\"]"),
        ];
        for origin in [false, true] {
            let text = lines(&shown, origin);
            let table: toml::Table = text.parse().expect("TOML");
            assert_eq!(table["cache"]["ttl"]["user:list"].as_str(), Some("10m"));
            assert_eq!(table["alerts"]["email"]["password_file"].as_str(), Some("***"));
            assert_eq!(text.contains("# default"), origin);
        }
    }

    #[test]
    fn a_file_is_made_private_with_its_folders_and_not_replaced_unasked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/config.toml");
        write_new(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "mine").unwrap();
        let refused = write_new(&path, false).unwrap_err();
        assert_eq!(refused.code, Code::Usage);
        assert!(refused.hint.unwrap().contains("--yes"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        write_new(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), STARTER);
        assert!(write_new(root.path(), true).unwrap_err().message.contains("is a directory"));
    }

    #[test]
    fn a_link_stays_a_link() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real.toml"), root.path().join("link.toml"));
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_new(&link, true).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), STARTER);
    }
}

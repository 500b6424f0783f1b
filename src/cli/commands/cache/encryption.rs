//! `cache encryption ...`: the state of encryption, and rekeying.
//!
//! Guarantee: no key is printed, and the configuration is not edited. Each command prints the next step. One process rekeys
//! at a time.

use crate::app::{EncryptionAdmin, EncryptionStatus, RekeySummary};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, open_loudly};
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::lock::Guard;
use crate::model::format_size;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `cache encryption ...`
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum EncryptionCommand {
    /// Show whether entries are encrypted, and under which keys
    #[command(
        after_help = "Examples:\n  awsideman cache encryption status\n  awsideman cache encryption status --json"
    )]
    Status,
    Enable(EnableArgs),
    /// Decrypt all entries, after encryption is disabled
    #[command(
        long_about = "Decrypt all entries, after encryption is disabled.\n\n\
            First set `enabled = false` in [cache.encryption] and keep the key where it is. Other processes can \
            keep running; an interrupted run is continued by the next one.",
        after_help = "Examples:\n  awsideman cache encryption disable"
    )]
    Disable,
    Rotate(RotateArgs),
}

/// Encrypt existing entries, or generate a key
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Encrypt existing entries, or generate a key.\n\n\
        With --generate a key is written to a new file that only you can read, and the lines to add to the \
        configuration are printed; nothing else is changed. Once the configuration has them, the command without \
        it encrypts every entry and overwrites the plaintext. Other processes can keep running; an interrupted \
        run is continued by the next one.",
    after_help = "Examples:\n  awsideman cache encryption enable --generate\n  \
        awsideman cache encryption enable --generate --key-file /etc/cache.key\n  \
        awsideman cache encryption enable"
)]
pub struct EnableArgs {
    /// Make a new key
    #[arg(long)]
    pub generate: bool,
    /// The new file for the key
    #[arg(long, value_name = "FILE", requires = "generate")]
    pub key_file: Option<PathBuf>,
}

/// Encrypt all entries with the newest key
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Encrypt all entries with the newest key.\n\n\
        The newest key is the first line of key_file; the lines after it are older keys, which only decrypt. \
        With --generate a new key is inserted before them. Other processes can keep running; an interrupted run \
        is continued by the next one, without --generate. Afterwards remove the older lines.",
    after_help = "Examples:\n  awsideman cache encryption rotate --generate\n  awsideman cache encryption rotate"
)]
pub struct RotateArgs {
    /// Make a new key
    #[arg(long)]
    pub generate: bool,
}

/// `cache encryption ...`
pub(super) fn encryption(
    command: &EncryptionCommand,
    globals: &GlobalArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    // A status accepts an invalid configuration; commands that change entries need a valid one.
    let session = match command {
        EncryptionCommand::Status => open_loudly(globals, output)?,
        _ => Session::open_to_change(globals, Need::Sound, output)?,
    };
    match command {
        EncryptionCommand::Status => {
            let status = EncryptionAdmin::new(&session.app).status()?;
            output.report(&status, &page(&status))
        }
        EncryptionCommand::Enable(args) => enable(args, &session, output),
        EncryptionCommand::Rotate(args) => {
            enabled(&session)?;
            let lock = only_one(&session)?;
            let added = args.generate.then(|| EncryptionAdmin::new(&session.app).add_key()).transpose()?;
            if let Some(id) = &added {
                output.talk().note(&format!("the new key {id} is the first line of key_file now"));
            }
            let done = rekey(&session, "encrypted", output);
            drop(lock);
            done
        }
        EncryptionCommand::Disable => {
            if session.app.config().cache.encryption.enabled {
                return Err(CliError::new(Code::Usage, "the configuration enables encryption")
                    .hint("set `enabled = false` in [cache.encryption], leave the key where it is, and run it again"));
            }
            let status = EncryptionAdmin::new(&session.app).status()?;
            let has_key = status.key.is_some() && status.problem.is_none();
            if !has_key && status.keys.iter().all(|key| key.entries == 0) {
                let document = json!({"schema_version": 1, "done": RekeySummary { wiped: true, ..RekeySummary::default() }, "status": status});
                return output.report(&document, &TextReport::new().line("Nothing is encrypted"));
            }
            let lock = only_one(&session)?;
            let done = rekey(&session, "decrypted", output);
            drop(lock);
            done
        }
    }
}

fn enable(args: &EnableArgs, session: &Session, output: &mut Output) -> Result<(), CliError> {
    let is_enabled = session.app.config().cache.encryption.enabled;
    if args.generate {
        let (file, id) = EncryptionAdmin::new(&session.app).generate_key(args.key_file.as_deref())?;
        return generated(&file, &id, session, output);
    }
    if !is_enabled {
        let source = EncryptionAdmin::new(&session.app).status()?.key_source;
        let hint = match source {
            Some(source) => format!("set `enabled = true` in [cache.encryption], which has {source}, and run it again"),
            None => "`awsideman cache encryption enable --generate` makes a key and prints the lines to add".to_owned(),
        };
        return Err(CliError::new(Code::Usage, "the configuration does not enable encryption").hint(hint));
    }
    let lock = only_one(session)?;
    let done = rekey(session, "encrypted", output);
    drop(lock);
    done
}

fn generated(file: &Path, id: &str, session: &Session, output: &mut Output) -> Result<(), CliError> {
    let encryption = &session.app.config().cache.encryption;
    let is_configured = encryption.enabled && encryption.key_file.as_deref() == Some(file);
    let lines = [
        "[cache.encryption]".to_owned(),
        "enabled = true".to_owned(),
        format!("key_file = {:?}", file.display().to_string()),
    ];
    let document = json!({
        "schema_version": 1, "key_file": file, "key": id, "configuration": lines.join("\n"), "configured": is_configured,
    });
    let mut page = TextReport::new().line(format!("A new key ({id}) is in {}", file.display()));
    if !is_configured {
        page = page.line("Add to the configuration:").line("");
        page = lines.iter().fold(page, |page, line| page.line(format!("    {line}"))).line("");
    }
    page = page.line("Every user who shares this cache needs this key. Next: awsideman cache encryption enable");
    output.report(&document, &page)
}

/// The error of a command that requires encryption.
fn enabled(session: &Session) -> Result<(), CliError> {
    if session.app.config().cache.encryption.enabled {
        return Ok(());
    }
    Err(CliError::new(Code::Usage, "the configuration does not enable encryption")
        .hint("`awsideman cache encryption status` shows what to do first"))
}

/// Takes the lock of encryption: only one process converts entries at a time.
fn only_one(session: &Session) -> Result<crate::state::FileLock, CliError> {
    let state = session.app.state();
    if let Some(lock) = state.try_lock("encryption", Guard::Encryption, session.app.clock().now())? {
        return Ok(lock);
    }
    let holder = state.process("encryption").map(|process| format!(": {process}")).unwrap_or_default();
    let message = format!("another process is encrypting or decrypting this cache{holder}");
    Err(CliError::new(Code::Locked, message).hint("`awsideman cache encryption status` shows its progress"))
}

fn rekey(session: &Session, verb: &str, output: &mut Output) -> Result<(), CliError> {
    let done: RekeySummary = EncryptionAdmin::new(&session.app).rekey(session.progress.as_ref())?;
    let status = EncryptionAdmin::new(&session.app).status()?;
    let mut page = TextReport::new().line(format!("{} {verb}", entries(done.resealed)));
    if done.dropped > 0 {
        page = page.line(format!("{} damaged and dropped", entries(done.dropped)));
    }
    if done.unknown > 0 {
        page = page.line(format!("{} under unavailable keys, unchanged", entries(done.unknown)));
    }
    if let Some(next) = &status.next {
        page = page.line(format!("Next: {next}"));
    }
    let document = json!({"schema_version": 1, "done": done, "status": status});
    output.report(&document, &page)?;
    if done.wiped {
        return Ok(());
    }
    Err(CliError::new(Code::Partial, "the earlier bytes are not wiped from the database yet: a reader blocked it")
        .hint("run it again when no long command is running"))
}

fn page(status: &EncryptionStatus) -> TextReport {
    let mut page = TextReport::new()
        .field("Encryption", if status.enabled { "on" } else { "off" })
        .field(
            "Key",
            match (&status.key, &status.problem) {
                (Some(id), _) => id.clone(),
                (None, Some(problem)) => problem.clone(),
                (None, None) => "none".to_owned(),
            },
        )
        .field("From", status.key_source.clone().unwrap_or_else(|| "no place is configured".to_owned()));
    let row =
        |what: String, role: &str, n: u64, bytes: u64| vec![what, role.to_owned(), n.to_string(), format_size(bytes)];
    let mut rows: Vec<Vec<String>> =
        status.keys.iter().map(|key| row(key.id.clone(), key.role, key.entries, key.bytes)).collect();
    rows.push(row("in plaintext".to_owned(), "", status.clear_entries, status.clear_bytes));
    page = page.table(&["Under", "Key", "Entries", "Size"], rows);
    for path in &status.older_databases {
        page = page.line(format!("Not in use any more: {path}"));
    }
    match &status.next {
        Some(next) => page.line(format!("Next: {next}")),
        None => page.line("No action is needed"),
    }
}

//! `cache encryption ...`: seal what lies in the cache, and from one key to another.
//!
//! None of them takes a key as an argument, and none edits the configuration.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `cache encryption ...`
#[derive(Debug, Clone, Subcommand)]
pub enum EncryptionCommand {
    /// Show whether entries are sealed, under which keys, and the next step
    #[command(
        after_help = "Examples:\n  awsideman cache encryption status\n  awsideman cache encryption status --json"
    )]
    Status,
    /// Seal what lies in clear, or make the key for it
    Enable(EnableArgs),
    /// Open what is sealed, after the configuration says that nothing shall be
    #[command(
        long_about = "Open what is sealed, after the configuration says that nothing shall be.\n\n\
            Set `enabled = false` in [cache.encryption] first and leave the key where it is. Others may read and write \
            meanwhile; what is ended before its end is gone on with by the next run.",
        after_help = "Examples:\n  awsideman cache encryption disable"
    )]
    Disable,
    /// Seal everything with the newest key
    Rotate(RotateArgs),
}

/// `cache encryption enable`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Seal what lies in clear, or make the key for it.\n\n\
        With --generate a key is written to a new file that only you can read, and the lines to add to the configuration are \
        printed; nothing else is changed. Once the configuration has them, the command without it seals every entry and \
        wipes what was in clear. Others may read and write meanwhile; what is ended before its end is gone on with by the \
        next run.",
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

/// `cache encryption rotate`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Seal everything with the newest key.\n\n\
        The newest key is the first line of key_file; the lines after it hold older keys, which only open. With --generate a \
        new key is put before them. Others may read and write meanwhile; what is ended before its end is gone on with by \
        the next run, without --generate. Afterwards remove the older lines.",
    after_help = "Examples:\n  awsideman cache encryption rotate --generate\n  awsideman cache encryption rotate"
)]
pub struct RotateArgs {
    /// Make a new key
    #[arg(long)]
    pub generate: bool,
}

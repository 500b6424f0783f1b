//! The flags that every command takes.
//!
//! What cannot be meant together is refused with both names.

use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::stdout_path::is_stdout;
use crate::config::Format;
use clap::{ArgAction, Args, ValueEnum};
use std::path::{Path, PathBuf};

/// Whom to ask, and how to print.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag")]
pub struct GlobalArgs {
    /// Use this AWS profile
    #[arg(short, long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use the Identity Center of this AWS region
    #[arg(short, long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Read this configuration file after all others
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Ask a local Identity Center with made-up people, never AWS
    #[arg(long, global = true, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub sandbox: Option<Option<u64>>,
    /// Print the answer in this format
    #[arg(short, long, visible_alias = "format", global = true, value_name = "FORMAT", value_enum)]
    pub output: Option<FormatChoice>,
    /// Print the answer as JSON, errors too
    #[arg(long, global = true)]
    pub json: bool,
    /// Write the answer to this file, readable by you alone
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Do not ask back
    #[arg(short, long, visible_alias = "force", global = true)]
    pub yes: bool,
    /// Show sources and waits; -vv shows each request to AWS
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Use colors: on a terminal, always or never
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub color: Option<ColorChoice>,
    /// Use no colors
    #[arg(long, global = true)]
    pub no_color: bool,
}

impl GlobalArgs {
    /// Refuses what cannot be meant together. (The parser itself sees only the flags that stand side by side.)
    pub fn check(&self) -> Result<(), CliError> {
        let both = |one: &str, other: &str| {
            Err(CliError::new(Code::Usage, format!("the argument '{one}' cannot be used with '{other}'"))
                .hint("leave one of them out"))
        };
        if self.json && self.output.is_some_and(|format| format != FormatChoice::Json) {
            return both("--json", "--output");
        }
        if self.quiet && self.verbose > 0 {
            return both("--quiet", "--verbose");
        }
        if self.no_color && self.color.is_some_and(|color| color != ColorChoice::Never) {
            return both("--no-color", "--color");
        }
        Ok(())
    }

    /// The file of `--out`; `None` for stdout, also by one of its names.
    pub fn out_file(&self) -> Option<&Path> {
        self.out.as_deref().filter(|path| !is_stdout(path))
    }

    /// The format that was asked for; `None` leaves it to the configuration.
    pub fn format(&self) -> Option<Format> {
        if self.json { Some(Format::Json) } else { self.output.map(Format::from) }
    }

    /// When to use colors.
    pub fn color(&self) -> ColorChoice {
        if self.no_color { ColorChoice::Never } else { self.color.unwrap_or(ColorChoice::Auto) }
    }
}

/// The words of `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatChoice {
    /// Columns for people
    Table,
    /// One JSON document
    Json,
    /// One JSON document a line
    Jsonl,
    /// YAML
    Yaml,
    /// Comma-separated values with a header
    Csv,
}

impl From<FormatChoice> for Format {
    fn from(choice: FormatChoice) -> Self {
        match choice {
            FormatChoice::Table => Format::Table,
            FormatChoice::Json => Format::Json,
            FormatChoice::Jsonl => Format::Jsonl,
            FormatChoice::Yaml => Format::Yaml,
            FormatChoice::Csv => Format::Csv,
        }
    }
}

/// The words of `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or TERM is dumb
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

//! `cache ...`: one file per subcommand.
//!
//! The emergency commands (status, health, clear, disable, enable, recover) need neither AWS nor a valid configuration.

pub mod breaker;
pub mod check;
pub mod clear;
pub mod encryption;
pub mod export;
mod health;
pub mod import;
pub mod init;
pub mod inspect;
pub mod invalidate;
pub mod key;
mod named;
mod open;
mod path;
pub mod recover;
mod self_test;
pub mod status;
pub mod sweep;
pub mod switch;
pub mod verify;
pub mod warm;
pub mod why;

use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::CliError;
use crate::cli::output::Output;
use breaker::BreakerCommand;
use check::CheckArgs;
use clap::Subcommand;
use clear::ClearArgs;
use encryption::EncryptionCommand;
use export::ExportArgs;
use import::ImportArgs;
use init::InitArgs;
use inspect::InspectArgs;
use invalidate::InvalidateArgs;
use key::KeyArgs;
use recover::RecoverArgs;
use status::StatusArgs;
use sweep::SweepArgs;
use switch::DisableArgs;
use verify::VerifyArgs;
use warm::WarmArgs;
use why::WhyArgs;

/// `cache ...`
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum CacheCommand {
    /// Show the state and the content of the cache
    Status(StatusArgs),
    Clear(ClearArgs),
    Invalidate(InvalidateArgs),
    Verify(VerifyArgs),
    Warm(WarmArgs),
    /// Remove expired entries
    #[command(after_help = "Examples:\n  awsideman cache cleanup\n  awsideman cache cleanup --dry-run --json")]
    Cleanup(SweepArgs),
    /// Evict the least recently used entries beyond the limits
    #[command(after_help = "Examples:\n  awsideman cache enforce-limits\n  \
        awsideman cache enforce-limits --dry-run")]
    EnforceLimits(SweepArgs),
    /// Check the health of the cache, one line for each check
    #[command(
        long_about = "Check the health of the cache, one line for each check.\n\n\
            The exit code is 0 when no check is critical and 6 otherwise. With --nagios one line is printed, and the \
            exit code is 0 (ok), 1 (warning), 2 (critical) or 3 (unknown).",
        after_help = "Examples:\n  awsideman cache health\n  awsideman cache health --json\n  \
            awsideman cache health --nagios"
    )]
    Health {
        /// Print one line and exit as a Nagios plugin does
        #[arg(long, conflicts_with_all = ["json", "output"])]
        nagios: bool,
    },
    Inspect(InspectArgs),
    Why(WhyArgs),
    Check(CheckArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    /// Encrypt entries on the disk, and change the key
    #[command(subcommand)]
    Encryption(EncryptionCommand),
    /// Test the cache with a private entry, and time it
    #[command(after_help = "Examples:\n  awsideman cache test\n  awsideman cache test --json")]
    Test,
    /// Print the key of an answer
    #[command(after_help = "Examples:\n  awsideman cache key user list all\n  \
        awsideman cache key user list all --param identity_store_id=d-1234567890")]
    Key(KeyArgs),
    /// Disable the cache for a time, in every process
    #[command(
        long_about = "Disable the cache for a time, in every process.\n\n\
            The switch is in the state directory, applies to every process that uses it and ends by itself. \
            Changes are still recorded.",
        after_help = "Examples:\n  awsideman cache disable\n  \
            awsideman cache disable --for 30m --reason 'wrong group lists, see INC-1234'"
    )]
    Disable(DisableArgs),
    /// Enable the cache again
    #[command(after_help = "Examples:\n  awsideman cache enable")]
    Enable,
    /// Close the circuit breaker after a probe
    #[command(subcommand)]
    Breaker(BreakerCommand),
    Recover(RecoverArgs),
    Init(InitArgs),
    /// Print the cache directory
    #[command(after_help = "Examples:\n  awsideman cache path\n  du -sh \"$(awsideman cache path)\"")]
    Path,
}

/// `cache ...`
pub(crate) fn cache(command: CacheCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        CacheCommand::Status(args) => status::status(&args, globals, output),
        CacheCommand::Invalidate(args) => invalidate::invalidate(&args, globals, output),
        CacheCommand::Verify(args) => verify::verify(&args, globals, output),
        CacheCommand::Inspect(args) => inspect::inspect(&args, globals, output),
        CacheCommand::Why(args) => why::why(&args, globals, output),
        CacheCommand::Check(args) => check::check(&args, globals, output),
        CacheCommand::Export(args) => export::export(&args, globals, output),
        CacheCommand::Import(args) => import::import(&args, globals, output),
        CacheCommand::Encryption(command) => encryption::encryption(&command, globals, output),
        CacheCommand::Clear(args) => clear::clear(&args, globals, output),
        CacheCommand::Warm(args) => warm::warm(&args, globals, output),
        CacheCommand::Cleanup(args) => sweep::cleanup(&args, globals, output),
        CacheCommand::EnforceLimits(args) => sweep::enforce_limits(&args, globals, output),
        CacheCommand::Health { nagios } => health::health(nagios, globals, output),
        CacheCommand::Test => self_test::test(globals, output),
        CacheCommand::Key(args) => key::key(&args, globals, output),
        CacheCommand::Disable(args) => switch::disable(&args, globals, output),
        CacheCommand::Enable => switch::enable(globals, output),
        CacheCommand::Breaker(BreakerCommand::Reset) => breaker::reset(globals, output),
        CacheCommand::Recover(args) => recover::recover(&args, globals, output),
        CacheCommand::Init(args) => init::init(&args, globals, output),
        CacheCommand::Path => path::path(globals, output),
    }
}

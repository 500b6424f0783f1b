//! `cache breaker ...`: the arguments of the circuit breaker commands.

use clap::Subcommand;

/// `cache breaker ...`
#[derive(Debug, Clone, Subcommand)]
pub enum BreakerCommand {
    /// Close the circuit breaker after a probe of the store
    #[command(
        long_about = "Close the circuit breaker after a probe of the store.\n\n\
            The probe stores, reads, expires and deletes one entry past the breaker. When it passes, reads and writes are \
            CLOSED for every process of this state directory. When it fails, the breaker is unchanged and the exit code \
            is 1.",
        after_help = "Examples:\n  awsideman cache breaker reset\n  awsideman cache breaker reset --json"
    )]
    Reset,
}

//! The binary of a later version, for tests: `src/main.rs` with the feature `next-schema`.
//!
//! It differs from the ordinary one by the number of its schema.

use std::process::ExitCode;

fn main() -> ExitCode {
    awsideman::cli::main(std::process::exit)
}

//! The binary: everything is in the library, and this is the only exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    awsideman::cli::main(std::process::exit)
}

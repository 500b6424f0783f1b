//! The errors of what is configured, joined and run, folded into a [`CliError`].
//!
//! The same as there, each variant by name.

use crate::alerts::AlertError;
use crate::app::AppError;
use crate::cache::CacheError;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::jobs::JobError;
use crate::limits;
use crate::sandbox::SandboxError;

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> CliError {
        let lines: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        let limit = error.problems.iter().find_map(|problem| Some((problem, limits::in_text(&problem.what)?)));
        if let Some((problem, hint)) = limit {
            return CliError::new(Code::Failed, format!("cannot start: {} {}", problem.source, problem.what))
                .hint(hint);
        }
        let hint = "fix it, then run `awsideman config validate`; `awsideman config path` lists the files";
        match lines.as_slice() {
            [one] => CliError::new(Code::Usage, one.clone()).hint(hint),
            several => CliError::new(Code::Usage, format!("the configuration has {} mistakes", several.len()))
                .details(lines.iter().cloned())
                .hint(hint),
        }
    }
}

impl From<AppError> for CliError {
    fn from(error: AppError) -> CliError {
        let message = error.to_string();
        match error {
            AppError::NoSuchGroup { .. } => CliError::new(Code::Usage, message)
                .hint("make the group, or set `cache.sharing` to \"private\" or another group"),
            AppError::UnknownGroup { ref name } => {
                let hint = format!("`getent group` lists those there are; `sudo groupadd {name}` makes it");
                CliError::new(Code::Usage, message).hint(hint)
            }
            AppError::NotInGroup { ref name, ref user } => CliError::new(Code::Failed, message).hint(format!(
                "`sudo usermod -aG {name} {user}` and a new login make it one; or run this with sudo"
            )),
            AppError::Barred { ref barrier, .. } => CliError::new(Code::Usage, message).hint(format!(
                "set `cache.dir` and `state.dir` to directories outside of a home, as in /var/cache/awsideman, or let others \
                 through with `chmod o+x {}`",
                barrier.display()
            )),
            AppError::Limit(ref error) => {
                let hint = crate::host::limit_hint(error).unwrap_or("raise the limits of this process (`ulimit -a`)");
                CliError::new(Code::Failed, message).hint(hint)
            }
            AppError::SalvageWithoutKey(_) => CliError::new(Code::Failed, message).hint(
                "bring the key back (`awsideman cache encryption status`), or begin an empty cache with `awsideman cache \
                 recover --no-salvage`",
            ),
            AppError::WhichInstance(_) => CliError::new(Code::CacheNeeded, message)
                .hint("`awsideman info` asks AWS and remembers it; `--all` takes every instance"),
            AppError::Private(error) => error.into(),
            AppError::Config(error) => error.into(),
            AppError::State(error) => error.into(),
            // In the words that people search logs for.
            AppError::Store(error) => CacheError::Backend(error).into(),
            AppError::Cache(error) => error.into(),
            AppError::Gateway(error) => error.into(),
            AppError::Job(error) => error.into(),
            AppError::Alert(error) => error.into(),
        }
    }
}

impl From<JobError> for CliError {
    fn from(error: JobError) -> CliError {
        let message = error.to_string();
        match error {
            JobError::Unknown { .. } => CliError::new(Code::Usage, message).hint("`awsideman jobs list` shows them"),
            JobError::State(error) => error.into(),
            JobError::Private(error) => error.into(),
            JobError::Lock { .. } => {
                CliError::new(Code::Failed, message).hint("`awsideman doctor` checks the state directory")
            }
        }
    }
}

impl From<AlertError> for CliError {
    fn from(error: AlertError) -> CliError {
        let hint = error.hint();
        let code = if error.is_configuration() { Code::Usage } else { Code::Failed };
        let failure = CliError::new(code, error.to_string());
        if hint.is_empty() { failure } else { failure.hint(hint) }
    }
}

impl From<SandboxError> for CliError {
    fn from(error: SandboxError) -> CliError {
        let message = error.to_string();
        match error {
            SandboxError::NotLoopback(_) => CliError::new(Code::Usage, message),
            SandboxError::Listen(_) => {
                CliError::new(Code::Failed, message).hint("choose another port with `--port`; 0 takes a free one")
            }
            SandboxError::Faults(_) => {
                CliError::new(Code::Usage, message).hint("`awsideman sandbox serve --help` lists all faults")
            }
            SandboxError::Start(_) | SandboxError::Serve(_) => CliError::new(Code::Failed, message),
        }
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> CliError {
        let message = error.to_string();
        match error {
            DaemonError::NotLoopback(_) => CliError::new(Code::Usage, message)
                .hint("listen on 127.0.0.1, or add `--allow-remote` if other hosts need it"),
            DaemonError::Listen { .. } => CliError::new(Code::Failed, message)
                .hint("choose another port with `--listen`; perhaps a daemon runs there already"),
            DaemonError::Textfile { .. } | DaemonError::Metrics(_) => CliError::new(Code::Failed, message)
                .hint("`metrics.textfile` must be in a directory that exists and may be written"),
            DaemonError::Scheduler(_) | DaemonError::OneThread | DaemonError::Signal { .. } => {
                CliError::new(Code::Failed, message)
                    .hint("a systemd timer or cron with `awsideman jobs run` does the same work")
            }
        }
    }
}

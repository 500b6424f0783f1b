//! What any command can notice beside its own work: jobs that nobody runs, a login that is about to end.
//!
//! Files and the state database are read, nothing is written, AWS is not asked; never on the path of a cached
//! answer.

use crate::app::App;
use crate::app::AppError;
use crate::aws::{self, SsoLogin};
use crate::clock;
use crate::health::LoginReading;
use crate::host;
use crate::jobs::{self, Ledger};
use crate::model::Zone;
use crate::secure_fs;
use std::sync::{Arc, Mutex};

/// The file of the state directory that records a notice that was shown.
const KEYS_NOT_USED: &str = "keys-not-used.noticed";

impl App {
    /// Jobs that were due long ago and did not run, one sentence each.
    pub fn late_jobs(&self) -> Result<Vec<String>, AppError> {
        // The sandbox is for looking around: nobody runs its jobs by the clock.
        if self.is_sandbox() || matches!(self.state_dir().try_exists(), Ok(false)) {
            return Ok(Vec::new());
        }
        let Some(database) = self.state().database_read_only()? else { return Ok(Vec::new()) };
        let ledger = Ledger::new(Arc::new(Mutex::new(database)));
        let zone = host::local_zone().unwrap_or(Zone::UTC);
        let late = jobs::overdue(&self.jobs_that_can_run()?.0, &ledger, &zone, &host::host_name(), self.clock().now())?;
        let sentence = |late: jobs::OverdueJob| {
            let profile = late.profile.map(|profile| format!(" ({profile})")).unwrap_or_default();
            format!("{}{profile} was due at {} and did not run", late.job, clock::local(late.due_at))
        };
        Ok(late.into_iter().map(sentence).collect())
    }

    /// The same as one notice, with what to do; a fault is a notice too.
    pub fn late_jobs_notice(&self) -> Option<String> {
        match self.late_jobs() {
            Ok(late) if late.is_empty() => None,
            Ok(late) => Some(format!(
                "jobs do not run: {}; is cron, the timer or `awsideman jobs daemon` on? `awsideman jobs run` runs them now",
                late.join("; ")
            )),
            Err(error) => Some(format!("whether jobs are late could not be seen: {error}")),
        }
    }

    /// The source of the credentials, for display, or why there are none; makes no call.
    pub fn credential_source(&self) -> Result<String, String> {
        if self.is_sandbox() {
            return Ok("the sandbox".into());
        }
        aws::credential_source(self.aws()).map_err(|fault| fault.to_string())
    }

    /// Whether there are keys in the environment that are not used, because a profile was chosen explicitly.
    pub fn ignores_keys(&self) -> bool {
        !self.is_sandbox() && self.aws().ignores_keys()
    }

    /// That keys in the environment are not used, where earlier versions used them: once for each state directory.
    pub fn account_notice(&self) -> Option<String> {
        if !self.ignores_keys() {
            return None;
        }
        let mark = self.state_dir().join(KEYS_NOT_USED);
        // If it cannot be recorded, it is shown again.
        let made =
            secure_fs::directory(self.state_dir(), self.access()).and_then(|_| secure_fs::create(&mark, self.access()));
        if let Ok(false) = made {
            return None;
        }
        let (profile, origin) = self.profile();
        Some(format!(
            "awsideman uses the profile `{profile}` ({origin}) and not AWS_ACCESS_KEY_ID, as the AWS CLI does; earlier versions \
             used the key, which may belong to another account\nnext: `awsideman info` shows what is used"
        ))
    }

    /// The login behind the profile in use.
    pub fn login(&self) -> SsoLogin {
        aws::login(&self.aws_settings(), &self.environment)
    }

    /// How that login is renewed.
    pub(super) fn login_renewal(&self) -> String {
        aws::renewal(self.aws()).text().to_owned()
    }

    /// The login as health judges it; `None` without a known end.
    pub(super) fn login_reading(&self) -> Option<LoginReading> {
        if self.is_sandbox() {
            return None;
        }
        let login = self.login();
        let command = self.login_renewal();
        Some(LoginReading { ends_at: login.ends_at?, began_at: login.began_at, command, name: login.name })
    }
}

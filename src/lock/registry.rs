//! The registry of locks: each file lock has an entry here, and `docs/locks.md` is generated from it.

/// A lock between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The write lock of a generation of the cache.
    Cache,
    /// The making and dropping of generations.
    Generations,
    /// The write lock of the state database.
    State,
    /// The replacement of a damaged state database.
    StateRenewal,
    /// The write lock of the rate limiter's database.
    Pace,
    /// The replacement of a damaged database of the rate limiter.
    PaceRenewal,
    /// The making of any of these databases, and its schema changes.
    Schema,
    /// Changes of the kill switch and of the circuit breaker.
    Switch,
    /// The fold of the lookup log.
    Fold,
    /// One append to the lookup log.
    Tally,
    /// One fetch of an answer that several processes need.
    Flight,
    /// The run of a job.
    Job,
    /// The run of a job that waits for its turn.
    JobQueue,
    /// The sending of alerts.
    Outbox,
    /// A recovery of the cache.
    Recovery,
    /// Encryption and decryption of stored entries.
    Encryption,
    /// The rotation of the log file.
    Log,
}

impl Guard {
    /// All of them, in the order of the documentation.
    pub const ALL: [Guard; 17] = [
        Guard::Flight,
        Guard::Cache,
        Guard::Generations,
        Guard::State,
        Guard::StateRenewal,
        Guard::Pace,
        Guard::PaceRenewal,
        Guard::Schema,
        Guard::Switch,
        Guard::Tally,
        Guard::Fold,
        Guard::Job,
        Guard::JobQueue,
        Guard::Outbox,
        Guard::Recovery,
        Guard::Encryption,
        Guard::Log,
    ];

    /// The file that is locked; `CACHE` and `STATE` are the two directories, `LOG` is the log file.
    pub fn file(self) -> &'static str {
        match self {
            Guard::Cache => "CACHE/gen-*.db",
            Guard::Generations => "CACHE/creation.lock",
            Guard::State => "STATE/state.db",
            Guard::StateRenewal => "STATE/state.db.renew",
            Guard::Pace => "STATE/pace.db",
            Guard::PaceRenewal => "STATE/pace.db.renew",
            Guard::Schema => "*.db.lock",
            Guard::Switch => "STATE/switch.lock",
            Guard::Fold => "STATE/tally.lock",
            Guard::Tally => "STATE/tally",
            Guard::Flight => "STATE/locks/flight-*",
            Guard::Job => "STATE/locks/JOB[@PROFILE]",
            Guard::JobQueue => "STATE/locks/JOB[@PROFILE].next",
            Guard::Outbox => "STATE/outbox.lock",
            Guard::Recovery => "STATE/locks/cache.recover",
            Guard::Encryption => "STATE/locks/encryption",
            Guard::Log => "LOG",
        }
    }

    /// What it guards.
    pub fn name(self) -> &'static str {
        match self {
            Guard::Cache => "one write to the cache database",
            Guard::Generations => "making, replacing and dropping a cache database",
            Guard::State => "one write to the ledger, the journal, alerts or statistics",
            Guard::StateRenewal => "replacing a damaged state database",
            Guard::Pace => "one update of the shared rate limits",
            Guard::PaceRenewal => "replacing a damaged database of rate limits",
            Guard::Schema => "creating a database or changing its schema",
            Guard::Switch => "one change of the kill switch or the circuit breaker",
            Guard::Fold => "folding the lookup log into the statistics",
            Guard::Tally => "one append to the lookup log",
            Guard::Flight => "fetching one answer from AWS",
            Guard::Job => "one run of a job",
            Guard::JobQueue => "the place of the one run that waits for another run of its job",
            Guard::Outbox => "sending alerts",
            Guard::Recovery => "one recovery of the cache",
            Guard::Encryption => "encrypting or decrypting the stored entries",
            Guard::Log => "rotating the log file",
        }
    }

    /// Who waits for it.
    pub fn who(self) -> &'static str {
        match self {
            Guard::Cache => "commands that store answers, change AWS, clear, clean up or import",
            Guard::Generations => "a command that finds no cache database; `cache recover`",
            Guard::State => "jobs, changes (journal), alerts, `cache cleanup`",
            Guard::StateRenewal => "commands that find the state database damaged",
            Guard::Pace | Guard::PaceRenewal => "every call to AWS",
            Guard::Schema => "the first command after an installation or an upgrade",
            Guard::Switch => "`cache disable`, `cache enable`, state changes of the circuit breaker",
            Guard::Fold => "`cache cleanup`, the cleanup job, `cache status` run by the owner",
            Guard::Tally => "the fold; an append never waits",
            Guard::Flight => "reads that miss the same entry, `cache warm`, the warm job",
            Guard::Job => "`jobs run --wait`; overlap `queue-one` and `replace`",
            Guard::Outbox => "jobs, `alerts test`",
            Guard::Recovery => "`cache recover`, the recover job",
            Guard::JobQueue | Guard::Encryption | Guard::Log => "no process",
        }
    }

    /// How long.
    pub fn bound(self) -> &'static str {
        match self {
            Guard::Cache | Guard::Generations | Guard::State | Guard::StateRenewal => "`cache.busy_timeout` (5 s)",
            Guard::Pace | Guard::PaceRenewal => "0.5 s",
            Guard::Schema => "as its database",
            Guard::Switch | Guard::Outbox => "5 s",
            Guard::Fold | Guard::Tally => "1 s",
            Guard::Flight | Guard::Recovery => "30 s after the holder's last progress; 1 s if the holder is stopped",
            Guard::Job => "the job's `timeout` and `jobs.grace`, 24 h without a timeout; SIGTERM ends it",
            Guard::JobQueue | Guard::Encryption | Guard::Log => "0 s",
        }
    }

    /// What follows when the wait timed out.
    pub fn then(self) -> &'static str {
        match self {
            Guard::Cache => {
                "a read answers and stores nothing; a change retires the cache database and continues; other commands end \
                 with exit code 11"
            }
            Guard::Generations => "reads answer from AWS; commands of the cache end with exit code 11",
            Guard::State | Guard::StateRenewal => {
                "a change continues without a journal entry; a job that cannot be recorded does not start"
            }
            Guard::Pace | Guard::PaceRenewal => "this process keeps its own rate limits",
            Guard::Schema => "as for its database",
            Guard::Switch | Guard::Encryption => "the command ends with exit code 11",
            Guard::Fold | Guard::Tally => "the next fold counts these lookups",
            Guard::Flight => "this process asks AWS itself",
            Guard::Recovery => "this process recovers the cache itself",
            Guard::Job => "the run is skipped, and the reason names the holder",
            Guard::JobQueue => "the run is skipped: another run already waits",
            Guard::Outbox => "the messages are kept for the next run",
            Guard::Log => "the line is appended without rotation",
        }
    }
}

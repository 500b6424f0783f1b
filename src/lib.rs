//! awsideman: AWS IAM Identity Center from a shared, coherent cache.
//!
//! One binary is two things: a command line that answers "who has access to what" immediately, from a cache that all
//! processes of a host share, and a job runner that keeps that cache warm, small and healthy. This file is the map of the
//! code.
//!
//! # Layers
//!
//! A module imports only from lower layers, and modules of one layer do not import each other. `tests/rules/architecture/` fails
//! on a line that breaks this, and on an outside crate that is imported in a second place.
//!
//! ```text
//!  layer 8  cli        commands: arguments, help, output, progress, exit codes; nothing below prints
//!  layer 7  daemon     runs due jobs; status page, metrics            library  the cache for other programs
//!  layer 6  app        connects the modules: `App` is the configured core, each family of operations a struct in its file
//!  layer 5  jobs       schedules, runs, ledger
//!           alerts     alert state, messages, notifiers, outbox       sandbox  a local Identity Center (crate `sandbox/`)
//!  layer 4  gateway    reads of AWS through the cache; changes; rate limit; warming
//!           health     checks and findings
//!  layer 3  cache      keys, freshness, entries, fills, invalidation
//!  layer 2  store      entries at rest: disk (SQLite), memory, invalidation log, circuit breaker, encryption
//!  layer 1  config     files, variables, validation      state    kill switch, lookup log, locks, state.db
//!           aws        account, region, credentials      host     facts of the host       log  the log file
//!           progress   progress and counters as values
//!  layer 0  model      values of the domain              clock    time as a value         lock  locks between processes
//!           sqlite, secure_fs, http, program  open databases, files and connections safely, run programs within bounds
//!           limits     limits of the operating system
//! ```
//!
//! # Flow
//!
//! ```text
//! awsideman user get alice
//!   cli::args -> config::load -> app::App -> gateway::Reader::cached -> cache::Cache::view -> store::Disk::view
//!                                               | miss                       (verify, then print)
//!                                               v
//!                              gateway::RateLimited -> gateway::AwsApi -> AWS   fill -> cache -> store, unless invalidated
//!
//! awsideman user update alice ...
//!   cli::args -> app::App -> gateway::Writer::write -> before-image (live) -> cache::Fences::raise -> gateway::AwsApi -> AWS
//!                                                    -> Fences::close (every store there is) -> journal in state.db
//!
//! jobs/10-warm.toml -> config::load_jobs -> jobs::run (due? lock, ledger, timeout) -> app (JobHandler) -> Warmer::warm
//!   reports -> alerts::observe (one transaction, at most one mail) -> outbox -> alerts::deliver
//! ```
//!
//! A hit reads the configuration, `state/switch`, `CURRENT` and the cache database, and appends one record to the
//! lookup log: no runtime, no TLS, no AWS configuration, no second database. `cache warm` and the warm job are one function.
//!
//! # Invariants
//!
//! - *Namespaces never mix.* Every stored key carries partition, region, instance, identity store and foreign endpoint
//!   ([`model::Namespace`]); the instance of a profile is remembered under everything that selects credentials.
//! - *One place chooses the account*: `aws/resolved.rs` chooses profile, region and endpoints, `aws/plan.rs` the source of
//!   credentials, `aws/network.rs` certificates and proxy, each as the AWS CLI does; the SDK reads no file and no variable.
//! - *An instance has one namespace*, whatever region it is read through: calls go to its primary region.
//! - *Keys are injective* ([`cache::Key`]), and the id of a row is checked against the whole key.
//! - *Nothing unverified is printed*: every frame's checksum is compared before the first byte is printed. A damaged entry is
//!   a miss and is removed; an entry of another version is not touched.
//! - *A fill begins with a ticket* ([`cache::Ticket`]), the number of the invalidation log at its start, and is stored
//!   only if no later record (an invalidation, a clear, a fence) covers its key and no fence covered it at that moment.
//! - *A change is recorded twice* ([`gateway::Writer::write`]): a fence before AWS, a close after it whose fence lasts for
//!   `cache.settle`. Disabled, private and broken caches are included; if the record cannot be written, the generation is
//!   retired. What a change invalidates is one table ([`cache::dirty`]). `docs/coherence.md` is the whole protocol.
//! - *Single flight*: of several processes that miss one key, one asks AWS. A flight is a lock file named by the key and the
//!   newest record that covers it, so that a change separates reads before it from reads after it. A holder that makes no
//!   progress is waited for 30 s, a stopped one not at all.
//! - *Every wait has a bound*: `lock/registry.rs` lists the locks between processes (`docs/locks.md`), `secure_fs/bounded.rs`
//!   the files that another party may have made, `program.rs` the programs.
//! - *A call takes its slot when it can leave* ([`gateway::IdentityCenterApi::ready`]): login and client come before the slot
//!   in the quota, so that no process waits for them after it.
//! - *Two versions share a directory*: one number ([`store::SCHEMA`]) names the generations of a version, and a new generation
//!   carries over the fences of all (`store/disk/carry_over.rs`).
//! - *Freshness is judged in one place* ([`cache::judge`]): the smaller of the stored TTL and today's.
//! - *An error is never an empty list.* A traversal that loses a target names it; an incomplete listing is not stored. A run
//!   that lost a target is `partial`, never `done`.
//! - *Health is judged once*: `doctor`, `cache health`, `cache status`, the page, the metrics, Nagios and the alerts use the
//!   checks of `health/`.
//! - *A change applies to what was shown*: the objects of a confirmation are read again after it, and `Revision` is sent.
//! - *A failing cache slows a command down*; it never fails the command and never changes its answer.
//! - *The ledger decides which runs are due and file locks prevent concurrent ones*, never the time at which a process starts.
//! - *Encryption fails closed*: without the key nothing is read or stored, and an invalidation that cannot be expressed under
//!   every key id in use widens to the plaintext prefix of the key (`store/key_id.rs`, `docs/encryption.md`).
//! - *No globals* but three: the subscriber that `tracing` writes the log through, the locks whose wait timed out in
//!   this process (`lock/memory.rs`), and the handle that [`library::CacheManager::shared`] gives to a program's threads.
//!   No `unsafe`, no printing below layer 8, and no exit but in `main.rs`.
//! - *Entries of library users are separate* ([`cache::CUSTOM`]): they are never served as an answer of AWS, and a change that
//!   invalidates a key invalidates it there as well.
//!
//! # Where do I change ...
//!
//! | what | where |
//! |---|---|
//! | a configuration key | `config/keys.rs`, `config/schema/mod.rs`, `config/default.toml` (a test wants all three) |
//! | a new AWS read | `gateway/api.rs` (operation), `gateway/aws/` (call), `gateway/request.rs` (key), `gateway/fetch.rs` |
//! | a new AWS change | `gateway/mutation.rs` (variant: the compiler asks for the rest), `gateway/aws/mutations/`, a row in `tests/coherence/every_mutation.rs` |
//! | what a change invalidates | `cache/invalidation/mod.rs`, and its table of tests |
//! | a TTL | `config/default.toml` `[cache.ttl]`; the rule in `cache/freshness.rs` |
//! | a new backend | one file in `store/`, one variant in `config::Backend`, one arm in `app/stack.rs`, one line in `tests/modules/store/mod.rs` |
//! | a new kind of job | `config/job/mod.rs` (variant, table), `app/job_handlers.rs` (arm), an example in `jobs/` |
//! | a lock between processes | `lock/registry.rs`, which prints `docs/locks.md` |
//! | a health check | `health/checks.rs` (figures), `health/states.rs` (states), a row in `tests/cli/health_states.rs` |
//! | the selection of account, region, endpoint, proxy or certificate | `aws/`, a row in `docs/aws-access.md` and in `tests/cli/aws_access/cases.rs` |
//! | the exit code of an AWS error | `aws/error_class.rs` |
//! | a `cache` command | `cli/commands/cache/COMMAND.rs` (arguments, help, behavior), one arm in its `mod.rs` |
//! | another command | `cli/args/` (arguments, help), `cli/commands/` (behavior), one arm in `cli/mod.rs` |
//! | filters, sorting, columns; tables, CSV, YAML | `cli/args/read_flags.rs`, `cli/output/projection.rs`; `cli/output/render.rs` |
//! | the syntax of a duration or a size | `model/units.rs` |
//! | the schedule of a job; its systemd units and crontab | `config/job/schedule.rs`; `jobs/unit_files.rs` |
//! | which process fetches an answer, and how long others wait | `gateway/single_flight.rs`, `lock/watch.rs` |
//! | an error's message, hint and exit code | the module's `error.rs`; `cli/error/`, `cli/exit_code/` |
//! | the library API | `library/`, and the table in `docs/library.md` |
//! | what the sandbox answers | `sandbox/src/services/` |
//!
//! # Design decisions
//!
//! - TLS is rustls with *ring*: one provider for AWS and mail, which builds two minutes faster than aws-lc.
//! - A closing SQLite connection does not checkpoint its WAL: that would cost every filling command an fsync. Warms, clears and
//!   sweeps checkpoint once.
//! - Time zones come from jiff's compact bytes behind [`model::Zone`]: the tables of chrono-tz cost 250 page faults at every start.
//! - A process that waits for another's flight gets the answer through the store. If a change came during the flight, nothing
//!   was stored, and the waiting process starts a flight under the new number.
//! - A traversal stores every describe as it arrives, each judged by the ticket: each is valid by itself. The list is published
//!   as a whole.
//! - A cache that can neither record a change nor be retired is disabled for this host.
//! - `cache recover --prune` removes quarantined databases and recovers nothing: no run removes the evidence that it made.
//! - `cache init` prints what to add to the configuration and does not write it.
//! - The cache directory contains 1 MB of ballast: on a full disk, deletions are written to it first. If it is used up,
//!   enforcing the limits drops the whole generation, and a mark keeps its fences (`store/disk/emergency_drop/mod.rs`).
//! - In an encrypted store a pattern that reaches into ids is recorded as its plaintext prefix, and a scan is in plaintext order.
//! - Generations are named by the first number of their log (Unix milliseconds), so that no name is used twice.

pub mod alerts;
pub mod app;
pub mod aws;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod gateway;
pub mod health;
pub mod host;
pub mod http;
pub mod jobs;
pub mod library;
pub mod limits;
pub mod lock;
pub mod log;
pub mod model;
pub mod program;
pub mod progress;
pub mod secure_fs;
pub use awsideman_sandbox as sandbox;
pub mod sqlite;
pub mod state;
pub mod store;

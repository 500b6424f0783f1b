//! awsideman: AWS IAM Identity Center from a shared cache that is kept true.
//!
//! One binary gives two things: a command line that answers "who has access to what" at once, through a cache that every
//! process of a host shares, and a job runner that keeps that cache warm, small and healthy. This file is the
//! map of the code.
//!
//! # The house
//!
//! A room names only rooms on lower floors; rooms on one floor are strangers. `tests/house.rs` fails on a line that
//! breaks this, and on a crate that is named outside its door.
//!
//! ```text
//!  floor 8  cli        people: words in, words out; the only printer, the only list of exit codes
//!  floor 7  daemon     time: when a pass of jobs is due to be looked at
//!           library    other programs: the cache as one shared handle
//!  floor 6  app        the one place where rooms are joined
//!  floor 5  jobs       work: when it is due, how a run is kept
//!           alerts     words sent out, once when it starts and once when it is over
//!           sandbox    a local Identity Center on the real wire protocol: the crate in `sandbox/`
//!  floor 4  gateway    AWS, seen through the cache and paced to its quota; changes from the fence to the close
//!           health     measurements become findings
//!  floor 3  cache      meaning: keys, freshness, entries, fills that no change has overtaken, what a change makes false
//!  floor 2  store      bytes at rest: disk (SQLite, generations), memory, the record log, the layers over them (breaker, seal)
//!  floor 1  config     layers, checked    state  switch, tally, locks, state.db    report  progress as values
//!           host       facts of the host  aws    which account, and the way to it; loaded lazily   log  the log file
//!           program    other programs, within bounds
//!  floor 0  model      nouns    clock  time as a value    sqlite, private, http  the safe ways to open a thing
//!           lock       locks between processes: bounded, remembered, reported
//! ```
//!
//! # The flow
//!
//! ```text
//! awsideman user get alice
//!   cli::args -> config::load -> app::App -> gateway::Gateway::cached -> cache::Cache::view -> store::Disk::view
//!                                               | miss                       (verify, then show)
//!                                               v
//!                              gateway::Paced -> gateway::Aws -> AWS        fill -> cache -> store, unless overtaken
//!
//! awsideman user update alice ...
//!   cli::args -> app::App -> gateway::Gateway::write -> image (live) -> cache::Fences::raise -> gateway::Aws -> AWS
//!                                                    -> Fences::close (every store there is) -> journal in state.db
//!
//! jobs/10-warm.toml -> config::load_jobs -> jobs::run (due? lock, ledger, timeout) -> app (Works) -> Gateway::warm
//!   reports -> alerts::observe (one transaction, at most one mail) -> outbox -> alerts::deliver
//! ```
//!
//! A cached answer touches the configuration, `state/switch`, `CURRENT`, the cache database and one append to the tally:
//! no runtime, no TLS, no AWS configuration, no second database. `cache warm` and the warm job are one function.
//!
//! # Invariants
//!
//! - *Spaces never meet.* Every stored key carries partition, region, instance, identity store and foreign endpoint
//!   ([`model::Namespace`]); the instance behind a profile is remembered under everything that selects credentials.
//! - *One place chooses the account*: `aws/resolved.rs` chooses profile, region and endpoints, `aws/plan.rs` the source of
//!   credentials, `aws/network.rs` certificates and proxy, each as the AWS CLI does; the SDK reads no file and no variable.
//! - *An instance has one namespace*, whatever region it is read through: calls go to its primary region.
//! - *Keys are injective* ([`cache::Key`]), and the id of a row is checked against the whole key.
//! - *Nothing unverified is shown*: every frame's checksum is compared before the first byte goes out; a damaged entry
//!   is a miss and is dropped; another version's entry is left alone.
//! - *A fill begins with a ticket* ([`cache::Ticket`]), the number of the store's record log at its start, and is stored
//!   only if no later record (an invalidation, a clear, a fence) covers its key and no fence stood on it at that moment.
//! - *A change tells the cache twice* ([`gateway::Gateway::write`]): a fence before AWS, a close after it that stands for
//!   `cache.settle`. Disabled, private and broken caches are told too; what cannot be recorded retires the generation.
//!   What a change makes false is one table ([`cache::dirty`]). `docs/coherence.md` is the whole of it.
//! - *Of many who miss, one asks*: a flight is a lock file named by the key and the newest record that covers it, so that
//!   a change parts those who came before it from those who come after.
//! - *A call takes its turn when it can leave* ([`gateway::IdentityCenterApi::ready`]): login and client come before the slot in the
//!   quota, so that nobody waits for them after it.
//! - *Two versions share a directory*: one number ([`store::SCHEMA`]) names the generations of a version, and a new one takes
//!   over the standing fences of all (`store/disk/carry_over.rs`).
//! - *Freshness is judged in one place* ([`cache::judge`]): the smaller of what was stored and what is configured today.
//! - *An error is never an empty list.* Walks that lose a target name it; a listing that breaks off is not stored. A run that
//!   lost a target is `partial`, never `done`.
//! - *Health is judged once*: `doctor`, `cache health`, `cache status`, the page, the metrics, Nagios and the alerts draw from the
//!   checks of `health/`.
//! - *A change is made to what was shown*: what a question named is read again after the answer, and `Revision` is sent.
//! - *A fault of the cache slows a command*, it never fails it and never changes its answer.
//! - *Jobs are decided by the ledger and guarded by file locks*, never by the moment at which somebody wakes.
//! - *A seal fails closed*: without the key nothing is read or stored, and a removal that cannot name an entry in some tongue
//!   that the database knows removes all that it may be (`store/key_id.rs`, `docs/encryption.md`).
//! - *There is no global* but the one that `tracing` writes the log through, the locks that this process waited for in vain
//!   (`lock/memory.rs`: parts that share no other value must not wait for one lock in turn), and the handle that
//!   [`library::CacheManager::shared`] gives: a program's threads must find the same one without anybody to hand it to them.
//!   No `unsafe`, no printing below floor 8, and no exit but `main.rs`.
//! - *What a program stores is its own* ([`cache::CUSTOM`]): it is never an answer of AWS, and a change that makes a key
//!   false makes it false there as well.
//!
//! # Where do I change ...
//!
//! | what | where |
//! |---|---|
//! | a configuration key | `config/keys.rs`, `config/schema/mod.rs`, `config/default.toml` (a test wants all three) |
//! | a new AWS read | `gateway/api.rs` (operation), `gateway/aws/` (call), `gateway/request.rs` (key), `gateway/fetch.rs` |
//! | a new AWS change | `gateway/mutation.rs` (variant: the compiler asks for the rest), `gateway/aws/changes/`, a row in `tests/cli/coherent_table.rs` |
//! | what a change makes false | `cache/invalidation/mod.rs`, and its table of tests |
//! | how long something is fresh | `config/default.toml` `[cache.ttl]`; the rule itself in `cache/freshness.rs` |
//! | a new backend | one file in `store/`, one variant in `config::Backend`, one arm in `app/stack.rs`, one line in `tests/store_contract.rs` |
//! | a new kind of job | `config/job/mod.rs` (variant, table), `app/job_pass.rs` (arm), an example in `jobs/` |
//! | a lock between processes | `lock/registry.rs`, which prints `docs/locks.md` |
//! | a health check | `health/checks.rs` (figures), `health/states.rs` (states), a row in `tests/cli/health_states.rs` |
//! | which account, region, endpoint, proxy or certificate is used | `aws/`, a row in `docs/aws-access.md` and in `tests/aws_access/cases.rs` |
//! | what an error of AWS means | `aws/error_class.rs`: its class is its exit code |
//! | a command | `cli/args/` (words, help, example), `cli/commands/` (what it does), `cli/mod.rs` (one arm) |
//! | an error's words, hint and exit code | the room's `error.rs`; `cli/exit/` |
//! | what a program can do with the cache | `library/`, and the table in `docs/library.md` |
//! | what the sandbox answers | `sandbox/src/services/` |
//!
//! # Departures
//!
//! - TLS is rustls with *ring*: one provider for AWS and mail, and two minutes less to build than aws-lc.
//! - A closed SQLite connection does not fold its log into the database: that cost every filling command an fsync; warms,
//!   clears and limits do it once.
//! - Time zones come from jiff's compact bytes behind [`model::Zone`]: chrono-tz's tables cost every start 250 page faults.
//! - Those who wait for another process's flight get its answer through the store; when a change has overtaken the flight,
//!   nothing was stored, and they fly anew under the new number instead of being handed an answer from before it.
//! - What a walk brings along (every describe) is stored as it comes, each judged by the ticket, and not under a hidden
//!   version: each of them is true by itself. The list is published whole.
//! - A cache that could not be told of a change, and not be retired either, is switched off for this host.
//! - `cache recover --prune` removes what was set aside and flips nothing: evidence is never removed by the run that makes it.
//! - `cache init` prints what to write into the configuration; it writes no configuration of its own.
//! - A megabyte of ballast lies in the cache directory: on a disk without a byte free, deletions are written to it first. Where
//!   that is gone too, holding the limits drops the generation whole, and a mark in its place keeps its fences (`store/disk/emergency_drop/mod.rs`).
//! - In a sealed store a pattern that goes into ids is recorded as what is clear of it, and a scan goes in the order of what is clear.
//! - Generations are named by the first number of their log (Unix milliseconds), so that no name is ever used twice.

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

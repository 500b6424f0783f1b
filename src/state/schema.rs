//! The tables of `state.db`.
//!
//! One number for the whole schema; a database of an earlier version goes through the steps it has not seen and
//! loses nothing; times are Unix milliseconds.
//!
//! What changes is a step at the end of [`STEPS`]: a new table or column with all it needs to be true of what is there
//! (a default, a copy). [`SCHEMA`] and a step that was shipped stay as they are, because a new database takes the same
//! way as an old one.

use crate::sqlite::{Connection, StatementError};

/// The steps from version 1, each to the next version.
pub(super) const STEPS: &[&str] = &[ALERTS, TRENDS, CONTACT, PAUSED_AT, BOUNDS, COLD_MISSES, NAMES];

/// Version 8: plain names of tables and columns. [`older_names`] is the same list for a reader.
const NAMES: &str = "
DROP TRIGGER run_ended;
ALTER TABLE hourly RENAME COLUMN n TO lookups;
ALTER TABLE hourly RENAME TO lookups_by_hour;
ALTER TABLE lifetime RENAME COLUMN n TO lookups;
ALTER TABLE lifetime RENAME TO lookup_totals;
ALTER TABLE folded RENAME TO aggregated_logs;
ALTER TABLE job RENAME TO jobs;
ALTER TABLE run RENAME COLUMN exit TO exit_code;
ALTER TABLE run RENAME TO runs;
ALTER TABLE alert RENAME TO alerts;
ALTER TABLE silence RENAME TO silences;
ALTER TABLE alert_event RENAME COLUMN what TO event;
ALTER TABLE alert_event RENAME TO alert_events;
ALTER TABLE delivery RENAME TO deliveries;
ALTER TABLE journal RENAME COLUMN space TO namespace;
ALTER TABLE journal RENAME COLUMN who TO author;
ALTER TABLE sample RENAME COLUMN held TO bytes;
ALTER TABLE sample RENAME TO size_samples;
ALTER TABLE call RENAME TO aws_calls;
ALTER TABLE run_total RENAME COLUMN n TO runs;
ALTER TABLE run_total RENAME TO run_totals;
ALTER TABLE aws_failure RENAME TO last_aws_failure;
ALTER TABLE throttle RENAME TO throttled_calls;
ALTER TABLE hit_window RENAME TO hit_rate_windows;
ALTER TABLE hit_window_before RENAME COLUMN n TO lookups;
ALTER TABLE hit_window_before RENAME TO hit_rate_baselines;
ALTER TABLE cold_miss RENAME TO cold_misses;
CREATE TRIGGER run_ended AFTER UPDATE OF outcome ON runs WHEN new.outcome IS NOT NULL AND old.outcome IS NULL BEGIN
  INSERT INTO run_totals VALUES(new.job, new.profile, new.outcome, 1, new.took_ms, new.calls)
    ON CONFLICT DO UPDATE SET runs = runs + 1, took_ms = took_ms + excluded.took_ms, calls = calls + excluded.calls;
END;
";

/// Tables before version 8: the old name, the new name, and the renamed columns of a view under the new name.
const OLDER: [(&str, &str, &str); 18] = [
    ("hourly", "lookups_by_hour", ", n AS lookups"),
    ("lifetime", "lookup_totals", ", n AS lookups"),
    ("folded", "aggregated_logs", ""),
    ("job", "jobs", ""),
    ("run", "runs", ", exit AS exit_code"),
    ("alert", "alerts", ""),
    ("silence", "silences", ""),
    ("alert_event", "alert_events", ", what AS event"),
    ("delivery", "deliveries", ""),
    ("journal", "journal", ", space AS namespace, who AS author"),
    ("sample", "size_samples", ", held AS bytes"),
    ("call", "aws_calls", ""),
    ("run_total", "run_totals", ", n AS runs"),
    ("aws_failure", "last_aws_failure", ""),
    ("throttle", "throttled_calls", ""),
    ("hit_window", "hit_rate_windows", ""),
    ("hit_window_before", "hit_rate_baselines", ", n AS lookups"),
    ("cold_miss", "cold_misses", ""),
];

/// Makes a database of an earlier version readable by the current names, for a user who cannot migrate it: one temporary
/// view for each of its tables. Nothing is written to the file.
pub(super) fn older_names(connection: &Connection) -> Result<(), StatementError> {
    let mut find =
        connection.prepare("SELECT EXISTS(SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?)")?;
    for (old, new, columns) in OLDER {
        let exists: bool = find.query_row([old], |row| row.get(0))?;
        if exists {
            connection.execute_batch(&format!("CREATE TEMP VIEW {new} AS SELECT *{columns} FROM main.{old}"))?;
        }
    }
    Ok(())
}

/// The first version with the current names of tables.
pub(super) const NAMED: i32 = 8;

/// Keys that a command asked for when they were not stored (`cold.rs`).
const COLD_MISSES: &str = "
-- The first miss of an entry that was not stored, by cache directory and the id of the entry.
CREATE TABLE cold_miss(
  cache INTEGER NOT NULL, entry INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(cache, entry)
) WITHOUT ROWID, STRICT;
";

/// The number of the schema after the last step.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a handful of steps")]
pub(super) const VERSION: i32 = 1 + STEPS.len() as i32;

/// When a pause was made: one that a clock that was ahead made keeps its length (`jobs/ledger.rs`).
const PAUSED_AT: &str = "ALTER TABLE job ADD COLUMN paused_at INTEGER;";

/// Earlier versions kept texts of any length, of which one could fill the database. `octet_length` does not read a text.
const BOUNDS: &str = "
UPDATE run SET reason = '(' || octet_length(reason) || ' bytes, too long to be kept)'
  WHERE octet_length(reason) > 65536;
UPDATE run SET detail = '{\"too_long\": true}' WHERE octet_length(detail) > 262144;
UPDATE alert SET message = '(' || octet_length(message) || ' bytes, too long to be kept)'
  WHERE octet_length(message) > 65536;
UPDATE alert_event SET message = '(' || octet_length(message) || ' bytes, too long to be kept)'
  WHERE octet_length(message) > 65536;
UPDATE outbox SET body = '(' || octet_length(body) || ' bytes, too long to be kept)', html = '', document = '{}'
  WHERE octet_length(body) > 4194304 OR octet_length(html) > 4194304 OR octet_length(document) > 4194304;
UPDATE delivery SET last_error = '(' || octet_length(last_error) || ' bytes, too long to be kept)'
  WHERE octet_length(last_error) > 65536;
UPDATE journal SET outcome = substr(outcome, 1, 8) || ' (' || octet_length(outcome) || ' bytes, too long to be kept)'
  WHERE octet_length(outcome) > 65536;
UPDATE aws_failure SET reason = '(' || octet_length(reason) || ' bytes, too long to be kept)'
  WHERE octet_length(reason) > 65536;
";

/// The last contact with AWS where it failed, throttled calls by minute (`contact.rs`), and new windows of the hit rate
/// (`window.rs`).
const CONTACT: &str = "
-- At most one row: the last contact with AWS, if it failed.
CREATE TABLE aws_failure(at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
-- Throttled calls by minute (start of the minute), for an hour.
CREATE TABLE throttle(minute INTEGER PRIMARY KEY, calls INTEGER NOT NULL) STRICT;
-- When the window of the hit rate of a cache directory was begun anew.
CREATE TABLE hit_window(cache INTEGER PRIMARY KEY, began_at INTEGER NOT NULL) STRICT;
-- What the hour of that moment had counted before it.
CREATE TABLE hit_window_before(
  cache INTEGER NOT NULL, resource TEXT NOT NULL, outcome TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(cache, resource, outcome)
) WITHOUT ROWID, STRICT;
";

/// Samples of the size, calls to AWS, and runs counted for ever (`time_series.rs`). A trigger counts runs, so that whoever ends
/// one counts it, and in the same transaction.
const TRENDS: &str = "
-- What the cache directory `cache` (the number of its path) held at a moment.
CREATE TABLE sample(
  cache INTEGER NOT NULL, at INTEGER NOT NULL, entries INTEGER NOT NULL, held INTEGER NOT NULL,
  PRIMARY KEY(cache, at)
) WITHOUT ROWID, STRICT;
-- Calls to AWS by hour (start of the hour; 0 for all that are no longer kept apart) and operation.
CREATE TABLE call(
  hour INTEGER NOT NULL, operation TEXT NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY(hour, operation)
) WITHOUT ROWID, STRICT;
-- Every run that ended, also those that `run` has forgotten.
CREATE TABLE run_total(
  job TEXT NOT NULL, profile TEXT NOT NULL, outcome TEXT NOT NULL,
  n INTEGER NOT NULL, took_ms INTEGER NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY(job, profile, outcome)
) WITHOUT ROWID, STRICT;
INSERT INTO run_total SELECT job, profile, outcome, count(*), sum(took_ms), sum(calls)
  FROM run WHERE outcome IS NOT NULL GROUP BY 1, 2, 3;
CREATE TRIGGER run_ended AFTER UPDATE OF outcome ON run WHEN new.outcome IS NOT NULL AND old.outcome IS NULL BEGIN
  INSERT INTO run_total VALUES(new.job, new.profile, new.outcome, 1, new.took_ms, new.calls)
    ON CONFLICT DO UPDATE SET n = n + 1, took_ms = took_ms + excluded.took_ms, calls = calls + excluded.calls;
END;
";

/// The statements that make an empty database ours, of version 1.
pub(super) const SCHEMA: &str = "
-- Lookups by hour (start of the hour), cache directory (the number of its path), resource and outcome.
CREATE TABLE hourly(
  hour INTEGER NOT NULL, cache INTEGER NOT NULL, resource TEXT NOT NULL, outcome TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(hour, cache, resource, outcome)
) WITHOUT ROWID, STRICT;
-- The same, for hours that are no longer kept apart.
CREATE TABLE lifetime(
  cache INTEGER NOT NULL, resource TEXT NOT NULL, outcome TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(cache, resource, outcome)
) WITHOUT ROWID, STRICT;
-- Tally files that are counted and perhaps not yet removed.
CREATE TABLE folded(name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID, STRICT;

-- One row for each job and profile ('' is the default one) that was ever seen.
CREATE TABLE job(
  name TEXT NOT NULL, profile TEXT NOT NULL, schedule TEXT NOT NULL,
  first_seen INTEGER NOT NULL, last_occurrence INTEGER, paused_until INTEGER, paused_reason TEXT,
  PRIMARY KEY(name, profile)
) WITHOUT ROWID, STRICT;
-- Every run, also those that did not happen (skipped, missed).
CREATE TABLE run(
  id INTEGER PRIMARY KEY, job TEXT NOT NULL, profile TEXT NOT NULL, kind TEXT NOT NULL,
  scheduled_at INTEGER, started_at INTEGER NOT NULL, ended_at INTEGER,
  outcome TEXT, reason TEXT, calls INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 1,
  exit INTEGER NOT NULL DEFAULT 0, took_ms INTEGER NOT NULL DEFAULT 0,
  pid INTEGER NOT NULL, host TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX run_by_job ON run(job, profile, id);

-- One row for each alert that is pending or firing.
CREATE TABLE alert(
  key TEXT PRIMARY KEY, level TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL,
  since INTEGER NOT NULL, fired_at INTEGER, notified_at INTEGER, clear_since INTEGER
) WITHOUT ROWID, STRICT;
-- Mails that were decided, with what became of them. A summary only says how things stand: the next one replaces it.
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
  subject TEXT NOT NULL, body TEXT NOT NULL, summary INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT, sent_at INTEGER
) STRICT;

-- Every write to AWS: who, when, what, what was there before.
CREATE TABLE journal(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, space TEXT NOT NULL, who TEXT NOT NULL,
  operation TEXT NOT NULL, target TEXT NOT NULL, before TEXT, request_id TEXT, outcome TEXT
) STRICT;
";

/// Version 2: silences, causes and the past of alerts; a mail becomes a message with one delivery for each channel.
const ALERTS: &str = "
-- The key of the alert that this one comes from (the login behind a failed job).
ALTER TABLE alert ADD COLUMN cause TEXT;
-- Nothing is told of alerts whose key matches `pattern` (a glob), until `until`.
CREATE TABLE silence(
  id INTEGER PRIMARY KEY, pattern TEXT NOT NULL, created_at INTEGER NOT NULL, until INTEGER NOT NULL,
  reason TEXT NOT NULL, author TEXT NOT NULL
) STRICT;
-- What happened to alerts and silences, for `alerts history`.
CREATE TABLE alert_event(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, what TEXT NOT NULL, message TEXT NOT NULL,
  lasted_ms INTEGER, message_id TEXT
) STRICT;

-- The same words as mail (HTML) and as a document (JSON).
ALTER TABLE outbox ADD COLUMN html TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN document TEXT NOT NULL DEFAULT '';
-- One row for each channel that a message must leave by.
CREATE TABLE delivery(
  message INTEGER NOT NULL, channel TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT,
  sent_at INTEGER, PRIMARY KEY(message, channel)
) WITHOUT ROWID, STRICT;
INSERT INTO delivery(message, channel, attempts, last_error, sent_at)
  SELECT id, 'mail', attempts, last_error, sent_at FROM outbox;
ALTER TABLE outbox DROP COLUMN attempts;
ALTER TABLE outbox DROP COLUMN last_error;
ALTER TABLE outbox DROP COLUMN sent_at;
";

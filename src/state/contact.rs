//! The last contact with AWS, and the throttled calls of the last hour.
//!
//! Any answer of AWS clears a failed contact.

use super::database::Database;
use super::error::StateError;
use super::statistics::HOUR;
use crate::clock::UnixMillis;
use crate::sqlite::{OptionalExtension, params};

/// The milliseconds of a minute: throttled calls are counted by minute.
const MINUTE: i64 = 60_000;

/// The most bytes of a reason.
const LONGEST: usize = 4096;

/// Records how the last contact with AWS ended: `failed` is why it could not be reached.
pub fn note_contact(database: &mut Database, failed: Option<&str>, now: UnixMillis) -> Result<(), StateError> {
    let is_known = failed_contact(database)?.is_some();
    if failed.is_none() && !is_known {
        return Ok(());
    }
    database.write(|transaction| {
        transaction.execute("DELETE FROM last_aws_failure", [])?;
        if let Some(reason) = failed {
            transaction.execute(
                "INSERT INTO last_aws_failure(at, reason) VALUES(?, ?)",
                params![now, crate::model::cut(reason, LONGEST)],
            )?;
        }
        Ok(())
    })
}

/// When the last contact with AWS failed, and why; `None` when it did not fail.
pub fn failed_contact(database: &Database) -> Result<Option<(UnixMillis, String)>, StateError> {
    if !database.has_table("last_aws_failure")? {
        return Ok(None);
    }
    let find = "SELECT at, reason FROM last_aws_failure";
    Ok(database.reader().query_row(find, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Adds throttled calls to the minute of `now`.
pub fn add_throttles(database: &mut Database, calls: u64, now: UnixMillis) -> Result<(), StateError> {
    let calls = i64::try_from(calls).unwrap_or(i64::MAX);
    database.write(|transaction| {
        transaction.execute("DELETE FROM throttled_calls WHERE minute < ? OR minute > ?", params![now - HOUR, now])?;
        transaction.execute(
            "INSERT INTO throttled_calls(minute, calls) VALUES(?, ?) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls",
            params![now - now.rem_euclid(MINUTE), calls],
        )?;
        Ok(())
    })
}

/// The throttled calls of the hour before `now`.
pub fn throttles_of_last_hour(database: &Database, now: UnixMillis) -> Result<u64, StateError> {
    if !database.has_table("throttled_calls")? {
        return Ok(0);
    }
    let sum = "SELECT coalesce(sum(calls), 0) FROM throttled_calls WHERE minute > ? AND minute <= ?";
    let calls: i64 = database.reader().query_row(sum, params![now - HOUR, now], |row| row.get(0))?;
    Ok(u64::try_from(calls).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_fs::Access;
    use std::time::Duration;

    fn database() -> (tempfile::TempDir, Database) {
        let root = tempfile::tempdir().unwrap();
        let (database, _) = Database::open(root.path(), Access::Owner, Duration::from_secs(5), 0).unwrap();
        (root, database)
    }

    #[test]
    fn a_failed_contact_lasts_until_aws_answers() {
        let (_root, mut database) = database();
        note_contact(&mut database, None, 1).unwrap();
        assert_eq!(failed_contact(&database).unwrap(), None);
        note_contact(&mut database, Some("no route"), 2).unwrap();
        note_contact(&mut database, Some("refused"), 3).unwrap();
        assert_eq!(failed_contact(&database).unwrap(), Some((3, "refused".to_owned())));
        note_contact(&mut database, None, 4).unwrap();
        assert_eq!(failed_contact(&database).unwrap(), None);
    }

    #[test]
    fn throttled_calls_count_for_an_hour() {
        let (_root, mut database) = database();
        let begin = 100 * HOUR;
        for (at, calls) in [(begin, 3), (begin + 59_999, 2), (begin + 30 * MINUTE, 5)] {
            add_throttles(&mut database, calls, at).unwrap();
        }
        let at = |now| throttles_of_last_hour(&database, now).unwrap();
        assert_eq!([at(begin + 30 * MINUTE), at(begin + HOUR + 1), at(begin + 2 * HOUR)], [10, 5, 0]);
    }
}

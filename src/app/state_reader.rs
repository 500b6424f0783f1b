//! Reads the state database where it may be missing, damaged or on a full disk.

use crate::app::core::App;
use crate::app::directories;
use crate::state::{self, Database};

/// Reads the state directory.
pub struct StateReader<'a> {
    app: &'a App,
}

impl<'a> StateReader<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> StateReader<'a> {
        StateReader { app }
    }

    /// That the state directory cannot be made or written, and why; `None` when it can.
    pub fn unwritable(&self) -> Option<String> {
        directories::unwritable(self.app.state_dir())
    }

    /// The state database for reading: `None` when there is none, or with the reason why it cannot be read.
    pub(super) fn read_only(&self) -> (Option<Database>, Option<String>) {
        if matches!(self.app.state_dir().try_exists(), Ok(false)) {
            return (None, None);
        }
        match self.app.state().database_read_only() {
            Ok(database) => (database, None),
            Err(error) => (None, Some(error.to_string())),
        }
    }

    /// The newest state database that was set aside as damaged and is still there.
    pub fn set_aside(&self) -> Option<String> {
        let found = state::set_aside(self.app.state_dir()).unwrap_or_default();
        let mut damaged = found.into_iter().map(|(path, _)| path.display().to_string());
        damaged.rfind(|path| path.contains("state.db.damaged."))
    }

    /// What lists of changes, alerts and runs lack, for people.
    pub fn set_aside_notice(&self) -> Option<String> {
        let file = self.set_aside()?;
        Some(format!("a damaged state database was set aside as {file}: what it holds is not in this list"))
    }

    /// The state database for read commands: on a full disk opened to read only, and if it cannot be created, an empty one
    /// in memory.
    pub fn readable(&self) -> Result<(Database, Option<String>), state::StateError> {
        if directories::unwritable(self.app.state_dir()).is_none() {
            match self.app.database() {
                Err(error) if error.is_full() => {}
                opened => return opened,
            }
        }
        Ok((self.app.state().database_read_only()?.map_or_else(Database::in_memory, Ok)?, None))
    }
}

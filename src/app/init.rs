//! Setting up the directories: for their owner alone, or for a group.
//!
//! Everything is looked at first and nothing is half done for want of a right that could have been seen; a dry run
//! shows exactly what would be done.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::config::{DEFAULT_ORIGIN, Sharing};
use crate::host;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Handover;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The keys of the directories, and where a host keeps such things for several users.
const PLACES: [(&str, &str); 2] = [("cache.dir", "/var/cache/awsideman"), ("state.dir", "/var/lib/awsideman")];

/// What was set up, or with a dry run would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitReport {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether nothing was really done.
    pub dry_run: bool,
    /// `private` or `group:NAME`.
    pub sharing: String,
    /// The directories, by key.
    pub directories: Vec<(&'static str, String)>,
    /// What was made or changed, in order.
    pub steps: Vec<InitStep>,
    /// Whether the configuration that is in force says the same.
    pub configured: bool,
}

/// One thing that was made or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitStep {
    /// `make` or `change`.
    pub what: &'static str,
    /// The directory or file.
    pub path: String,
    /// Its mode, as `ls` numbers it.
    pub mode: String,
}

/// Creates the directories of cache and state.
pub struct Initializer<'a> {
    app: &'a App,
}

impl<'a> Initializer<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Initializer<'a> {
        Initializer { app }
    }

    /// Makes the directories, and makes them and all that is in them usable by a group when one is named.
    pub fn init(&self, group: Option<&str>, dry_run: bool) -> Result<InitReport, AppError> {
        let (access, sharing) = match group {
            None => (Access::Owner, Sharing::Private),
            Some(name) => (Access::Group(own_group(name)?), Sharing::Group(name.to_owned())),
        };
        let mut directories = Vec::new();
        let mut handovers = Vec::new();
        for (key, usual) in PLACES {
            let path = self.place(key, usual, group.is_some());
            if let (Access::Group(gid), Some(name)) = (access, group)
                && let Some(barrier) = secure_fs::barrier(&path, gid)
            {
                return Err(AppError::Barred { path, barrier, group: name.to_owned() });
            }
            handovers.extend(secure_fs::handovers(&path, access)?);
            directories.push((key, path));
        }
        if !dry_run {
            for handover in &handovers {
                handover.carry_out()?;
            }
        }
        let is_there = |(key, path): &(&str, PathBuf)| self.directory(key) == path;
        Ok(InitReport {
            schema_version: 1,
            dry_run,
            sharing: group.map_or_else(|| "private".to_owned(), |name| format!("group:{name}")),
            configured: self.app.config().cache.sharing == sharing && directories.iter().all(is_there),
            directories: directories.into_iter().map(|(key, path)| (key, path.display().to_string())).collect(),
            steps: handovers.iter().map(step).collect(),
        })
    }

    /// The configured directory; for several users never the private default of one user.
    fn place(&self, key: &str, usual: &str, is_shared: bool) -> PathBuf {
        let from = self.app.loaded().origins.get(key).map_or(DEFAULT_ORIGIN, String::as_str);
        if is_shared && from == DEFAULT_ORIGIN { usual.into() } else { self.directory(key).to_owned() }
    }

    fn directory(&self, key: &str) -> &Path {
        if key == "cache.dir" { self.app.cache_dir() } else { self.app.state_dir() }
    }
}

/// The id of a group that this user may act for.
fn own_group(name: &str) -> Result<u32, AppError> {
    let gid = secure_fs::group_id(name).ok_or_else(|| AppError::UnknownGroup { name: name.to_owned() })?;
    if secure_fs::is_member(gid) {
        return Ok(gid);
    }
    Err(AppError::NotInGroup { name: name.to_owned(), user: host::user_name() })
}

fn step(handover: &Handover) -> InitStep {
    InitStep {
        what: if handover.is_made { "make" } else { "change" },
        path: handover.path.display().to_string(),
        mode: format!("{:04o}", handover.mode),
    }
}

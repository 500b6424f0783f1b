//! The errors of the application layer.
//!
//! Each variant wraps the error of one module.

use crate::alerts::AlertError;
use crate::cache::CacheError;
use crate::config::ConfigError;
use crate::gateway::GatewayError;
use crate::jobs::JobError;
use crate::secure_fs::PrivateError;
use crate::state::StateError;
use crate::store::StoreError;
use std::path::PathBuf;

/// A fault of one of the modules.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// `cache.sharing` names a group that this host does not have.
    #[error("cache.sharing names the group `{name}`, which this host does not have")]
    NoSuchGroup {
        /// The group.
        name: String,
    },
    /// A group was named that this host does not have.
    #[error("this host has no group `{name}`")]
    UnknownGroup {
        /// The group.
        name: String,
    },
    /// A group was named that this user may not act for.
    #[error("{user} is not a member of the group `{name}`")]
    NotInGroup {
        /// The group.
        name: String,
        /// The user.
        user: String,
    },
    /// The members of a group could not get to a directory.
    #[error("members of `{group}` cannot get to {}: {} lets no other user through", path.display(), barrier.display())]
    Barred {
        /// The directory.
        path: PathBuf,
        /// The one above it that is in the way.
        barrier: PathBuf,
        /// The group.
        group: String,
    },
    /// A recovery would set encrypted entries aside that cannot be carried over now.
    #[error(
        "nothing was changed: encrypted entries cannot be carried over, since the encryption key cannot be used: {0}"
    )]
    SalvageWithoutKey(String),
    /// A limit of this process would make an intact database look damaged.
    #[error("nothing was changed: this process may not open enough files to read the old cache: {0}")]
    Limit(std::io::Error),
    /// The instance of the profile is not known, and the cache has several.
    #[error("it is not known which instance this profile belongs to, and this cache has {0} instances")]
    WhichInstance(usize),
    /// A directory of awsideman is not as it must be.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The job files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// AWS, or the way to it.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The job runner.
    #[error(transparent)]
    Job(#[from] JobError),
    /// Mails.
    #[error(transparent)]
    Alert(#[from] AlertError),
}

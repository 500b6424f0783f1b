//! Writes the metrics as a file for the textfile collector of `node_exporter`.
//!
//! Guarantee: a reader sees the old or the new file. It is world-readable, because it contains only ids of jobs and
//! figures. Its directory belongs to the operator and is never created.

use super::error::DaemonError;
use super::metrics;
use crate::app::Overview;
use crate::secure_fs;
use std::path::Path;

/// Replaces `path` with the metrics.
pub fn write(path: &Path, overview: &Overview) -> Result<(), DaemonError> {
    let text = metrics::text(overview, None)?;
    secure_fs::publish(path, text.as_bytes())
        .map_err(|source| DaemonError::Textfile { path: path.to_owned(), source: Box::new(source) })
}

//! The metrics as a file for the textfile collector of `node_exporter`.
//!
//! A reader sees the old file or the new one; it may be read by everybody, because it holds ids of jobs and figures
//! alone; its folder is the operator's and is never made.

use super::error::DaemonError;
use super::metrics;
use crate::app::Overview;
use crate::secure_fs;
use std::path::Path;

/// Writes the metrics to `path`, as a whole.
pub fn write(path: &Path, overview: &Overview) -> Result<(), DaemonError> {
    let text = metrics::text(overview, None)?;
    secure_fs::publish(path, text.as_bytes())
        .map_err(|source| DaemonError::Textfile { path: path.to_owned(), source: Box::new(source) })
}

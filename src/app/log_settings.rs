//! The path and the format of the log of this process.

use crate::app::core::App;
use crate::config::{self, LogLevel};
use crate::host;
use crate::log::{LevelFilter, LineFormat, LogSettings};
use std::path::PathBuf;

/// Where and how this process keeps its log.
pub fn log_settings(app: &App) -> LogSettings {
    let config = &app.config().log;
    let level = match config.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let format = match config.format {
        config::LogFormat::Text => LineFormat::Text,
        config::LogFormat::Json => LineFormat::Json,
    };
    let own = app.state_dir().join("awsideman.log");
    let host = || host::is_root().then(|| PathBuf::from("/var/log/awsideman.log"));
    let host = config.file.is_none().then(host).flatten();
    let create = host.is_some();
    let path = host.or_else(|| config.file.clone()).unwrap_or_else(|| own.clone());
    let directory = (path.parent() == Some(app.state_dir())).then(|| app.state_dir().to_owned());
    LogSettings { path, directory, create, access: app.access(), level, format }
}

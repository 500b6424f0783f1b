//! awsideman: AWS IAM Identity Center from a shared cache that is kept true.

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
pub mod jobs;
pub mod model;
pub mod private;
pub mod report;
pub mod sandbox;
pub mod sqlite;
pub mod state;
pub mod store;

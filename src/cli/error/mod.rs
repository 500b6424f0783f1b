//! From an error to its message, hint and exit code.

pub(crate) mod app;
pub(crate) mod gateway;

//! How two answers differ.

pub(crate) mod compare;
pub(crate) mod summary;

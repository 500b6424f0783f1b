//! How two answers differ.

pub(crate) mod compare;
pub(crate) mod item_hash;
pub(crate) mod summary;

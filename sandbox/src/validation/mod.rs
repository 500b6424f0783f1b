//! What AWS accepts as an id, an ARN or a text.

pub(crate) mod ids;
pub(crate) mod text;

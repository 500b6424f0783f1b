//! Deserializers of single values.

use crate::model::parse_duration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// A non-empty text; an empty one removes the value of a lower layer.
pub(super) fn non_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Some(String::deserialize(from)?).filter(|text| !text.is_empty()))
}

pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(super) fn offset<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    let (sign, size) = text.strip_prefix('-').map_or((1, text.as_str()), |size| (-1, size));
    parse_duration(size).map(|size| sign * crate::clock::millis(size)).map_err(D::Error::custom)
}

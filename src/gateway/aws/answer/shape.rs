//! Reads the shape of a JSON document without keeping it.
//!
//! Guarantee: a document whose values, in number or in depth, would take the memory of the process is refused before
//! anything is built from it; so is one with a duplicate member name, which parsers resolve differently.

use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The deepest nesting; AWS's answers have less than ten levels.
const DEEPEST: usize = 64;
/// The most values of one document: a page of 100 users has about 5,000.
const MOST_VALUES: usize = 200_000;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Flag,
    Number,
    /// With its bytes.
    Text(usize),
    /// With its entries.
    List(usize),
    Object,
}

impl Kind {
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Flag => "true or false",
            Kind::Number => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Object => "an object",
        }
    }
}

/// The members of a document that decide whether it is an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The member that was searched for.
    pub(super) member: Option<Kind>,
    /// `NextToken`
    pub(super) token: Option<Kind>,
    /// `__type`, which only errors have.
    pub(super) error_type: Option<String>,
}

/// Reads a document whose top is an object.
pub(super) fn of(body: &[u8], member: &str) -> Result<Found, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    // Its own limit of 128 levels is the second guard.
    let found = deserializer.deserialize_map(Top { member, left: MOST_VALUES })?;
    deserializer.end()?;
    Ok(found)
}

struct Top<'a> {
    member: &'a str,
    left: usize,
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Found, A::Error> {
        let (mut found, mut names) = (Found::default(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == "__type" {
                found.error_type =
                    Some(map.next_value::<&serde_json::value::RawValue>()?.get().trim_matches('"').to_owned());
                continue;
            }
            let kind = map.next_value_seed(Each { left: &mut self.left, depth: 1 })?;
            if name == self.member {
                found.member = Some(kind);
            } else if name == "NextToken" {
                found.token = Some(kind);
            }
            once(&mut names, name)?;
        }
        Ok(found)
    }
}

/// One value at a depth.
struct Each<'a> {
    left: &'a mut usize,
    depth: usize,
}

impl Each<'_> {
    fn deeper(&mut self) -> Each<'_> {
        Each { left: self.left, depth: self.depth + 1 }
    }

    fn is_within_depth<E: de::Error>(&self) -> Result<(), E> {
        if self.depth < DEEPEST { Ok(()) } else { Err(E::custom(format!("it is nested deeper than {DEEPEST} levels"))) }
    }
}

impl<'de> DeserializeSeed<'de> for Each<'_> {
    type Value = Kind;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        match self.left.checked_sub(1) {
            Some(left) => *self.left = left,
            None => return Err(de::Error::custom(format!("it has more than {MOST_VALUES} values"))),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Each<'_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Kind::Flag)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Kind::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Kind, A::Error> {
        self.is_within_depth()?;
        let mut entries = 0;
        while let Some(kind) = items.next_element_seed(self.deeper())? {
            entries += 1;
            // The SDK drops such an entry, so that the list would be shorter than it is.
            if kind == Kind::Null && self.depth == 1 {
                return Err(de::Error::custom(format!("entry {entries} of a list is null")));
            }
        }
        Ok(Kind::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Kind, A::Error> {
        self.is_within_depth()?;
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(self.deeper())?;
            once(&mut names, name)?;
        }
        Ok(Kind::Object)
    }
}

fn once<E: de::Error>(names: &mut HashSet<String>, name: String) -> Result<(), E> {
    match names.replace(name) {
        None => Ok(()),
        Some(name) => Err(E::custom(format!("it names {} twice", crate::model::excerpt(&name, 100)))),
    }
}

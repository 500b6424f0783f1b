//! JSON read one element at a time.
//!
//! No more than one element of a list is held, whatever its length, and each is handed over with the bytes it is
//! stored as.

use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonShape {
    /// A list of things.
    List,
    /// One thing.
    Single,
}

/// A JSON document that has been looked at, not read.
pub(super) struct ScannedJson<'a> {
    reader: BufReader<&'a mut dyn Read>,
    /// What it is.
    pub(super) shape: JsonShape,
}

impl<'a> ScannedJson<'a> {
    /// Looks at the first character.
    pub(super) fn open(from: &'a mut dyn Read) -> Result<ScannedJson<'a>, CliError> {
        let mut reader = BufReader::with_capacity(64 * 1024, from);
        loop {
            let buffer = reader.fill_buf().map_err(|error| unreadable(&error))?;
            let Some(first) = buffer.first() else {
                return Err(CliError::new(Code::Failed, "the answer is empty where JSON was expected"));
            };
            match first {
                b' ' | b'\n' | b'\r' | b'\t' => reader.consume(1),
                b'[' => return Ok(ScannedJson { reader, shape: JsonShape::List }),
                _ => return Ok(ScannedJson { reader, shape: JsonShape::Single }),
            }
        }
    }

    /// The one thing, whole.
    pub(super) fn single(self) -> Result<Box<RawValue>, CliError> {
        serde_json::from_reader(self.reader).map_err(|error| not_json(&error))
    }

    /// Shows each element of the list to `each`, until it breaks or fails.
    pub(super) fn elements(
        self,
        each: &mut dyn FnMut(Box<RawValue>) -> Result<ControlFlow<()>, CliError>,
    ) -> Result<(), CliError> {
        let mut broken = None;
        let mut deserializer = serde_json::Deserializer::from_reader(self.reader);
        let read = deserializer.deserialize_seq(ArrayElements { each, broken: &mut broken });
        match (broken, read) {
            (Some(Err(failure)), _) => Err(failure),
            (Some(Ok(())), _) => Ok(()),
            (None, read) => read.and_then(|()| deserializer.end()).map_err(|error| not_json(&error)),
        }
    }
}

struct ArrayElements<'a> {
    each: &'a mut dyn FnMut(Box<RawValue>) -> Result<ControlFlow<()>, CliError>,
    /// Set when `each` wanted no more: with its failure, if it had one.
    broken: &'a mut Option<Result<(), CliError>>,
}

impl<'de> Visitor<'de> for ArrayElements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<Box<RawValue>>()? {
            *self.broken = match (self.each)(element) {
                Ok(ControlFlow::Continue(())) => continue,
                Ok(ControlFlow::Break(())) => Some(Ok(())),
                Err(failure) => Some(Err(failure)),
            };
            // Any error ends the reading; the caller looks at `broken` first.
            return Err(A::Error::custom("enough"));
        }
        Ok(())
    }
}

/// The failure of an answer that is not JSON.
pub(super) fn not_json(error: &serde_json::Error) -> CliError {
    if error.is_io() {
        return CliError::new(Code::Failed, format!("cannot read the answer: {error}"));
    }
    CliError::new(Code::Integrity, format!("the answer is not the JSON it should be: {error}"))
        .hint("ask AWS again with `--refresh`")
}

fn unreadable(error: &io::Error) -> CliError {
    CliError::new(Code::Failed, format!("cannot read the answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str, most: usize) -> Result<Vec<String>, CliError> {
        let mut bytes = text.as_bytes();
        let mut seen = Vec::new();
        ScannedJson::open(&mut bytes)?.elements(&mut |raw| {
            seen.push(raw.get().to_owned());
            Ok(if seen.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(seen)
    }

    #[test]
    fn elements_keep_their_bytes_and_reading_stops_on_request() {
        assert_eq!(elements("  [1, {\"a\" : [2]},\"x\"]\n", 9).unwrap(), ["1", "{\"a\" : [2]}", "\"x\""]);
        assert_eq!(elements("[1,2,garbage", 2).unwrap(), ["1", "2"]);
        assert_eq!(elements("[]", 9).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_json_is_said() {
        assert_eq!(elements("[1,", 9).unwrap_err().code, Code::Integrity);
        assert_eq!(elements("[1] x", 9).unwrap_err().code, Code::Integrity);
        assert!(elements("", 9).unwrap_err().message.contains("empty"));
    }

    #[test]
    fn a_failure_of_the_printer_is_the_failure() {
        let failed = ScannedJson::open(&mut "[1]".as_bytes())
            .unwrap()
            .elements(&mut |_| Err(CliError::new(Code::Failed, "disk full")));
        assert_eq!(failed.unwrap_err().message, "disk full");
    }
}

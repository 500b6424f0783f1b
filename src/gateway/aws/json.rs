//! Building AWS-shaped JSON objects from the SDK's types, field by field.
//!
//! What AWS did not send is absent (never null, never an empty text that the SDK made up), and the order of fields
//! is the order of the calls.

use aws_smithy_types::date_time::Format;
use aws_smithy_types::{DateTime, Document, Number};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A JSON object under construction.
#[derive(Debug, Default)]
pub(super) struct JsonFields(Map<String, Value>);

impl JsonFields {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A text that AWS may leave out.
    pub(super) fn text(self, name: &str, value: Option<&str>) -> Self {
        self.value(name, value.map(Value::from))
    }

    /// A text that the SDK's type always has: it makes up `""` where AWS sent none.
    pub(super) fn filled(self, name: &str, value: &str) -> Self {
        self.text(name, Some(value).filter(|text| !text.is_empty()))
    }

    /// A flag that the SDK's type always has.
    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.value(name, Some(Value::Bool(value)))
    }

    /// A time, as RFC 3339 in UTC, rounded to the millisecond.
    ///
    /// AWS sends seconds as a floating-point number: 1660051313.958 arrives as .957999944.
    pub(super) fn time(self, name: &str, value: Option<&DateTime>) -> Self {
        // A time that cannot be written (year 10000) is left out: it has no meaning for a reader.
        self.value(name, value.and_then(|at| rounded(at)?.fmt(Format::DateTime).ok()).map(Value::from))
    }

    /// A list that AWS may leave out.
    pub(super) fn list<T>(self, name: &str, items: Option<&Vec<T>>, item: impl Fn(&T) -> Value) -> Self {
        self.value(name, items.map(|items| items.iter().map(item).collect()))
    }

    /// Anything else.
    pub(super) fn value(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    pub(super) fn object(self) -> Value {
        Value::Object(self.0)
    }
}

fn rounded(at: &DateTime) -> Option<DateTime> {
    const MILLISECOND: i128 = 1_000_000;
    let millis = (at.as_nanos() + MILLISECOND / 2).div_euclid(MILLISECOND);
    i64::try_from(millis).ok().map(DateTime::from_millis)
}

/// Documents by name. A `HashMap` has no order, and the stored bytes must not change from read to read.
pub(super) fn documents(documents: &HashMap<String, Document>) -> Value {
    let mut names: Vec<_> = documents.iter().collect();
    names.sort_unstable_by_key(|(name, _)| name.as_str());
    names.into_iter().map(|(name, value)| (name.clone(), document(value))).collect()
}

/// A document of no fixed shape (the extensions of a user).
fn document(document: &Document) -> Value {
    match document {
        Document::Object(map) => documents(map),
        Document::Array(items) => items.iter().map(crate::gateway::aws::json::document).collect(),
        Document::Number(Number::PosInt(n)) => Value::from(*n),
        Document::Number(Number::NegInt(n)) => Value::from(*n),
        Document::Number(Number::Float(n)) => Value::from(*n),
        Document::String(text) => Value::from(text.as_str()),
        Document::Bool(flag) => Value::Bool(*flag),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_the_millisecond_as_other_clients_of_aws_print_them() {
        for (seconds, text) in [
            (1_660_051_313.958, "2022-08-09T13:21:53.958Z"),
            (1_660_051_313.999_9, "2022-08-09T13:21:54Z"),
            (1_660_051_313.5, "2022-08-09T13:21:53.5Z"),
            (-0.000_4, "1970-01-01T00:00:00Z"),
        ] {
            let object = JsonFields::new().time("At", Some(&DateTime::from_secs_f64(seconds))).object();
            assert_eq!(object["At"], text, "{seconds}");
        }
    }

    #[test]
    fn absent_and_made_up_fields_are_left_out() {
        let object = JsonFields::new()
            .text("A", None)
            .filled("B", "")
            .text("C", Some(""))
            .time("D", Some(&DateTime::from_secs(0)))
            .list("E", Some(&vec!["x"]), |text| Value::from(*text))
            .object();
        assert_eq!(object.to_string(), r#"{"C":"","D":"1970-01-01T00:00:00Z","E":["x"]}"#);
    }
}

//! What texts may be: lengths, characters, and operations on attributes.
//!
//! The bounds are those of AWS's API models.

use crate::aws_json::Refusal;
use crate::aws_json::Request;
use serde_json::Map;
use serde_json::Value;

/// Refuses a text that is empty, too long, or has characters that cannot be shown.
pub(crate) fn bounded<'a>(request: &Request, field: &str, text: &'a str, most: usize) -> Result<&'a str, Refusal> {
    if text.is_empty() {
        return Err(invalid(request, field, "Member must have length greater than or equal to 1"));
    }
    if text.chars().count() > most {
        let rule = format!("Member must have length less than or equal to {most}");
        return Err(invalid(request, field, &rule));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        let pattern = "[\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}\\t\\n\\r  \u{3000}]+";
        return Err(invalid(request, field, &format!("Member must satisfy regular expression pattern: {pattern}")));
    }
    Ok(text)
}

/// The same without white space: user names.
pub(crate) fn unspaced<'a>(request: &Request, field: &str, text: &'a str, most: usize) -> Result<&'a str, Refusal> {
    bounded(request, field, text, most)?;
    if text.contains(char::is_whitespace) {
        let rule = "Member must satisfy regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+";
        return Err(invalid(request, field, rule));
    }
    Ok(text)
}

/// Refuses the names that AWS keeps for itself.
pub(crate) fn unreserved(request: &Request, field: &str, name: &str) -> Result<(), Refusal> {
    if matches!(name, "Administrator" | "AWSAdministrators") {
        return Err(refused(request, &format!("{field} {name} is a reserved name")));
    }
    Ok(())
}

/// An argument that breaks a rule of its model.
pub(crate) fn invalid(request: &Request, field: &str, rule: &str) -> Refusal {
    request.invalid(field, "", rule)
}

/// An argument that the service does not take.
pub(crate) fn refused(request: &Request, message: &str) -> Refusal {
    Refusal::validation(request.service(), "", message)
}

/// Refuses a revision that is not a number of at most 64 digits, or not the current one.
pub(crate) fn same_revision(request: &Request, revision: &str, kind: &str) -> Result<(), Refusal> {
    let Some(expected) = request.optional_text("Revision")? else { return Ok(()) };
    if !(1..=64).contains(&expected.len()) {
        return Err(invalid(request, "Revision", "Member must have length between 1 and 64, inclusive"));
    }
    if !expected.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid(request, "Revision", "Member must satisfy regular expression pattern: [0-9]+"));
    }
    if expected == revision { Ok(()) } else { Err(Refusal::changed_meanwhile(kind)) }
}

/// Carries out the `Operations` of a call on attributes: a value sets or replaces, none removes. `paths` are those that
/// there are, as attributes are called (`Name.FamilyName`); case does not matter.
pub(crate) fn operate(request: &Request, attributes: &mut Map<String, Value>, paths: &[&str]) -> Result<(), Refusal> {
    let operations = match request.value("Operations") {
        None => return Err(request.missing("Operations")),
        Some(Value::Array(operations)) => operations,
        Some(_) => return Err(Refusal::serialization("Operations can not be converted to a list")),
    };
    if !(1..=100).contains(&operations.len()) {
        return Err(invalid(request, "Operations", "Member must have length between 1 and 100, inclusive"));
    }
    for operation in operations {
        let Some(path) = operation.get("AttributePath").and_then(Value::as_str) else {
            return Err(request.missing("Operations.AttributePath"));
        };
        let Some(known) = paths.iter().find(|known| known.eq_ignore_ascii_case(path)) else {
            return Err(refused(request, &format!("The attribute path {path} is not supported.")));
        };
        let value = operation.get("AttributeValue").filter(|value| !value.is_null()).map(capitalised);
        set(attributes, known, value);
    }
    Ok(())
}

fn set(attributes: &mut Map<String, Value>, path: &str, value: Option<Value>) {
    match (path.split_once('.'), value) {
        (None, Some(value)) => {
            attributes.insert(path.to_owned(), value);
        }
        (None, None) => {
            attributes.remove(path);
        }
        (Some((outer, inner)), value) => {
            let outer = attributes.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(outer) = outer {
                set(outer, inner, value);
            }
        }
    }
}

/// Documents come with the keys that the caller's language gives them; ours begin with a capital letter.
fn capitalised(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let capital = |key: &String| {
                let mut letters = key.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            };
            Value::Object(map.iter().map(|(key, value)| (capital(key), capitalised(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(capitalised).collect()),
        other => other.clone(),
    }
}

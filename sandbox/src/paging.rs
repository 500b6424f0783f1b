//! Pages of listings, and the tokens between them.
//!
//! A token names the last row that was given, so rows that come or go between two pages neither repeat nor hide
//! others; it is good only for the listing that gave it, in the organization that gave it; any other text is
//! refused.

use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::aws_json::Service;
use crate::records::Id;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fmt::Write;

/// Hexadecimal digits of the checksum that opens a token.
const CHECKSUM: usize = 32;

/// Where a page begins and how long it may be.
#[derive(Debug)]
pub(crate) struct Paging {
    scope: String,
    limit: usize,
    after: Option<String>,
    circle: Circle,
}

/// Whether pages go in a circle.
#[derive(Debug)]
enum Circle {
    No,
    /// This one answers with a token even if it is the last.
    Begins,
    /// This one was asked with the token that it answers with.
    Goes(String),
}

impl Paging {
    /// Reads `MaxResults` and `NextToken`; `scope` is all that tells one listing from another.
    pub(crate) fn read(request: &Request, scope: &[&str]) -> Result<Paging, Refusal> {
        // No id holds a line feed, so the parts cannot run into each other.
        let scope = scope.join("\n");
        let limit = limit(request)?;
        let after = match request.optional_text("NextToken")? {
            None | Some("") => None,
            Some(token) => Some(opened(&scope, token).ok_or_else(|| bad_token(request.service()))?),
        };
        let limit = request.mishaps.rows.map_or(limit, |rows| rows.min(limit));
        let circle = match request.optional_text("NextToken")? {
            _ if !request.mishaps.repeat_token => Circle::No,
            None | Some("") => Circle::Begins,
            Some(token) => Circle::Goes(token.to_owned()),
        };
        Ok(Paging { scope, limit, after, circle })
    }

    /// The key of the last row of the page before, when there was one.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The answer `{field: [...], "NextToken"}` from rows in the order of their keys, those after [`Paging::after`].
    pub(crate) fn page(&self, field: &str, rows: impl Iterator<Item = (Id, Value)>) -> Value {
        let mut rows = rows.peekable();
        let mut items = Vec::new();
        let mut last = None;
        while items.len() < self.limit {
            let Some((key, value)) = rows.next() else { break };
            items.push(value);
            last = Some(key);
        }
        let more = rows.peek().is_some();
        let next = match (last, &self.circle) {
            (_, Circle::Goes(token)) => Some(token.clone()),
            (Some(last), Circle::Begins) => Some(sealed(&self.scope, &last)),
            (Some(last), Circle::No) if more => Some(sealed(&self.scope, &last)),
            // An empty page goes on behind the row that it began behind, with a token of its own: no key holds a NUL.
            (None, _) if more => Some(sealed(&self.scope, &format!("{}\0", self.after.as_deref().unwrap_or_default()))),
            _ => None,
        };
        let mut answer = serde_json::Map::new();
        answer.insert(field.to_owned(), Value::Array(items));
        if let Some(next) = next {
            answer.insert("NextToken".to_owned(), json!(next));
        }
        Value::Object(answer)
    }

    /// The same from a list so short that nobody keeps it in order: given whole, in any order.
    pub(crate) fn page_of_few(&self, field: &str, rows: impl Iterator<Item = (Id, Value)>) -> Value {
        let mut rows: Vec<(Id, Value)> =
            rows.filter(|(key, _)| self.after().is_none_or(|after| **key > *after)).collect();
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.page(field, rows.into_iter())
    }
}

fn limit(request: &Request) -> Result<usize, Refusal> {
    let most = request.service().page_limit();
    let Some(value) = request.value("MaxResults") else { return Ok(most) };
    let Some(asked) = value.as_i64() else {
        return Err(Refusal::serialization("MaxResults can not be converted to an Integer"));
    };
    match usize::try_from(asked) {
        Ok(asked) if (1..=most).contains(&asked) => Ok(asked),
        Ok(asked) if asked > most => {
            let rule = format!("Member must have value less than or equal to {most}");
            Err(request.invalid("MaxResults", "MAX_VALUE_EXCEEDED", &rule))
        }
        _ => {
            let rule = "Member must have value greater than or equal to 1";
            Err(request.invalid("MaxResults", "MIN_VALUE_EXCEEDED", rule))
        }
    }
}

fn bad_token(service: Service) -> Refusal {
    Refusal::validation(service, "INVALID_NEXT_TOKEN", "The provided NextToken is invalid.")
}

/// Checksum and key in hexadecimal: within the alphabet that every service's model allows for tokens.
fn sealed(scope: &str, key: &str) -> String {
    let mut token = checksum(scope, key);
    for byte in key.bytes() {
        let _ = write!(token, "{byte:02x}");
    }
    token
}

fn opened(scope: &str, token: &str) -> Option<String> {
    let (sum, key) = token.split_at_checked(CHECKSUM)?;
    if key.is_empty() || !key.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..key.len())
        .step_by(2)
        .map(|at| key.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let key = String::from_utf8(bytes?).ok()?;
    (sum == checksum(scope, &key)).then_some(key)
}

fn checksum(scope: &str, key: &str) -> String {
    let digest = Sha256::new().chain_update(scope).chain_update([0]).chain_update(key).finalize();
    let mut text = String::with_capacity(CHECKSUM);
    for byte in digest.iter().take(CHECKSUM / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(paging: &Paging) -> Value {
        let after = paging.after().map(str::to_owned);
        let keys =
            ["a", "b", "c", "d", "e"].into_iter().filter(|key| after.as_deref().is_none_or(|after| *key > after));
        paging.page("Rows", keys.map(|key| (Id::from(key.to_owned()), json!(key))))
    }

    fn read(body: &Value, scope: &[&str]) -> Result<Paging, Refusal> {
        let request = Request::read(Service::SsoAdmin, body.to_string().as_bytes()).expect("a body");
        Paging::read(&request, scope)
    }

    #[test]
    fn pages_join_without_gap_and_the_last_has_no_token() {
        let first = rows(&read(&json!({"MaxResults": 2}), &["x"]).expect("fits"));
        assert_eq!(first["Rows"], json!(["a", "b"]));
        let second = rows(&read(&json!({"MaxResults": 2, "NextToken": first["NextToken"]}), &["x"]).expect("fits"));
        assert_eq!(second["Rows"], json!(["c", "d"]));
        let third = rows(&read(&json!({"MaxResults": 1, "NextToken": second["NextToken"]}), &["x"]).expect("fits"));
        assert_eq!(third, json!({"Rows": ["e"]}));
    }

    #[test]
    fn a_token_is_good_for_its_own_listing_only() {
        let first = rows(&read(&json!({"MaxResults": 2}), &["x", "y"]).expect("fits"));
        let token = first["NextToken"].as_str().expect("a token");
        let forged = format!("{}66", &token[..token.len() - 2]);
        for (token, scope) in [
            (token, ["x", "z"].as_slice()),
            (token, &["x"]),
            (&forged, &["x", "y"]),
            (&token[..CHECKSUM], &["x", "y"]),
            ("garbage", &["x", "y"]),
            ("äöü", &["x", "y"]),
        ] {
            let refusal = read(&json!({"NextToken": token}), scope).expect_err("refused");
            assert_eq!(refusal.code, "ValidationException", "{token} for {scope:?}");
        }
    }

    #[test]
    fn page_sizes_are_held_to_what_the_service_allows() {
        for (asked, word) in [(json!(101), "less than"), (json!(0), "greater than"), (json!(-1), "greater than")] {
            let refusal = read(&json!({"MaxResults": asked}), &["x"]).expect_err("refused");
            assert_eq!(refusal.code, "ValidationException");
            assert!(refusal.message.contains(word), "{}", refusal.message);
        }
        assert_eq!(read(&json!({"MaxResults": "5"}), &[]).expect_err("a text").code, "SerializationException");
        let request = Request::read(Service::Organizations, b"{\"MaxResults\":21}").expect("a body");
        let refusal = Paging::read(&request, &["x"]).expect_err("refused");
        assert_eq!(refusal.code, "InvalidInputException");
        assert_eq!(refusal.fields, [("Reason", json!("MAX_VALUE_EXCEEDED"))]);
    }
}

//! Cuts what a run adds to the ledger, so that no text of another party makes the state database large.
//!
//! Guarantee: the figures of one run have at most [`MOST_DETAIL`] bytes. A list that was cut has a member next to it that
//! counts the rest: `failures_more` for `failures`.

use crate::model::cut;
use serde_json::{Map, Value, json};

/// The most bytes of a reason.
pub(super) const MOST_REASON: usize = 8 * 1024;
/// The most bytes of the figures of a run.
pub(super) const MOST_DETAIL: usize = 128 * 1024;
/// The limits of each list and each text, tried in this order.
const STEPS: [(usize, usize); 4] = [(500, 4096), (100, 1024), (20, 300), (5, 100)];
/// The suffix of the member that counts the rest of a list.
const MORE: &str = "_more";

/// The figures of a run as the ledger stores them.
pub(super) fn bounded(detail: &Map<String, Value>) -> String {
    for (entries, bytes) in STEPS {
        let text = Value::Object(object(detail, entries, bytes)).to_string();
        if text.len() <= MOST_DETAIL {
            return text;
        }
    }
    json!({ "too_long": true }).to_string()
}

fn object(map: &Map<String, Value>, entries: usize, bytes: usize) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in map {
        kept.insert(name.clone(), part(value, entries, bytes));
        if let Some(more) = value.as_array().map(|list| list.len().saturating_sub(entries)).filter(|more| *more > 0) {
            kept.insert(format!("{name}{MORE}"), json!(more));
        }
    }
    kept
}

fn part(value: &Value, entries: usize, bytes: usize) -> Value {
    match value {
        Value::String(text) => cut(text, bytes).into(),
        Value::Array(list) => list.iter().take(entries).map(|one| part(one, entries, bytes)).collect(),
        Value::Object(map) => Value::Object(object(map, entries, bytes)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(detail: &Value) -> Value {
        let text = bounded(detail.as_object().unwrap());
        assert!(text.len() <= MOST_DETAIL, "{}", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn ordinary_figures_are_stored_as_they_are() {
        let detail = json!({"targets": [{"name": "users", "failures": []}], "calls": 7, "none": null});
        assert_eq!(stored(&detail), detail);
    }

    #[test]
    fn what_is_cut_from_a_list_is_counted_next_to_it() {
        let failures: Vec<Value> = (0..12_345).map(|n| json!({"target": format!("t-{n}"), "error": "e"})).collect();
        let found = stored(&json!({"targets": [{"failures": failures}]}));
        let target = &found["targets"][0];
        let kept = target["failures"].as_array().unwrap().len() as u64;
        assert!(kept >= 5 && kept + target["failures_more"].as_u64().unwrap() == 12_345, "{kept}");
    }

    #[test]
    fn long_texts_and_many_members_are_cut() {
        let found = stored(&json!({"error": "x".repeat(200_000_000 / 100)}));
        assert!(found["error"].as_str().unwrap().ends_with(" more bytes)"));
        let many: Map<String, Value> = (0..100_000).map(|n| (n.to_string(), json!("x"))).collect();
        assert_eq!(stored(&Value::Object(many)), json!({"too_long": true}));
    }
}

//! Where two answers to one request differ, whatever the order in which AWS listed things.
//!
//! Two answers are the same exactly when they hold the same things; AWS promises no order for any of its lists, so
//! order never counts; a list of any length is compared one element at a time, and no more than [`MOST`]
//! differences are held.

use crate::gateway::fetch::text;
use crate::gateway::spool::Spool;
use serde::Serialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Read};
use xxhash_rust::xxh3::xxh3_128;

/// How many differences of one answer are reported.
pub(crate) const MOST: usize = 20;

/// One place in which they differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where: `DisplayName`, `[<id of the element>].Emails`, or nothing for the whole answer.
    pub at: String,
    /// What is stored there; null when nothing is.
    pub cached: Value,
    /// What AWS says; null when it has nothing there.
    pub aws: Value,
}

/// All that differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Differences {
    /// The first few of them.
    pub first: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

impl Differences {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more == 0
    }

    fn add(&mut self, at: String, cached: Value, aws: Value) {
        if self.first.len() < MOST {
            self.first.push(Difference { at, cached, aws });
        } else {
            self.more += 1;
        }
    }
}

/// What AWS says, ready to be compared with.
pub(crate) struct Truth {
    spool: Spool,
    /// How often each element is in it; `None` when it is no list.
    elements: Option<HashMap<u128, u32>>,
}

impl Truth {
    pub(crate) fn new(mut spool: Spool) -> io::Result<Truth> {
        let mut elements = HashMap::new();
        let single = each(&mut spool.reader()?, &mut |value| *elements.entry(digest(&value)).or_default() += 1)?;
        Ok(Truth { spool, elements: single.is_none().then_some(elements) })
    }

    pub(crate) fn spool(&mut self) -> &mut Spool {
        &mut self.spool
    }

    /// What of `stored` is not so. Text that is no JSON is an error of the kind `InvalidData`.
    pub(crate) fn compare(&mut self, stored: &mut dyn Read) -> io::Result<Differences> {
        let mut left = self.elements.clone().unwrap_or_default();
        let (mut gone, mut uncounted) = (Vec::new(), 0);
        let single = each(stored, &mut |value| match left.get_mut(&digest(&value)) {
            Some(n) if *n > 0 => *n -= 1,
            _ if gone.len() < MOST => gone.push(value),
            _ => uncounted += 1,
        })?;
        match (single, self.elements.is_some()) {
            (None, true) => self.of_lists(gone, uncounted, left),
            (single, _) => {
                let mut found = Differences::default();
                let aws = self.spool.value()?;
                if let Some(cached) = single {
                    tell(String::new(), &cached, &aws, &mut found);
                } else {
                    found.add(String::new(), Value::Array(gone), aws);
                }
                Ok(found)
            }
        }
    }

    /// Elements that are only stored, next to those that only AWS has; two of one id are one that has changed.
    fn of_lists(&mut self, gone: Vec<Value>, uncounted: u64, mut left: HashMap<u128, u32>) -> io::Result<Differences> {
        let mut found = Differences { first: Vec::new(), more: uncounted };
        left.retain(|_, n| *n > 0);
        let mut gone: Vec<(String, Value)> = gone.into_iter().map(|value| (identity(&value), value)).collect();
        if !left.is_empty() {
            each(&mut self.spool.reader()?, &mut |value| {
                if let Some(n) = left.get_mut(&digest(&value)).filter(|n| **n > 0) {
                    *n -= 1;
                    let at = identity(&value);
                    match gone.iter().position(|(known, _)| *known == at) {
                        Some(place) => tell(format!("[{at}]"), &gone.remove(place).1, &value, &mut found),
                        None => found.add(format!("[{at}]"), Value::Null, value),
                    }
                }
            })?;
        }
        for (at, cached) in gone {
            found.add(format!("[{at}]"), cached, Value::Null);
        }
        Ok(found)
    }
}

/// Adds what differs between two objects, field by field.
pub(crate) fn compare_fields(cached: &Value, aws: &Value, into: &mut Differences) {
    tell(String::new(), cached, aws, into);
}

/// Field by field where both are objects, else as a whole.
fn tell(at: String, cached: &Value, aws: &Value, into: &mut Differences) {
    if canonical(cached) == canonical(aws) {
        return;
    }
    let (Value::Object(ours), Value::Object(theirs)) = (cached, aws) else {
        return into.add(at, cached.clone(), aws.clone());
    };
    let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        let (Some(one), Some(other)) = (ours.get(name), theirs.get(name)) else {
            let side = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
            into.add(path, side(ours), side(theirs));
            continue;
        };
        tell(path, one, other, into);
    }
}

/// What distinguishes an element of a list from the others.
fn identity(value: &Value) -> String {
    let fields: &[&[&str]] = &[
        &["UserId"],
        &["MembershipId"],
        &["GroupId"],
        &["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"],
        &["PermissionSetArn"],
        &["Id"],
    ];
    let known = fields.iter().find(|names| names.iter().all(|name| value[*name].is_string()));
    match (known, value) {
        (Some(names), _) => names.iter().map(|name| text(value, name)).collect::<Vec<_>>().join(" "),
        (None, Value::String(text)) => text.clone(),
        (None, other) => canonical(other),
    }
}

fn digest(value: &Value) -> u128 {
    xxh3_128(canonical(value).as_bytes())
}

/// One text for all values that say the same: members by name, elements in order of their own texts.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let mut parts: Vec<String> = items.iter().map(canonical).collect();
            parts.sort_unstable();
            format!("[{}]", parts.join(","))
        }
        plain => plain.to_string(),
    }
}

/// Shows each element of a list to `see`; gives back what is no list.
fn each(from: &mut dyn Read, see: &mut dyn FnMut(Value)) -> io::Result<Option<Value>> {
    let mut reader = io::BufReader::with_capacity(64 * 1024, from);
    if reader.fill_buf()?.first() != Some(&b'[') {
        return Ok(Some(serde_json::from_reader(reader)?));
    }
    let mut document = serde_json::Deserializer::from_reader(reader);
    document.deserialize_seq(KeyedElements(see))?;
    document.end()?;
    Ok(None)
}

struct KeyedElements<'a>(&'a mut dyn FnMut(Value));

impl<'de> Visitor<'de> for KeyedElements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differ(cached: &Value, aws: &Value) -> Differences {
        let mut truth = Truth::new(Spool::of(aws)).unwrap();
        truth.compare(&mut serde_json::to_vec(cached).unwrap().as_slice()).unwrap()
    }

    #[test]
    fn the_order_of_lists_and_of_members_says_nothing() {
        let ours =
            json!([{"UserId": "1", "Emails": [{"Value": "a"}, {"Value": "b"}]}, {"UserId": "2"}, {"UserId": "2"}]);
        let theirs =
            json!([{"UserId": "2"}, {"Emails": [{"Value": "b"}, {"Value": "a"}], "UserId": "1"}, {"UserId": "2"}]);
        assert!(differ(&ours, &theirs).is_empty());
        assert!(differ(&json!({"a": [1, 2], "b": null}), &json!({"b": null, "a": [2, 1]})).is_empty());
        assert!(differ(&json!([]), &json!([])).is_empty());
    }

    #[test]
    fn what_came_what_went_and_what_changed_is_told_by_id_and_field() {
        let ours = json!([{"UserId": "1", "UserName": "ada"}, {"UserId": "2"}, {"UserId": "3"}]);
        let theirs = json!([{"UserId": "1", "UserName": "eva"}, {"UserId": "3"}, {"UserId": "4"}]);
        let found = differ(&ours, &theirs);
        let reported: Vec<String> =
            found.first.iter().map(|one| format!("{}: {} -> {}", one.at, one.cached, one.aws)).collect();
        assert_eq!(
            reported,
            [r#"[1].UserName: "ada" -> "eva""#, r#"[4]: null -> {"UserId":"4"}"#, r#"[2]: {"UserId":"2"} -> null"#]
        );
        assert_eq!(found.more, 0);
    }

    #[test]
    fn one_of_two_equal_elements_less_is_a_difference() {
        assert_eq!(differ(&json!(["a", "a"]), &json!(["a"])).first.len(), 1);
        assert_eq!(differ(&json!(["a"]), &json!(["a", "a"])).first.len(), 1);
    }

    #[test]
    fn fields_are_told_where_they_are_and_absent_is_not_null() {
        let found = differ(&json!({"A": {"B": 1, "C": 2}, "D": null}), &json!({"A": {"B": 1, "C": 3}}));
        assert_eq!(found.first.iter().map(|one| one.at.as_str()).collect::<Vec<_>>(), ["A.C", "D"]);
    }

    #[test]
    fn a_list_for_a_thing_and_the_other_way_round_differ() {
        assert!(!differ(&json!([1]), &json!({"a": 1})).is_empty());
        assert!(!differ(&json!({"a": 1}), &json!([1])).is_empty());
        assert!(!differ(&json!([]), &json!({})).is_empty());
    }

    #[test]
    fn of_many_differences_the_first_are_told_and_the_rest_counted() {
        let ours: Vec<Value> = (0..50).map(|n| json!({"UserId": n.to_string()})).collect();
        let found = differ(&Value::Array(ours), &json!([]));
        assert_eq!((found.first.len(), found.more), (MOST, 30));
    }

    #[test]
    fn what_is_no_json_is_said() {
        let mut truth = Truth::new(Spool::of(&json!([1]))).unwrap();
        for text in ["[1,", "", "[1] x"] {
            assert_ne!(truth.compare(&mut text.as_bytes()).unwrap_err().kind(), io::ErrorKind::NotFound, "{text}");
        }
    }
}

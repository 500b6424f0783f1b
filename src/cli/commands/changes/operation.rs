//! One change with the words for it.
//!
//! People read names with ids behind them, programs find both.

use crate::cli::commands::changes::deleting::Remaining;
use crate::gateway::{Confirmed, Mutation, operation_words};
use serde_json::{Map, Value, json};

/// What is asked of AWS.
pub(super) enum Act {
    /// This.
    Make(Mutation),
    /// This, once the permission set that an earlier step makes has its ARN.
    OfNewSet(Box<dyn Fn(&str) -> Mutation + Send + Sync>),
}

/// One change with the words for it.
pub(super) struct ChangeStep {
    /// `delete user `alice` (9067...)`
    pub(super) phrase: String,
    /// Names and ids, for programs.
    pub(super) fields: Map<String, Value>,
    /// What is asked of AWS.
    pub(super) act: Act,
    /// It is so already: there is nothing to ask.
    pub(super) already: bool,
    /// What goes with it: `2 memberships`.
    pub(super) losses: Vec<String>,
    /// What to type to see whether AWS did it.
    pub(super) check: String,
    /// The state that AWS must still have: the user agreed to it.
    pub(super) expected: Option<Value>,
    /// The end of its sentence: `, leaving 2 assignments without a principal`.
    pub(super) phrase_end: String,
    /// Steps of a later stage are made only when all steps before them were.
    pub(super) stage: u8,
    /// Why it is not made at all: `suspended`.
    pub(super) left_out: Option<String>,
    /// The assignments that stay behind when it is made.
    pub(super) remaining: Option<Remaining>,
}

impl ChangeStep {
    /// A change, what it does in words, and what to type to see whether it was done.
    pub(super) fn new(change: Mutation, phrase: impl Into<String>, check: impl Into<String>) -> ChangeStep {
        ChangeStep::of(Act::Make(change), phrase, check)
    }

    /// The same for an act that is not a change yet.
    pub(super) fn of(act: Act, phrase: impl Into<String>, check: impl Into<String>) -> ChangeStep {
        ChangeStep {
            phrase: phrase.into(),
            fields: Map::new(),
            act,
            already: false,
            losses: Vec::new(),
            check: check.into(),
            expected: None,
            phrase_end: String::new(),
            stage: 0,
            left_out: None,
            remaining: None,
        }
    }

    /// The same with a field for programs.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> ChangeStep {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The same with the id and the name of what it is about.
    pub(super) fn about(self, (id, name): (&str, &str), thing: &Confirmed) -> ChangeStep {
        // A thing that is gone has no name any more.
        let called = if thing.found.is_null() { Value::Null } else { json!(thing.name) };
        self.with(id, thing.id.as_str()).with(name, called)
    }

    /// The same, done already or not.
    pub(super) fn already(mut self, already: bool) -> ChangeStep {
        self.already = already;
        self
    }

    /// The same on condition that AWS still has this.
    pub(super) fn expecting(mut self, expected: Value) -> ChangeStep {
        self.expected = Some(expected);
        self
    }

    /// The same, not made, with the reason.
    pub(super) fn left_out(mut self, why: Option<String>) -> ChangeStep {
        self.left_out = why;
        self
    }

    /// Whether it makes a call to AWS.
    pub(super) fn is_open(&self) -> bool {
        !self.already && self.left_out.is_none()
    }

    /// The same with so many of something that go with it; `None` where they cannot be seen.
    pub(super) fn losing(mut self, field: &str, count: Option<usize>, (one, several): (&str, &str)) -> ChangeStep {
        match count {
            Some(0) => {}
            Some(1) => self.losses.push(format!("1 {one}")),
            Some(n) => self.losses.push(format!("{n} {several}")),
            None => self.losses.push(format!("{several} that this login may not see")),
        }
        self.with(field, json!(count))
    }

    /// `delete user `alice` (9067...), with 2 memberships and 1 assignment`
    pub(super) fn in_full(&self) -> String {
        let losses = match self.losses.as_slice() {
            [] => String::new(),
            several => format!(", with {}", several.join(" and ")),
        };
        format!("{}{losses}{}", self.phrase, self.phrase_end)
    }

    /// `CreateUser`
    pub(super) fn operation(&self) -> String {
        let operation = match &self.act {
            Act::Make(change) => change.operation(),
            Act::OfNewSet(change) => change("").operation(),
        };
        let words = operation_words(operation);
        words.split_once(' ').map_or(words.clone(), |(_, name)| name.to_owned())
    }
}

pub(super) use crate::model::shell_word as quoted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_with_a_thing_is_said_and_nothing_else() {
        let step = || ChangeStep::new(Mutation::DeleteUser { id: "u".into(), revision: None }, "delete user u", "");
        assert_eq!(step().losing("Memberships", Some(0), ("membership", "memberships")).in_full(), "delete user u");
        let two = step().losing("Memberships", Some(1), ("membership", "memberships"));
        let two = two.losing("Assignments", None, ("assignment", "assignments"));
        assert_eq!(two.in_full(), "delete user u, with 1 membership and assignments that this login may not see");
        assert_eq!((&two.fields["Memberships"], &two.fields["Assignments"]), (&json!(1), &Value::Null));
        assert_eq!(two.operation(), "DeleteUser");
    }

    #[test]
    fn words_are_quoted_only_when_they_must_be() {
        assert_eq!(quoted("ada@example.com"), "ada@example.com");
        assert_eq!(quoted("it's $x"), r"'it'\''s $x'");
        assert_eq!(quoted(""), "''");
    }
}

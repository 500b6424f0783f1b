//! Assignments in hand: as many as an organization has, in sixteen bytes each.
//!
//! Memory grows by a row's four numbers; the texts behind them (accounts, permission sets, principals) are held
//! once, however many rows name them.

use super::api::PrincipalKind;
use crate::gateway::fetch::text;
use indexmap::IndexSet;
use serde_json::{Map, Value};

/// The fields of a row, in AWS's order of them and in the order in which rows are sorted.
const FIELDS: [&str; 4] = ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"];

/// Assignments, in the order in which they were found or sorted.
#[derive(Debug, Clone, Default)]
pub struct AssignmentRows {
    texts: IndexSet<Box<str>>,
    rows: Vec<[u32; 4]>,
}

/// One assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssignmentRow<'a> {
    /// The account's id.
    pub account: &'a str,
    /// The permission set's ARN.
    pub permission_set: &'a str,
    /// `USER` or `GROUP`.
    pub principal_type: &'a str,
    /// The user's or group's id.
    pub principal: &'a str,
}

impl AssignmentRows {
    /// Adds the row of an answer.
    pub(super) fn push(&mut self, row: &Value) {
        let row = FIELDS.map(|field| self.number(&text(row, field)));
        self.rows.push(row);
    }

    /// By account, permission set and principal.
    pub(super) fn sort(&mut self) {
        // Ranks of the texts are compared, each of them read one time.
        let mut order: Vec<usize> = (0..self.texts.len()).collect();
        order.sort_unstable_by_key(|&at| &self.texts[at]);
        let mut ranks = vec![0; order.len()];
        for (rank, at) in order.into_iter().enumerate() {
            ranks[at] = rank;
        }
        self.rows.sort_unstable_by_key(|row| row.map(|at| ranks[at as usize]));
    }

    /// Takes out rows that are there twice; they must be sorted.
    pub(super) fn dedup(&mut self) {
        self.rows.dedup();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = AssignmentRow<'_>> {
        self.rows.iter().map(|row| {
            let [account, permission_set, principal_type, principal] = row.map(|at| &*self.texts[at as usize]);
            AssignmentRow { account, permission_set, principal_type, principal }
        })
    }

    fn number(&mut self, text: &str) -> u32 {
        let at = self.texts.get_index_of(text).unwrap_or_else(|| self.texts.insert_full(text.into()).0);
        u32::try_from(at).expect("four thousand million ids are more than AWS has")
    }
}

impl AssignmentRow<'_> {
    /// The kind of the principal.
    pub fn kind(&self) -> PrincipalKind {
        if self.principal_type == PrincipalKind::Group.as_str() { PrincipalKind::Group } else { PrincipalKind::User }
    }

    /// The row as AWS gives it.
    pub fn value(&self) -> Value {
        let texts = [self.account, self.permission_set, self.principal_type, self.principal];
        Value::Object(
            FIELDS.iter().zip(texts).map(|(field, text)| ((*field).to_owned(), text.into())).collect::<Map<_, _>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn row(of: [u8; 4]) -> Value {
        json!({
            "AccountId": format!("{:012}", of[0]),
            "PermissionSetArn": format!("arn:{}", of[1]),
            "PrincipalType": if of[2].is_multiple_of(2) { "USER" } else { "GROUP" },
            "PrincipalId": format!("p-{}", of[3]),
        })
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were_sorted_and_once(of in prop::collection::vec(prop::array::uniform4(0_u8..4), 0..60)) {
            let mut rows = AssignmentRows::default();
            for of in of.iter().copied() {
                rows.push(&row(of));
            }
            prop_assert_eq!(rows.iter().map(|row| row.value()).collect::<Vec<_>>(), of.iter().copied().map(row).collect::<Vec<_>>());
            rows.sort();
            rows.dedup();
            let mut expected: Vec<Value> = of.iter().copied().map(row).collect();
            expected.sort_by_cached_key(|row| FIELDS.map(|field| text(row, field)));
            expected.dedup();
            prop_assert_eq!(rows.len(), expected.len());
            prop_assert_eq!(rows.iter().map(|row| row.value()).collect::<Vec<_>>(), expected);
        }
    }
}

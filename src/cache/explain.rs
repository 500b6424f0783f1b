//! The table of invalidations read backwards: which changes make a key false.
//!
//! The table of invalidations decides: a cause is a change that covers the key.

use crate::cache::invalidation::ChangeEvent;
use crate::cache::invalidation::Dirt;
use crate::cache::invalidation::Operation;
use crate::cache::invalidation::dirty;
use crate::cache::key::decode;
use crate::model::Resource;
use crate::store::Address;
use std::fmt;

/// A change that makes a key false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidatingChange {
    /// What happens.
    pub operation: Operation,
    /// To what.
    pub resource: Resource,
    /// To which one; `None` when it can be any that is related.
    pub id: Option<String>,
}

impl fmt::Display for InvalidatingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_deref().unwrap_or("(any that is related)");
        write!(f, "{} {} {id}", self.operation, self.resource)
    }
}

/// A text that is no id.
const NO_ID: &str = "\u{0}";

/// The changes that make `key` false, in the order of the table. Empty for what awsideman itself never changes.
pub fn dirtied_by(key: &str) -> Vec<InvalidatingChange> {
    let parts: Vec<String> = key.split(':').skip(2).map(decode).collect();
    let covers = |event: &ChangeEvent| {
        dirty(event).iter().map(|dirt: &Dirt| dirt.select(Some(""))).any(|all| all.covers(Address { space: "", key }))
    };
    let mut causes = Vec::new();
    for operation in Operation::ALL {
        for resource in operation.resources().iter().copied() {
            let about = |id: &str| ChangeEvent::new(resource, operation, id);
            if covers(&about(NO_ID)) {
                causes.push(InvalidatingChange { operation, resource, id: None });
            } else if let Some(id) = parts.iter().find(|id| covers(&about(id))) {
                causes.push(InvalidatingChange { operation, resource, id: Some(id.clone()) });
            }
        }
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(key: &str) -> Vec<String> {
        dirtied_by(key).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_changes_of_the_thing_itself_are_named_with_its_id() {
        assert_eq!(causes("user:describe:u-1"), ["create user u-1", "update user u-1", "delete user u-1"]);
        let arn = "arn%3Aaws%3Asso%3A%3A%3ApermissionSet/ssoins-1/ps-1";
        let policies = causes(&format!("permission_set:policies:{arn}"));
        assert!(policies.contains(&"set-policies permission_set arn:aws:sso:::permissionSet/ssoins-1/ps-1".to_owned()));
    }

    #[test]
    fn a_change_of_anything_related_is_named_as_one_of_any() {
        let list = causes("group:list:all");
        assert_eq!(list, ["create", "update", "delete"].map(|o| format!("{o} group (any that is related)")));
        let members = causes("group:members:g-1");
        assert!(members.contains(&"delete user (any that is related)".to_owned()), "{members:?}");
        assert!(members.contains(&"add-member group g-1".to_owned()), "{members:?}");
        assert!(!members.iter().any(|cause| cause.starts_with("update user")), "{members:?}");
    }

    #[test]
    fn a_key_that_no_change_covers_has_no_cause() {
        for key in ["account:list:all", "ou:list:all", "thread_key_1", ""] {
            assert_eq!(causes(key), Vec::<String>::new(), "{key}");
        }
    }
}

//! The kinds of objects that the cache stores.
//!
//! Parsing accepts singular and plural, dashes and underscores.

use std::fmt;

/// A kind of object in Identity Center, or of a library user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// A person in the identity store.
    User,
    /// A group in the identity store.
    Group,
    /// A permission set of the instance.
    PermissionSet,
    /// Who has which permission set in which account.
    Assignment,
    /// An account of the organization.
    Account,
    /// An organizational unit.
    Ou,
    /// An Identity Center instance.
    Instance,
    /// An entry of a library user.
    Custom,
}

impl Resource {
    /// Every resource, in display order.
    pub const ALL: [Resource; 8] = [
        Resource::User,
        Resource::Group,
        Resource::PermissionSet,
        Resource::Assignment,
        Resource::Account,
        Resource::Ou,
        Resource::Instance,
        Resource::Custom,
    ];

    /// The name used in keys and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::User => "user",
            Resource::Group => "group",
            Resource::PermissionSet => "permission_set",
            Resource::Assignment => "assignment",
            Resource::Account => "account",
            Resource::Ou => "ou",
            Resource::Instance => "instance",
            Resource::Custom => "custom",
        }
    }

    /// Parses `user`, `users`, `permission-sets`, `permission_set`, `Accounts` and similar.
    pub fn parse(word: &str) -> Option<Resource> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        let singular = word.strip_suffix('s').unwrap_or(&word);
        Resource::ALL.into_iter().find(|r| r.as_str() == word || r.as_str() == singular)
    }

    /// The resource that a key such as `user:list:all` belongs to; `custom` for any other key.
    pub fn of_key(key: &str) -> Resource {
        let first = key.split(':').next().unwrap_or_default();
        Resource::ALL.into_iter().find(|r| r.as_str() == first).unwrap_or(Resource::Custom)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_plural_dashes_and_case_are_understood() {
        for (word, expected) in [
            ("user", Some(Resource::User)),
            ("Users", Some(Resource::User)),
            ("permission-sets", Some(Resource::PermissionSet)),
            ("permission_set", Some(Resource::PermissionSet)),
            ("OUs", Some(Resource::Ou)),
            ("people", None),
            ("", None),
        ] {
            assert_eq!(Resource::parse(word), expected, "{word:?}");
        }
    }

    #[test]
    fn a_key_has_its_resource() {
        assert_eq!(Resource::of_key("permission_set:list:all"), Resource::PermissionSet);
        assert_eq!(Resource::of_key("thread_key_1"), Resource::Custom);
    }
}

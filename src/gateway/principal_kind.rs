//! Users and groups, as AWS distinguishes them.

/// USER or GROUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl PrincipalKind {
    /// AWS's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PrincipalKind::User => "USER",
            PrincipalKind::Group => "GROUP",
        }
    }
}

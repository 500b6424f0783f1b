//! The services of AWS that a sandbox answers for.

pub(crate) mod identity_store;
pub(crate) mod operation_status;
pub(crate) mod organizations;
pub(crate) mod sso_admin;
pub(crate) mod sts;
pub(crate) mod writes;

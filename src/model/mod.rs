//! The domain types of Identity Center, and units that every module uses.
//!
//! Guarantee: no input or output.

mod fold;
mod glob;
mod invocation;
mod mailbox;
mod namespace;
mod resource;
mod sanitize;
mod shell;
mod time_zone;
mod units;

pub use fold::folded;
pub use glob::{literal_prefix, matches};
#[cfg(test)]
pub(crate) use invocation::COMMANDS;
pub use invocation::Invocation;
pub use mailbox::{Mailbox, MailboxError};
pub use namespace::Namespace;
pub use resource::Resource;
pub use sanitize::cut;
pub use sanitize::excerpt;
pub use sanitize::is_unseen;
pub use sanitize::one_line;
pub use sanitize::visible;
pub use sanitize::visible_lines;
pub use shell::shell_word;
pub use time_zone::NoZone;
pub use time_zone::Zone;
pub use time_zone::ZoneOffset;
pub use time_zone::ZoneSource;
pub use units::QuantityError;
pub use units::Refused;
pub use units::decimal;
pub use units::exact_duration;
pub use units::format_duration;
pub use units::format_size;
pub use units::parse_duration;
pub use units::parse_size;

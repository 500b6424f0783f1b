//! The nouns of Identity Center and the small values everyone speaks in.
//!
//! Neighbours: every room; names nobody. Promise: pure values, no input or output.

mod fold;
mod glob;
mod invocation;
mod mailbox;
mod quantity;
mod resource;
mod shell;
mod space;
mod visible;
mod zone;

pub use fold::folded;
pub use glob::{literal_prefix, matches};
#[cfg(test)]
pub(crate) use invocation::COMMANDS;
pub use invocation::Invocation;
pub use mailbox::{Mailbox, MailboxError};
pub use quantity::{
    QuantityError, Refused, decimal, exact_duration, format_duration, format_size, parse_duration, parse_size,
};
pub use resource::Resource;
pub use shell::shell_word;
pub use space::Namespace;
pub use visible::{cut, excerpt, is_unseen, one_line, visible, visible_lines};
pub use zone::{NoZone, Zone, ZoneOffset, ZoneSource};

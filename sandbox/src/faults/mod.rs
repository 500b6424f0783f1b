//! What goes wrong on purpose: the rules, their decision for each call, held calls and cut connections.

pub(crate) mod barriers;
pub(crate) mod connection;
pub(crate) mod injector;
pub(crate) mod rules;

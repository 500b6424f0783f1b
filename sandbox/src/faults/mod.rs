//! Fault injection: rules, decisions per call, held calls and reset connections.

pub(crate) mod barriers;
pub(crate) mod connection;
pub(crate) mod injector;
pub(crate) mod rules;

//! Being built.
mod error;
mod source;
pub use error::GatewayError;
pub use source::*;

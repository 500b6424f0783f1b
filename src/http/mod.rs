//! HTTP over TLS: the client of every AWS call, and a small one that posts to a URL.
//!
//! Only this module imports the HTTP client, so that the program has one TLS implementation.

mod client;
mod connector;
mod error;
mod proxy;
mod roots;
mod trace;
mod whole;

pub use client::{HttpResponse, Poster};
pub use connector::{Network, Unanswered, client, host};
pub use error::HttpFault;
pub use proxy::Proxy;
pub use roots::{certificates, has_certificates};
pub use trace::{REQUESTS, attempt};
pub use whole::{BodyError, whole};

//! Keys as the key builder of the original Python tool.
//!
//! Guarantee: the same parameters in any order give the same key, and other parameters another one.

use crate::cache::Key;
use crate::library::error::LibraryError;
use crate::model::Resource;
use serde::Serialize;

/// The key of the answer to `operation` on `identifier` with these parameters.
///
/// ```
/// use awsideman::library::build_key;
/// use serde_json::json;
///
/// # fn main() -> Result<(), awsideman::library::LibraryError> {
/// let key = build_key("user", "list", "all", &json!({"identity_store_id": "d-1234567890"}))?;
/// println!("Generated key: {key}");
/// assert!(key.starts_with("user:list:all:#"));
///
/// let again = build_key("user", "list", "all", &json!({"identity_store_id": "d-1234567890"}))?;
/// assert_eq!(key, again, "keys are identical for the same parameters");
/// # Ok(())
/// # }
/// ```
pub fn build_key<P: Serialize + ?Sized>(
    resource: &str,
    operation: &str,
    identifier: &str,
    parameters: &P,
) -> Result<String, LibraryError> {
    let known = Resource::parse(resource).ok_or_else(|| LibraryError::Word {
        word: resource.to_owned(),
        what: "a resource",
        hint: format!("there are {}", Resource::ALL.map(Resource::as_str).join(", ")),
    })?;
    let key = Key::new(known, operation, identifier);
    let parameters = serde_json::to_value(parameters)
        .map_err(|source| LibraryError::Value { key: key.as_str().to_owned(), source })?;
    Ok(key.params(&parameters).to_string())
}

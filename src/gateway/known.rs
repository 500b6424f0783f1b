//! The id behind a name, from what the cache holds and of whatever age: for commands about the cache, which never ask AWS.

use super::error::GatewayError;
use super::request::Request;
use super::spool::each;
use crate::cache::{Cache, Key};
use crate::gateway::resolve::is_account_id;
use crate::gateway::resolve::is_arn;
use crate::gateway::resolve::is_directory_id;
use crate::gateway::resolve::matching;
use crate::model::Resource;
use crate::store::Select;
use serde_json::Value;
use std::ops::ControlFlow;

/// What the cache knows of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameLookup {
    /// It is an id, or a name of the thing with this id.
    Id(String),
    /// Nothing of that name or id is held.
    Unknown,
}

/// What `text` names among the things of a kind; an error when it names several.
pub fn known_id(cache: &Cache, space: Option<&str>, kind: Resource, text: &str) -> Result<NameLookup, GatewayError> {
    let is_id = match kind {
        Resource::User | Resource::Group => is_directory_id(text) || is_arn(text),
        Resource::Account => is_account_id(text),
        _ => is_arn(text),
    };
    if is_id {
        return Ok(NameLookup::Id(text.to_owned()));
    }
    let Some(space) = space else { return Ok(NameLookup::Unknown) };
    let held = |key: &Key| {
        let mut found = Value::Null;
        cache.last(space, key, &mut |body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        });
        found
    };
    if !held(&Key::new(kind, "describe", text)).is_null() {
        return Ok(NameLookup::Id(text.to_owned()));
    }
    let (list, id, names): (_, _, &[&str]) = match kind {
        Resource::User => (Request::Users, "UserId", &["UserName"]),
        Resource::Group => (Request::Groups, "GroupId", &["DisplayName"]),
        Resource::Account => (Request::Accounts, "Id", &["Name", "Email"]),
        Resource::PermissionSet => (Request::PermissionSets, "PermissionSetArn", &["Name"]),
        _ => return Ok(NameLookup::Unknown),
    };
    if let Some(found) = held(&Key::new(kind, "by_name", text))[id].as_str() {
        return Ok(NameLookup::Id(found.to_owned()));
    }
    let is_it = |item: &Value| {
        names.iter().any(|name| item[*name] == text)
            || (kind == Resource::PermissionSet
                && item[id].as_str().and_then(|arn| arn.rsplit('/').next()) == Some(text))
    };
    let mut found: Vec<Value> = Vec::new();
    cache.last(space, &list.key(), &mut |body| {
        each(body, &mut |item| {
            found.extend(is_it(&item).then_some(item));
            Ok(())
        })
    });
    if found.is_empty() {
        let pattern = format!("{kind}:describe:*");
        let mut keys = Vec::new();
        // A store that cannot be read knows no names.
        let _ = cache.store().scan(&Select::Glob { space: Some(space.to_owned()), pattern }, &mut |meta| {
            keys.extend(Key::parse(&meta.key).ok());
            ControlFlow::Continue(())
        });
        found.extend(keys.iter().map(held).filter(is_it));
    }
    let found = matching(&Value::Array(found), id, names[0], |_| true);
    match found.as_slice() {
        [] => Ok(NameLookup::Unknown),
        [(id, _)] => Ok(NameLookup::Id(id.clone())),
        several => Err(GatewayError::Ambiguous {
            name: text.to_owned(),
            choices: several.iter().map(|(id, name)| format!("{id} ({name})")).collect(),
        }),
    }
}

//! Keys as users type them: with names instead of ids, and suggestions for invalid keys.

use crate::app::{App, NameResolver, is_stored};
use crate::cache::{Key, decode, pattern};
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::config::{nearest, operations};
use crate::gateway::NameLookup;
use crate::model::Resource;

/// An id for a text: the one behind a name, else the text itself with a notice.
pub(super) fn id(
    names: &NameResolver,
    kind: Resource,
    text: &str,
    notice: &mut dyn FnMut(&str),
) -> Result<String, CliError> {
    match names.find(kind, text)? {
        NameLookup::Id(id) => Ok(id),
        NameLookup::Unknown => {
            notice(&format!("no {} named `{text}` in the cache: used as an id", word(kind)));
            Ok(text.to_owned())
        }
    }
}

/// The key that a text means. A stored key is used as it is; any other must have a known operation.
pub(super) fn key(app: &App, text: &str, notice: &mut dyn FnMut(&str)) -> Result<Key, CliError> {
    let encoded = pattern(text)?;
    let literal = Key::parse(text);
    if text.contains(['*', '?', '[', ']']) || encoded.contains(":#") {
        return Ok(literal?);
    }
    if let Ok(key) = &literal
        && is_stored(app, key.as_str())
    {
        return Ok(literal?);
    }
    let parts: Vec<String> = encoded.split(':').map(decode).collect();
    let [first, operation, rest @ ..] = parts.as_slice() else {
        return Err(no_key(text, "a key is resource:operation:identifier, such as user:list:all"));
    };
    let Some(resource) = Resource::ALL.into_iter().find(|resource| resource.as_str() == first) else {
        let near = nearest(first, Resource::ALL.map(Resource::as_str));
        return Err(no_key(
            text,
            &match near {
                Some(near) => {
                    format!("did you mean `{}`?", [&[near.to_owned(), operation.clone()], rest].concat().join(":"))
                }
                None => format!("the resources are {}", Resource::ALL.map(Resource::as_str).join(", ")),
            },
        ));
    };
    let operation = known_operation(resource, operation)?;
    key_of(&NameResolver::new(app), resource, &operation, rest, notice)
}

/// The operation, when the resource has it.
pub(super) fn known_operation(resource: Resource, operation: &str) -> Result<String, CliError> {
    let Some(known) = operations(resource).filter(|known| !known.contains(&operation)) else {
        return Ok(operation.to_owned());
    };
    // Marks that warms leave.
    if resource == Resource::Instance {
        return Ok(operation.to_owned());
    }
    let all = format!("the operations of {resource} are {}", known.join(", "));
    let hint = match nearest(operation, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    };
    Err(CliError::new(Code::Usage, format!("{resource} has no operation `{operation}`")).hint(hint))
}

/// The key of a known operation: each identifier is an id, or a name that becomes one.
pub(super) fn key_of(
    names: &NameResolver,
    resource: Resource,
    operation: &str,
    identifiers: &[String],
    notice: &mut dyn FnMut(&str),
) -> Result<Key, CliError> {
    use Resource::{Account, Assignment, Custom, Group, Instance, Ou, PermissionSet, User};
    let kinds: Vec<Option<Resource>> = match (resource, operation) {
        (User | Group | Account | PermissionSet, "list" | "by_name") | (Ou | Custom | Instance, _) => vec![None],
        (User | Group | Account | PermissionSet, _) => vec![Some(resource)],
        (Assignment, "list") => vec![Some(Account), Some(PermissionSet)],
        (Assignment, _) => {
            let is_group = identifiers.first().is_some_and(|kind| kind.eq_ignore_ascii_case("GROUP"));
            vec![None, Some(if is_group { Group } else { User })]
        }
    };
    let shape = format!("{resource}:{operation}");
    if identifiers.len() != kinds.len() && resource != Custom {
        let wanted = match (resource, operation) {
            (Assignment, "list") => "ACCOUNT:PERMISSION_SET",
            (Assignment, _) => "USER:ID or GROUP:ID",
            (_, "list") => "all",
            _ => "ID",
        };
        return Err(no_key(&format!("{shape}:{}", identifiers.join(":")), &format!("write {shape}:{wanted}")));
    }
    if operation == "list" && kinds == [None] && resource != Custom && resource != Instance && identifiers[0] != "all" {
        return Err(no_key(&format!("{shape}:{}", identifiers[0]), &format!("did you mean `{shape}:all`?")));
    }
    let mut ids = Vec::new();
    for (at, text) in identifiers.iter().enumerate() {
        ids.push(match kinds.get(at).copied().flatten() {
            Some(kind) => id(names, kind, text, notice)?,
            None => text.clone(),
        });
    }
    let mut ids = ids.into_iter();
    let first = ids.next().unwrap_or_default();
    Ok(ids.fold(Key::new(resource, operation, &first), |key, id| key.with(&id)))
}

fn no_key(text: &str, hint: &str) -> CliError {
    CliError::new(Code::Usage, format!("`{text}` is not a key of the cache")).hint(hint)
}

fn word(kind: Resource) -> &'static str {
    match kind {
        Resource::PermissionSet => "permission set",
        other => other.as_str(),
    }
}

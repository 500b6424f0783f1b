//! Names in: an id, an ARN or a name becomes the id that requests are made of.
//!
//! Neighbours: `read.rs` answers the look-ups, the commands hand in what a person typed. Promise: a name that several
//! things have is an error that lists them, never the first one; a hit in the cache asks nothing of AWS.

use super::{Gateway, GatewayError, Policy, PrincipalKind, Request};
use crate::report::Progress;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A user or a group, by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// USER or GROUP.
    pub kind: PrincipalKind,
    /// Its id.
    pub id: String,
}

/// Whether a text has the form of an identity store id: a UUID, or one behind ten hexadecimal digits.
pub fn is_directory_id(text: &str) -> bool {
    let uuid = match text.split_once('-') {
        Some((prefix, rest)) if prefix.len() == 10 && is_hex(prefix) => rest,
        _ => text,
    };
    let parts: Vec<&str> = uuid.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| part.len() == length && is_hex(part))
}

/// Whether a text is an account id: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text is an ARN.
pub fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Up to so many principals are described one by one; a list of a hundred costs one call.
const ONE_BY_ONE: usize = 20;

/// What a look-up in the cache alone came to.
enum Known {
    Id(String),
    AskAws,
}

impl Gateway {
    /// The id behind a user id, a user name or an e-mail address, from the cache alone.
    pub fn cached_user_id(&self, text: &str, policy: &Policy) -> Result<Option<String>, GatewayError> {
        if is_directory_id(text) {
            return Ok(Some(text.to_owned()));
        }
        let found = self.cached_value(&Request::UserByName(text.to_owned()), policy);
        match found {
            Ok(found) => Ok(found.and_then(|value| value["UserId"].as_str().map(str::to_owned))),
            // It may still be an e-mail address; only AWS or the list can tell.
            Err(GatewayError::NotFound { .. }) if text.contains('@') => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The id behind a user id, a user name or an e-mail address.
    pub async fn user_id(&self, text: &str, policy: &Policy, progress: &dyn Progress) -> Result<String, GatewayError> {
        if let Some(id) = self.cached_user_id(text, policy)? {
            return Ok(id);
        }
        match self.value(&Request::UserByName(text.to_owned()), policy, progress).await {
            Ok(found) => id_in(&found, "UserId", "identitystore GetUserId"),
            Err(GatewayError::NotFound { .. }) if text.contains('@') => {
                let users = self.value(&Request::Users, policy, progress).await?;
                let mut ids = matching(&users, "UserId", "UserName", |user| {
                    user["Emails"].as_array().is_some_and(|all| {
                        all.iter().any(|e| e["Value"].as_str().is_some_and(|v| v.eq_ignore_ascii_case(text)))
                    })
                });
                single(&mut ids, text, "user")
            }
            Err(error) => Err(error),
        }
    }

    /// The id behind a group id or a display name, from the cache alone.
    pub fn cached_group_id(&self, text: &str, policy: &Policy) -> Result<Option<String>, GatewayError> {
        match self.known_group(text, policy)? {
            Known::Id(id) => Ok(Some(id)),
            Known::AskAws => Ok(None),
        }
    }

    /// The id behind a group id or a display name.
    pub async fn group_id(&self, text: &str, policy: &Policy, progress: &dyn Progress) -> Result<String, GatewayError> {
        match self.known_group(text, policy)? {
            Known::Id(id) => Ok(id),
            Known::AskAws => {
                let found = self.value(&Request::GroupByName(text.to_owned()), policy, progress).await?;
                id_in(&found, "GroupId", "identitystore GetGroupId")
            }
        }
    }

    /// The ARN behind a permission set's ARN, its last part (`ps-...`) or its name.
    pub async fn permission_set_arn(
        &self,
        text: &str,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        if is_arn(text) {
            return Ok(text.to_owned());
        }
        let sets = self.value(&Request::PermissionSets, policy, progress).await?;
        let mut arns = matching(&sets, "PermissionSetArn", "Name", |set| {
            set["Name"] == text || set["PermissionSetArn"].as_str().and_then(|arn| arn.rsplit('/').next()) == Some(text)
        });
        single(&mut arns, text, "permission set")
    }

    /// The id behind an account id or name.
    pub async fn account_id(
        &self,
        text: &str,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        if is_account_id(text) {
            return Ok(text.to_owned());
        }
        let accounts = self.value(&Request::Accounts, policy, progress).await?;
        let mut ids = matching(&accounts, "Id", "Email", |account| account["Name"] == text);
        single(&mut ids, text, "account")
    }

    /// The user or group behind an id or a name. A name that both a user and a group have is ambiguous; `user:NAME`
    /// and `group:NAME` say which is meant.
    pub async fn principal(
        &self,
        text: &str,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Principal, GatewayError> {
        if let Some(name) = text.strip_prefix("user:") {
            return Ok(Principal { kind: PrincipalKind::User, id: self.user_id(name, policy, progress).await? });
        }
        if let Some(name) = text.strip_prefix("group:") {
            return Ok(Principal { kind: PrincipalKind::Group, id: self.group_id(name, policy, progress).await? });
        }
        let (user, group) = if is_directory_id(text) {
            let user = self.value(&Request::User(text.to_owned()), policy, progress).await.map(|_| text.to_owned());
            let group = self.value(&Request::Group(text.to_owned()), policy, progress).await.map(|_| text.to_owned());
            (user, group)
        } else {
            (self.user_id(text, policy, progress).await, self.group_id(text, policy, progress).await)
        };
        match (absent(user)?, absent(group)?) {
            (Some(id), None) => Ok(Principal { kind: PrincipalKind::User, id }),
            (None, Some(id)) => Ok(Principal { kind: PrincipalKind::Group, id }),
            (Some(user), Some(group)) => Err(GatewayError::Ambiguous {
                name: text.to_owned(),
                choices: vec![format!("user:{text} (id {user})"), format!("group:{text} (id {group})")],
            }),
            (None, None) => Err(GatewayError::NotFound { what: format!("user or group `{text}`") }),
        }
    }

    /// Describes users and groups by id: those that the cache knows, then the others one by one when they are few, or
    /// by their whole lists when they are many. What does not exist any more is not in the answer.
    pub async fn describe_principals(
        &self,
        ids: HashSet<(PrincipalKind, String)>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<HashMap<(PrincipalKind, String), Value>, GatewayError> {
        let mut found = HashMap::new();
        let mut unknown: HashMap<PrincipalKind, Vec<String>> = HashMap::new();
        for (kind, id) in ids {
            match self.cached_value(&describe(kind, &id), policy) {
                Ok(Some(value)) => {
                    found.insert((kind, id), value);
                }
                Ok(None) => unknown.entry(kind).or_default().push(id),
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if !policy.live {
            return Ok(found);
        }
        for (kind, mut ids) in unknown {
            ids.sort_unstable();
            if ids.len() > ONE_BY_ONE {
                let (request, field) = match kind {
                    PrincipalKind::User => (Request::Users, "UserId"),
                    PrincipalKind::Group => (Request::Groups, "GroupId"),
                };
                let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
                let list = self.value(&request, policy, progress).await?;
                for item in list.as_array().into_iter().flatten() {
                    if let Some(id) = item[field].as_str().filter(|id| wanted.contains(id)) {
                        found.insert((kind, id.to_owned()), item.clone());
                    }
                }
                continue;
            }
            for id in ids {
                if let Some(value) = absent(self.value(&describe(kind, &id), policy, progress).await)? {
                    found.insert((kind, id), value);
                }
            }
        }
        Ok(found)
    }

    fn known_group(&self, text: &str, policy: &Policy) -> Result<Known, GatewayError> {
        if is_directory_id(text) {
            return Ok(Known::Id(text.to_owned()));
        }
        // The whole list, when it is there, knows names that several groups have; a single answer does not.
        if let Some(groups) = self.cached_value(&Request::Groups, policy)? {
            let mut ids = matching(&groups, "GroupId", "Description", |group| group["DisplayName"] == text);
            if !ids.is_empty() {
                return single(&mut ids, text, "group").map(Known::Id);
            }
        }
        let found = self.cached_value(&Request::GroupByName(text.to_owned()), policy)?;
        Ok(found.and_then(|v| v["GroupId"].as_str().map(|id| Known::Id(id.to_owned()))).unwrap_or(Known::AskAws))
    }
}

fn describe(kind: PrincipalKind, id: &str) -> Request {
    match kind {
        PrincipalKind::User => Request::User(id.to_owned()),
        PrincipalKind::Group => Request::Group(id.to_owned()),
    }
}

/// Ids of the items that `is` picks, each with what tells it apart.
fn matching(items: &Value, id: &str, label: &str, is: impl Fn(&Value) -> bool) -> Vec<(String, String)> {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items.iter().filter(|item| is(item)).map(|item| (text(item, id), text(item, label))).collect()
}

fn single(found: &mut Vec<(String, String)>, name: &str, what: &str) -> Result<String, GatewayError> {
    match found.len() {
        0 => Err(GatewayError::NotFound { what: format!("{what} `{name}`") }),
        1 => Ok(found.remove(0).0),
        _ => Err(GatewayError::Ambiguous {
            name: name.to_owned(),
            choices: found
                .iter()
                .map(|(id, label)| if label.is_empty() { id.clone() } else { format!("{id} ({label})") })
                .collect(),
        }),
    }
}

fn id_in(found: &Value, field: &str, operation: &str) -> Result<String, GatewayError> {
    found[field].as_str().map(str::to_owned).ok_or_else(|| GatewayError::BadAnswer {
        operation: operation.to_owned(),
        detail: format!("an answer without {field}"),
    })
}

fn absent<T>(result: Result<T, GatewayError>) -> Result<Option<T>, GatewayError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(GatewayError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_directory_id("12345678-90ab-cdef-1234-567890abcdef"));
        assert!(is_directory_id("906712345a-12345678-90ab-cdef-1234-567890abcdef"));
        for name in ["alice", "a-b-c-d-e", "12345678-90ab-cdef-1234-567890abcdeg", "", "Team-2024-01-01-x"] {
            assert!(!is_directory_id(name), "{name:?}");
        }
        assert!(is_account_id("012345678901") && !is_account_id("12345678901") && !is_account_id("prod-account"));
    }

    #[test]
    fn a_name_of_several_things_lists_them() {
        let mut found = vec![("1".into(), "a".into()), ("2".into(), String::new())];
        let Err(GatewayError::Ambiguous { choices, .. }) = single(&mut found, "x", "group") else {
            panic!("ambiguous")
        };
        assert_eq!(choices, ["1 (a)", "2"]);
    }
}

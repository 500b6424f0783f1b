//! Names in: an id, an ARN or a name becomes the id that requests are made of.
//!
//! A name that several things have is an error that lists them, never the first one; a hit in the cache asks
//! nothing of AWS.

use super::core::CachePolicy;
use super::core::Gateway;
use super::error::GatewayError;
use super::request::Request;
use crate::gateway::fetch::text;
use crate::progress::Progress;
use serde_json::Value;

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

/// The id at the end of an ARN of that kind (`arn:aws:identitystore:::user/<id>`); any other text as it is.
pub(super) fn in_arn<'t>(text: &'t str, kind: &str) -> &'t str {
    let mut parts = text.splitn(6, ':');
    let resource = parts.nth(5).filter(|_| is_arn(text)).and_then(|rest| rest.strip_prefix(kind)?.strip_prefix('/'));
    resource.map_or(text, |path| path.rsplit('/').next().unwrap_or(path))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The kinds whose ids have one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdForm {
    User,
    Group,
}

impl IdForm {
    fn word(self) -> &'static str {
        match self {
            IdForm::User => "user",
            IdForm::Group => "group",
        }
    }

    fn field(self) -> &'static str {
        match self {
            IdForm::User => "UserId",
            IdForm::Group => "GroupId",
        }
    }

    fn by_id(self, id: &str) -> Request {
        match self {
            IdForm::User => Request::User(id.to_owned()),
            IdForm::Group => Request::Group(id.to_owned()),
        }
    }

    fn by_name(self, name: &str) -> Request {
        match self {
            IdForm::User => Request::UserByName(name.to_owned()),
            IdForm::Group => Request::GroupByName(name.to_owned()),
        }
    }
}

/// The result of a lookup in the cache alone.
enum CacheLookup {
    Id(String),
    AskAws,
}

/// Turns names into ids, and ids into names.
#[derive(Clone, Copy)]
pub struct Resolver<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Turns names into ids, and ids into names.
    pub fn resolver(&self) -> Resolver<'_> {
        Resolver { gateway: self }
    }
}

impl Resolver<'_> {
    /// The id behind a user id or ARN, a user name or an e-mail address, from the cache alone.
    pub fn cached_user_id(self, text: &str, policy: &CachePolicy) -> Result<Option<String>, GatewayError> {
        let id = in_arn(text, "user");
        if is_directory_id(id) {
            return Ok((id != text || self.is_clear(IdForm::User, id, policy)?).then(|| id.to_owned()));
        }
        let text = id;
        match self.gateway.reader().cached_value(&Request::UserByName(text.to_owned()), policy) {
            Ok(Some(found)) => return id_in(&found, "UserId", "identitystore GetUserId").map(Some),
            Ok(None) => {}
            // It may still be an e-mail address; only the list can tell.
            Err(GatewayError::NotFound { .. }) if text.contains('@') => {}
            Err(error) => return Err(error),
        }
        if !text.contains('@') {
            return Ok(None);
        }
        let Some(users) = self.gateway.reader().cached_value(&Request::Users, policy)? else { return Ok(None) };
        let mut ids = with_address(&users, text);
        if ids.is_empty() { Ok(None) } else { single(&mut ids, text, "user").map(Some) }
    }

    /// The id behind a user id or ARN, a user name or an e-mail address.
    pub async fn user_id(
        self,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        if let Some(id) = self.cached_user_id(text, policy)? {
            return Ok(id);
        }
        if is_directory_id(text) {
            return self.id_or_bearer(IdForm::User, text, policy, progress).await;
        }
        match self.gateway.reader().value(&Request::UserByName(text.to_owned()), policy, progress).await {
            Ok(found) => id_in(&found, "UserId", "identitystore GetUserId"),
            Err(GatewayError::NotFound { .. }) if text.contains('@') => {
                let users = self.gateway.reader().value(&Request::Users, policy, progress).await?;
                single(&mut with_address(&users, text), text, "user")
            }
            Err(error) => Err(error),
        }
    }

    /// The id behind a group id or ARN or a display name, from the cache alone.
    pub fn cached_group_id(self, text: &str, policy: &CachePolicy) -> Result<Option<String>, GatewayError> {
        match self.known_group(text, policy)? {
            CacheLookup::Id(id) => Ok(Some(id)),
            CacheLookup::AskAws => Ok(None),
        }
    }

    /// The id behind a group id or ARN or a display name.
    pub async fn group_id(
        self,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        match self.known_group(text, policy)? {
            CacheLookup::Id(id) => Ok(id),
            CacheLookup::AskAws if is_directory_id(text) => {
                self.id_or_bearer(IdForm::Group, text, policy, progress).await
            }
            CacheLookup::AskAws => {
                let error =
                    match self.gateway.reader().value(&Request::GroupByName(text.to_owned()), policy, progress).await {
                        Ok(found) => return id_in(&found, "GroupId", "identitystore GetGroupId"),
                        Err(error) => error,
                    };
                if !(error.allows_stale() && policy.read) {
                    return Err(error);
                }
                // AWS is silent: the list knows the name even when it has expired.
                let Ok(groups) = self.gateway.reader().value(&Request::Groups, policy, progress).await else {
                    return Err(error);
                };
                let mut ids = matching(&groups, "GroupId", "Description", |group| group["DisplayName"] == text);
                if ids.is_empty() { Err(error) } else { single(&mut ids, text, "group") }
            }
        }
    }

    /// The id behind an account's id, ARN, name or e-mail address.
    pub async fn account_id(
        self,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        let id = in_arn(text, "account");
        if is_account_id(id) {
            return match (id == text)
                .then(|| self.gateway.reader().cached_value(&Request::Accounts, policy))
                .transpose()?
                .flatten()
            {
                Some(accounts) => account_called(&accounts, id),
                None => Ok(id.to_owned()),
            };
        }
        let text = id;
        let accounts = self.gateway.reader().value(&Request::Accounts, policy, progress).await?;
        let mut ids = matching(&accounts, "Id", "Email", |account| {
            account["Name"] == text || account["Email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(text))
        });
        single(&mut ids, text, "account")
    }

    /// Whether the cache is enough to take a text for an id: the object with this id is cached, or no object has the text
    /// as its name, and none is cached that does.
    fn is_clear(self, kind: IdForm, id: &str, policy: &CachePolicy) -> Result<bool, GatewayError> {
        let bearer = match self.gateway.reader().glance(&kind.by_name(id), policy) {
            Ok(Some(found)) => Some(found[kind.field()] != id),
            Ok(None) if kind == IdForm::Group => {
                let groups = self.gateway.reader().glance(&Request::Groups, policy)?;
                let named = |group: &Value| group["DisplayName"] == id && group["GroupId"] != id;
                groups.map(|groups| groups.as_array().is_some_and(|all| all.iter().any(named)))
            }
            Ok(None) => None,
            Err(GatewayError::NotFound { .. }) => Some(false),
            Err(error) => return Err(error),
        };
        match bearer {
            Some(is_borne) => Ok(!is_borne),
            None if !policy.live => Ok(true),
            None => Ok(matches!(
                self.gateway.reader().glance(&kind.by_id(id), policy),
                Ok(Some(_)) | Err(GatewayError::NotFound { .. })
            )),
        }
    }

    /// The id, unless another object has it as its name. A kind without a lookup by name is taken for an id.
    async fn id_or_bearer(
        self,
        kind: IdForm,
        id: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        let Ok(named) = self.gateway.reader().value(&kind.by_name(id), policy, progress).await else {
            return Ok(id.to_owned());
        };
        let bearer = id_in(&named, kind.field(), "a lookup by name")?;
        if bearer == id {
            return Ok(bearer);
        }
        match self.gateway.reader().value(&kind.by_id(id), policy, progress).await {
            Ok(owner) => Err(both(kind.word(), id, &owner, &bearer)),
            Err(GatewayError::NotFound { .. }) => Ok(bearer),
            Err(error) => Err(error),
        }
    }

    fn known_group(self, text: &str, policy: &CachePolicy) -> Result<CacheLookup, GatewayError> {
        let id = in_arn(text, "group");
        if is_directory_id(id) {
            let is_clear = id != text || self.is_clear(IdForm::Group, id, policy)?;
            return Ok(if is_clear { CacheLookup::Id(id.to_owned()) } else { CacheLookup::AskAws });
        }
        let text = id;
        // The whole list, when it is there, knows names that several groups have; a single answer does not.
        if let Some(groups) = self.gateway.reader().cached_value(&Request::Groups, policy)? {
            let mut ids = matching(&groups, "GroupId", "Description", |group| group["DisplayName"] == text);
            if !ids.is_empty() {
                return single(&mut ids, text, "group").map(CacheLookup::Id);
            }
        }
        let found = self.gateway.reader().cached_value(&Request::GroupByName(text.to_owned()), policy)?;
        Ok(found
            .and_then(|v| v["GroupId"].as_str().map(|id| CacheLookup::Id(id.to_owned())))
            .unwrap_or(CacheLookup::AskAws))
    }
}

/// The id of the account that has it; an account may have the id of another one as its name.
pub(super) fn account_called(accounts: &Value, id: &str) -> Result<String, GatewayError> {
    let all = accounts.as_array().map(Vec::as_slice).unwrap_or_default();
    let owner = all.iter().find(|account| account["Id"] == id);
    let bearers: Vec<&Value> = all.iter().filter(|account| account["Name"] == id && account["Id"] != id).collect();
    match (owner, bearers.as_slice()) {
        (_, []) => Ok(id.to_owned()),
        (None, [one]) => Ok(text(one, "Id")),
        (owner, several) => {
            let owner =
                owner.map(|owner| format!("{} (account `{}` with this id)", text(owner, "Arn"), text(owner, "Name")));
            let named = several.iter().map(|one| format!("{} (account with this name)", text(one, "Id")));
            Err(GatewayError::Ambiguous { name: id.to_owned(), choices: owner.into_iter().chain(named).collect() })
        }
    }
}

/// The two things that a text may name: the object with this id, and another one with this name.
pub(super) fn both(kind: &str, id: &str, owner: &Value, bearer: &str) -> GatewayError {
    let field = |name: &str| owner[name].as_str().filter(|text| !text.is_empty());
    let arn = field("UserArn").or_else(|| field("GroupArn"));
    let arn = arn.map_or_else(|| format!("arn:aws:identitystore:::{kind}/{id}"), str::to_owned);
    let name = field("UserName").or_else(|| field("DisplayName")).map(|name| format!(" `{name}`")).unwrap_or_default();
    GatewayError::Ambiguous {
        name: id.to_owned(),
        choices: vec![format!("{arn} ({kind}{name} with this id)"), format!("{bearer} ({kind} with this name)")],
    }
}

/// Ids of the items that `is` picks, each with what distinguishes it.
pub(super) fn matching(items: &Value, id: &str, label: &str, is: impl Fn(&Value) -> bool) -> Vec<(String, String)> {
    let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items.iter().filter(|item| is(item)).map(|item| (text(item, id), text(item, label))).collect()
}

/// The users that have this e-mail address.
fn with_address(users: &Value, address: &str) -> Vec<(String, String)> {
    matching(users, "UserId", "UserName", |user| {
        user["Emails"].as_array().is_some_and(|all| {
            all.iter().any(|email| email["Value"].as_str().is_some_and(|value| value.eq_ignore_ascii_case(address)))
        })
    })
}

pub(super) fn single(found: &mut Vec<(String, String)>, name: &str, what: &str) -> Result<String, GatewayError> {
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
        assert_eq!(in_arn("arn:aws:identitystore:::user/u-1", "user"), "u-1");
        assert_eq!(in_arn("arn:aws:organizations::1:account/o-1/012345678901", "account"), "012345678901");
        assert_eq!(in_arn("arn:aws:identitystore:::group/g-1", "user"), "arn:aws:identitystore:::group/g-1");
        assert_eq!(in_arn("user/x", "user"), "user/x");
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

    #[test]
    fn an_account_named_like_the_id_of_another_one_is_ambiguous() {
        let account = |id: &str, name: &str| serde_json::json!({"Id": id, "Name": name, "Arn": format!("arn:aws:organizations::1:account/o-1/{id}")});
        let (one, other) = ("111111111111", "222222222222");
        let accounts = Value::Array(vec![account(one, "prod"), account(other, one)]);
        let Err(GatewayError::Ambiguous { choices, .. }) = account_called(&accounts, one) else { panic!("ambiguous") };
        assert!(choices[0].contains("account/o-1/111111111111") && choices[1].contains(other), "{choices:?}");
        assert_eq!(account_called(&accounts, other).unwrap(), other);
        let alone = Value::Array(vec![account(other, one)]);
        assert_eq!(account_called(&alone, one).unwrap(), other, "no account has that id");
    }
}

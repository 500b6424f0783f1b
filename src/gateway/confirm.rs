//! Resolves the name or id that a user typed to an object, and confirms it with AWS before a change.
//!
//! Guarantee: AWS has confirmed that the object with the id has the name. If the cache is out of date, it reads from AWS
//! once. An id or ARN needs no lookup by name.

use super::api::GetCall;
use super::api::InstanceTarget;
use super::api::ListCall;
use super::api::PrincipalKind;
use super::core::CachePolicy;
use super::core::Gateway;
use super::error::GatewayError;
use super::mutation::Mutation;
use super::request::Request;
use super::resolve::is_account_id;
use super::resolve::is_arn;
use super::resolve::is_directory_id;
use crate::gateway::before_image;
use crate::gateway::fetch::PARALLEL;
use crate::gateway::paginate::all;
use crate::gateway::resolve::account_called;
use crate::gateway::resolve::both;
use crate::gateway::resolve::in_arn;
use crate::progress::Progress;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

/// At most this many accounts are described one by one: as many as one page of the list has.
const ONE_BY_ONE: usize = 20;

/// The kinds of objects that a change can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// A person: id, ARN, user name or e-mail address.
    User,
    /// A group: id, ARN or display name.
    Group,
    /// A permission set: ARN, its last part, or name.
    PermissionSet,
    /// An account: id, ARN, name or e-mail address.
    Account,
}

/// An object as AWS describes it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// Its id or ARN.
    pub id: String,
    /// Its name; the id where it has none.
    pub name: String,
    /// The whole object; null if it is deleted and only its id is known.
    pub found: Value,
}

impl Confirmed {
    /// An object of which only the id is known.
    pub fn by_id(id: &str) -> Confirmed {
        Confirmed { id: id.to_owned(), name: id.to_owned(), found: Value::Null }
    }

    /// Name and id for messages, as in `alice (9067...)`, or the id alone.
    pub fn words(&self) -> String {
        if self.name == self.id { self.id.clone() } else { format!("`{}` ({})", self.name, self.id) }
    }
}

impl Confirmed {
    /// Why an account cannot be changed (`suspended`); `None` for an active one, and for anything else.
    pub fn inactive(&self) -> Option<String> {
        match state(&self.found) {
            "" | "ACTIVE" => None,
            state => Some(state.to_lowercase().replace('_', " ")),
        }
    }

    /// The same for an account that is known not to be active.
    pub fn inactive_words(&self) -> String {
        self.inactive().unwrap_or_else(|| "not active".to_owned())
    }
}

impl From<PrincipalKind> for ResourceKind {
    fn from(kind: PrincipalKind) -> ResourceKind {
        match kind {
            PrincipalKind::User => ResourceKind::User,
            PrincipalKind::Group => ResourceKind::Group,
        }
    }
}

impl ResourceKind {
    fn words(self) -> &'static str {
        match self {
            ResourceKind::User => "user",
            ResourceKind::Group => "group",
            ResourceKind::PermissionSet => "permission set",
            ResourceKind::Account => "account",
        }
    }

    /// The id, if the text is an id or contains one.
    fn id_in(self, text: &str) -> Option<&str> {
        match self {
            ResourceKind::User => Some(in_arn(text, "user")).filter(|id| is_directory_id(id)),
            ResourceKind::Group => Some(in_arn(text, "group")).filter(|id| is_directory_id(id)),
            ResourceKind::PermissionSet => Some(text).filter(|text| is_arn(text)),
            ResourceKind::Account => Some(in_arn(text, "account")).filter(|id| is_account_id(id)),
        }
    }

    fn single(self, id: &str) -> GetCall {
        let id = id.to_owned();
        match self {
            ResourceKind::User => GetCall::User(id),
            ResourceKind::Group => GetCall::Group(id),
            ResourceKind::PermissionSet => GetCall::PermissionSet(id),
            ResourceKind::Account => GetCall::Account(id),
        }
    }

    fn name_field(self) -> &'static str {
        match self {
            ResourceKind::User => "UserName",
            ResourceKind::Group => "DisplayName",
            ResourceKind::PermissionSet | ResourceKind::Account => "Name",
        }
    }

    fn name_of(self, found: &Value) -> Option<&str> {
        found[self.name_field()].as_str().filter(|name| !name.is_empty())
    }

    /// Whether the object that AWS describes has this name.
    fn is_called(self, found: &Value, text: &str) -> bool {
        let is = |value: &Value| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text));
        let named = self.name_of(found);
        match self {
            ResourceKind::User => {
                let mut addresses = found["Emails"].as_array().into_iter().flatten();
                named.is_some_and(|name| same(name, text)) || addresses.any(|email| is(&email["Value"]))
            }
            ResourceKind::Group => named.is_some_and(|name| same(name, text)),
            ResourceKind::PermissionSet => {
                let last = found["PermissionSetArn"].as_str().and_then(|arn| arn.rsplit('/').next());
                named == Some(text) || last == Some(text)
            }
            ResourceKind::Account => named == Some(text) || is(&found["Email"]),
        }
    }
}

/// `State` took the place of `Status` in 2026; answers carry one or both.
pub(super) fn state(account: &Value) -> &str {
    let field = |name: &str| account[name].as_str().filter(|text| !text.is_empty());
    field("State").or_else(|| field("Status")).unwrap_or_default()
}

/// Names of users and groups in AWS are case-insensitive.
fn same(name: &str, text: &str) -> bool {
    name.to_lowercase() == text.to_lowercase()
}

/// Names for changes, confirmed by AWS.
#[derive(Clone, Copy)]
pub struct Confirmer<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Names for changes, confirmed by AWS.
    pub fn confirmer(&self) -> Confirmer<'_> {
        Confirmer { gateway: self }
    }
}

impl Confirmer<'_> {
    /// The object with this id or name, confirmed by AWS.
    pub async fn certain(
        self,
        noun: ResourceKind,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Confirmed, GatewayError> {
        if let Some(id) = noun.id_in(text) {
            let found = self.ask(&noun.single(id)).await;
            let bearer = if id == text { self.bearer(noun, id, policy, progress).await? } else { None };
            return match (found, bearer) {
                (Ok(found), None) => Ok(certain(noun, id.to_owned(), found)),
                (Ok(owner), Some(bearer)) => Err(both(noun.words(), id, &owner, &bearer)),
                (Err(GatewayError::NotFound { .. }), Some(bearer)) => {
                    let found = self.ask(&noun.single(&bearer)).await?;
                    Ok(certain(noun, bearer, found))
                }
                (Err(error), _) => Err(error),
            };
        }
        let refresh = CachePolicy { read: false, ..*policy };
        for policy in [policy, &refresh] {
            let id = match self.id_of(noun, text, policy, progress).await {
                // The cache may be out of date.
                Err(GatewayError::NotFound { .. } | GatewayError::Ambiguous { .. }) if policy.read => continue,
                id => id?,
            };
            match self.ask(&noun.single(&id)).await {
                Ok(found) if noun.is_called(&found, text) => return Ok(certain(noun, id, found)),
                Ok(_) | Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(GatewayError::NotFound { what: format!("{} `{text}`", noun.words()) })
    }

    /// The id of another object that has this id as its name. Reads from AWS, for accounts their list.
    async fn bearer(
        self,
        noun: ResourceKind,
        id: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Option<String>, GatewayError> {
        let (single, field) = match noun {
            ResourceKind::User => (GetCall::UserIdByName(id.to_owned()), "UserId"),
            ResourceKind::Group => (GetCall::GroupIdByName(id.to_owned()), "GroupId"),
            ResourceKind::PermissionSet => return Ok(None),
            ResourceKind::Account => {
                return match self.gateway.reader().value(&Request::Accounts, policy, progress).await {
                    Ok(accounts) => account_called(&accounts, id).map(|called| (called != id).then_some(called)),
                    // A delegated administrator may not list accounts.
                    Err(GatewayError::AccessDenied { .. } | GatewayError::Refused { .. }) => Ok(None),
                    Err(error) => Err(error),
                };
            }
        };
        match self.ask(&single).await {
            Ok(found) => Ok(found[field].as_str().filter(|bearer| *bearer != id).map(str::to_owned)),
            Err(GatewayError::NotFound { .. } | GatewayError::AccessDenied { .. } | GatewayError::Refused { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The user or group behind an id or a name, confirmed by AWS. Without a kind both are looked for, and a name that
    /// both have is ambiguous.
    pub async fn certain_principal(
        self,
        text: &str,
        kind: Option<PrincipalKind>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<(PrincipalKind, Confirmed), GatewayError> {
        let refresh = CachePolicy { read: false, ..*policy };
        let (kind, name) = match (kind, text.strip_prefix("user:"), text.strip_prefix("group:")) {
            (Some(kind), ..) => (kind, text),
            (None, Some(name), _) => (PrincipalKind::User, name),
            (None, None, Some(name)) => (PrincipalKind::Group, name),
            (None, None, None) => match self.gateway.resolver().principal(text, policy, progress).await {
                Err(GatewayError::NotFound { .. } | GatewayError::Ambiguous { .. }) if policy.read => {
                    (self.gateway.resolver().principal(text, &refresh, progress).await?.kind, text)
                }
                found => (found?.kind, text),
            },
        };
        Ok((kind, self.certain(kind.into(), name, policy, progress).await?))
    }

    /// Reads the confirmed objects from AWS again. A renamed or deleted object is an error.
    pub async fn confirm(self, named: &[(ResourceKind, Confirmed)]) -> Result<(), GatewayError> {
        let accounts = named.iter().filter(|(noun, _)| *noun == ResourceKind::Account).count();
        let listed = if accounts > ONE_BY_ONE { Some(self.ask_all(ListCall::Accounts).await?) } else { None };
        let is_known = |(_, certain): &&(ResourceKind, Confirmed)| !certain.found.is_null();
        let answers = stream::iter(named.iter().filter(is_known)).map(|(noun, certain)| {
            let listed = listed.as_ref().filter(|_| *noun == ResourceKind::Account);
            async move {
                let now = match listed.and_then(|all| all.iter().find(|account| account["Id"] == *certain.id)) {
                    Some(account) => account.clone(),
                    None => self.ask(&noun.single(&certain.id)).await?,
                };
                let (before, after) = (noun.name_of(&certain.found), noun.name_of(&now));
                if before == after {
                    return Ok(());
                }
                let shown = |name: Option<&str>| name.map_or("absent".to_owned(), |name| format!("`{name}`"));
                let (before, after) = (shown(before), shown(after));
                Err(GatewayError::ChangedMeanwhile {
                    what: format!("{} {}", noun.words(), certain.id),
                    differences: vec![format!("{} was {before} and is now {after}", noun.name_field())],
                })
            }
        });
        answers.buffered(PARALLEL).try_collect().await
    }

    /// Accounts by id, as AWS describes them now; one that cannot be read is known by its id alone.
    pub async fn accounts(self, ids: &[String]) -> Vec<Confirmed> {
        let listed = if ids.len() > ONE_BY_ONE { self.ask_all(ListCall::Accounts).await.ok() } else { None };
        let found = stream::iter(ids).map(|id| {
            let known = listed.as_ref().and_then(|all| all.iter().find(|account| account["Id"] == **id)).cloned();
            async move {
                let found = match known {
                    Some(account) => Ok(account),
                    None => self.ask(&GetCall::Account(id.clone())).await,
                };
                found.map_or_else(|_| Confirmed::by_id(id), |found| certain(ResourceKind::Account, id.clone(), found))
            }
        });
        found.buffered(PARALLEL).collect().await
    }

    /// Reads one object from AWS, bypassing the cache.
    pub async fn ask(self, single: &GetCall) -> Result<Value, GatewayError> {
        self.gateway.source().fetch(Some(&self.target().await?), single).await
    }

    /// Reads a short listing from AWS, bypassing the cache.
    pub async fn ask_all(self, listing: ListCall) -> Result<Vec<Value>, GatewayError> {
        all(self.gateway.source(), &self.target().await?, listing).await
    }

    /// What is there now of what a change is about, as the journal keeps it: what goes with a user, a group or a
    /// permission set. Null is what this login may not see.
    pub async fn what_goes(self, change: &Mutation) -> Result<Value, GatewayError> {
        Ok(before_image::read(self.gateway.source(), &self.target().await?, change).await?.before)
    }

    async fn target(self) -> Result<InstanceTarget, GatewayError> {
        let space = self.gateway.space(&CachePolicy::default()).await?;
        Ok(InstanceTarget::of(space))
    }

    async fn id_of(
        self,
        noun: ResourceKind,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        match noun {
            ResourceKind::User => self.gateway.resolver().user_id(text, policy, progress).await,
            ResourceKind::Group => self.gateway.resolver().group_id(text, policy, progress).await,
            ResourceKind::PermissionSet => self.gateway.resolver().permission_set_arn(text, policy, progress).await,
            ResourceKind::Account => self.gateway.resolver().account_id(text, policy, progress).await,
        }
    }
}

fn certain(noun: ResourceKind, id: String, found: Value) -> Confirmed {
    let name = noun.name_of(&found).unwrap_or(&id).to_owned();
    Confirmed { id, name, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thing_answers_to_its_names_and_to_no_other() {
        let user = json!({"UserName": "Ada", "Emails": [{"Value": "ada@example.com"}]});
        for text in ["ada", "ADA", "Ada@Example.com"] {
            assert!(ResourceKind::User.is_called(&user, text), "{text}");
        }
        assert!(!ResourceKind::User.is_called(&user, "ad") && !ResourceKind::User.is_called(&json!({}), ""));
        let set = json!({"Name": "Admin", "PermissionSetArn": "arn:aws:sso:::permissionSet/ssoins-1/ps-1"});
        assert!(
            ResourceKind::PermissionSet.is_called(&set, "Admin") && ResourceKind::PermissionSet.is_called(&set, "ps-1")
        );
        assert!(
            !ResourceKind::PermissionSet.is_called(&set, "admin"),
            "names of permission sets are distinguished by case"
        );
        let account = json!({"Name": "prod", "Email": "prod@example.com"});
        assert!(
            ResourceKind::Account.is_called(&account, "prod")
                && ResourceKind::Account.is_called(&account, "PROD@example.com")
        );
        assert!(!ResourceKind::Account.is_called(&account, "Prod"));
    }

    #[test]
    fn an_id_is_told_from_a_name() {
        assert_eq!(
            ResourceKind::Account.id_in("arn:aws:organizations::1:account/o-1/012345678901"),
            Some("012345678901")
        );
        assert_eq!(ResourceKind::Account.id_in("prod"), None);
        assert_eq!(ResourceKind::PermissionSet.id_in("Admin"), None);
        assert!(ResourceKind::User.id_in("12345678-90ab-cdef-1234-567890abcdef").is_some());
        assert_eq!(certain(ResourceKind::Group, "g-1".into(), json!({})).words(), "g-1");
        assert_eq!(certain(ResourceKind::Group, "g-1".into(), json!({"DisplayName": "ops"})).words(), "`ops` (g-1)");
    }
}

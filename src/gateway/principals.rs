//! Users and groups together: whom a text means, and who the ids of assignments and memberships are.
//!
//! A name that both a user and a group have is never guessed; a deleted one is distinguished from an unreadable
//! one.

use super::api::PrincipalKind;
use super::error::GatewayError;
use super::request::Request;
use super::spool::each;
use crate::gateway::core::CachePolicy;
use crate::gateway::resolve::Resolver;
use crate::gateway::resolve::in_arn;
use crate::gateway::resolve::is_directory_id;
use crate::progress::Progress;
use crate::progress::TargetFailure;
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

/// The known users and groups.
#[derive(Debug, Clone)]
pub struct KnownPrincipals<T> {
    /// What was taken from their descriptions, by id.
    pub found: HashMap<(PrincipalKind, String), T>,
    /// Those that the directory does not have any more.
    pub gone: HashSet<(PrincipalKind, String)>,
    /// Why others are neither, one for each kind.
    pub failures: Vec<TargetFailure>,
}

impl<T> Default for KnownPrincipals<T> {
    fn default() -> KnownPrincipals<T> {
        KnownPrincipals { found: HashMap::new(), gone: HashSet::new(), failures: Vec::new() }
    }
}

/// Up to so many principals are described one by one; a list of a hundred costs one call.
const ONE_BY_ONE: usize = 20;

impl Resolver<'_> {
    /// The user or group behind an id or a name. A name that both a user and a group have is ambiguous; `user:NAME`
    /// and `group:NAME` say which is meant.
    pub async fn principal(
        self,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Principal, GatewayError> {
        let text = match (in_arn(text, "user"), in_arn(text, "group")) {
            // An ARN always means the id.
            (id, _) if id != text => &format!("user:{text}"),
            (_, id) if id != text => &format!("group:{text}"),
            _ => text,
        };
        if let Some(name) = text.strip_prefix("user:") {
            return Ok(Principal { kind: PrincipalKind::User, id: self.user_id(name, policy, progress).await? });
        }
        if let Some(name) = text.strip_prefix("group:") {
            return Ok(Principal { kind: PrincipalKind::Group, id: self.group_id(name, policy, progress).await? });
        }
        let (mut user, mut group) =
            (self.user_id(text, policy, progress).await, self.group_id(text, policy, progress).await);
        if is_directory_id(text) {
            // A text in the form of an id is no proof that the object exists.
            if user.as_deref().is_ok_and(|id| id == text) {
                user = self
                    .gateway
                    .reader()
                    .value(&Request::User(text.to_owned()), policy, progress)
                    .await
                    .map(|_| text.to_owned());
            }
            if group.as_deref().is_ok_and(|id| id == text) {
                group = self
                    .gateway
                    .reader()
                    .value(&Request::Group(text.to_owned()), policy, progress)
                    .await
                    .map(|_| text.to_owned());
            }
        }
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

    /// What `take` takes from the descriptions of users and groups, by id: of those that the cache knows, then of the
    /// others one by one when they are few, or from their whole lists when they are many. Without calls to AWS, one
    /// that the cache does not have is in no part of the answer.
    pub async fn describe_principals<T: Send>(
        self,
        ids: HashSet<(PrincipalKind, String)>,
        take: impl Fn(&Value) -> T + Sync,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<KnownPrincipals<T>, GatewayError> {
        let mut known = KnownPrincipals::default();
        let mut unknown: HashMap<PrincipalKind, Vec<String>> = HashMap::new();
        for (kind, id) in ids {
            match self.gateway.reader().cached_value(&describe(kind, &id), policy) {
                Ok(Some(value)) => {
                    known.found.insert((kind, id), take(&value));
                }
                Ok(None) => unknown.entry(kind).or_default().push(id),
                Err(GatewayError::NotFound { .. }) => {
                    known.gone.insert((kind, id));
                }
                Err(error) => return Err(error),
            }
        }
        if !policy.live {
            return Ok(known);
        }
        for (kind, mut ids) in unknown {
            ids.sort_unstable();
            let (count, s) = (ids.len(), if ids.len() == 1 { "" } else { "s" });
            match self.describe_unknown(kind, ids, &take, &mut known, policy, progress).await {
                Err(error) if !error.ends_everything() || matches!(error, GatewayError::Budget { .. }) => {
                    let target = format!("the names of {count} {}{s}", kind.as_str().to_ascii_lowercase());
                    known.failures.push(error.of_target(target));
                }
                described => described?,
            }
        }
        Ok(known)
    }

    /// Asks AWS for those of one kind that the cache does not know.
    async fn describe_unknown<T: Send>(
        self,
        kind: PrincipalKind,
        ids: Vec<String>,
        take: &(impl Fn(&Value) -> T + Sync),
        known: &mut KnownPrincipals<T>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        if ids.len() <= ONE_BY_ONE {
            for id in ids {
                match absent(self.gateway.reader().value(&describe(kind, &id), policy, progress).await)? {
                    Some(value) => _ = known.found.insert((kind, id), take(&value)),
                    None => _ = known.gone.insert((kind, id)),
                }
            }
            return Ok(());
        }
        let (request, field) = match kind {
            PrincipalKind::User => (Request::Users, "UserId"),
            PrincipalKind::Group => (Request::Groups, "GroupId"),
        };
        let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let mut found = HashMap::new();
        self.gateway
            .reader()
            .read(&request, policy, progress, &mut |_, body| {
                each(body, &mut |item| {
                    if let Some(id) = item[field].as_str().filter(|id| wanted.contains(id)) {
                        found.insert((kind, id.to_owned()), take(&item));
                    }
                    Ok(())
                })
            })
            .await?;
        known.gone.extend(ids.into_iter().map(|id| (kind, id)).filter(|id| !found.contains_key(id)));
        known.found.extend(found);
        Ok(())
    }
}

fn describe(kind: PrincipalKind, id: &str) -> Request {
    match kind {
        PrincipalKind::User => Request::User(id.to_owned()),
        PrincipalKind::Group => Request::Group(id.to_owned()),
    }
}

fn absent<T>(result: Result<T, GatewayError>) -> Result<Option<T>, GatewayError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(GatewayError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

//! What changes look up live on the way: a membership, the accounts of a unit, tags, how an accepted change goes on.
//!
//! Neighbours: the commands that change ask; nothing of it is cached, since it decides about what is changed. Promise: an
//! answer is whole or an error.

use super::fetch::{PARALLEL, text};
use super::walk::all;
use super::{Gateway, GatewayError, Listing, Pending, Policy, Single, Target};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

impl Gateway {
    async fn target(&self) -> Result<Target, GatewayError> {
        let space = self.space(&Policy::default()).await?;
        Ok(Target { instance: space.instance.clone(), identity_store: space.identity_store.clone() })
    }

    /// The membership of a user in a group, `{MembershipId}`; `None` when there is none.
    pub async fn membership(&self, group: &str, user: &str) -> Result<Option<Value>, GatewayError> {
        let single = Single::MembershipId { group: group.to_owned(), user: user.to_owned() };
        match self.source().fetch(Some(&self.target().await?), &single).await {
            Ok(found) => Ok(Some(found)),
            Err(GatewayError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ids of the accounts that stand directly in these roots or units.
    pub async fn accounts_in(&self, parents: Vec<String>) -> Result<Vec<String>, GatewayError> {
        let target = &self.target().await?;
        let found: Vec<Vec<Value>> = stream::iter(parents)
            .map(|parent| all(self.source(), target, Listing::AccountsForParent(parent)))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.iter().flatten().map(|account| text(account, "Id")).collect())
    }

    /// Those of the accounts that bear all of these tags.
    pub async fn tagged(&self, accounts: Vec<String>, tags: &[(String, String)]) -> Result<Vec<String>, GatewayError> {
        let target = &self.target().await?;
        let found: Vec<Option<String>> = stream::iter(accounts)
            .map(|account| async move {
                let has = all(self.source(), target, Listing::AccountTags(account.clone())).await?;
                let bears = |(key, value): &(String, String)| {
                    has.iter().any(|tag| tag["Key"] == key.as_str() && tag["Value"] == value.as_str())
                };
                Ok::<_, GatewayError>(tags.iter().all(bears).then_some(account))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// How an accepted change goes on, of whatever kind it is.
    pub async fn status(&self, request_id: &str) -> Result<(Pending, Value), GatewayError> {
        let target = self.target().await?;
        for pending in [Pending::Creation, Pending::Deletion, Pending::Provisioning] {
            match self.source().fetch(Some(&target), &Single::Status(pending, request_id.to_owned())).await {
                Ok(found) => return Ok((pending, found)),
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(GatewayError::NotFound { what: format!("request {request_id}") })
    }
}

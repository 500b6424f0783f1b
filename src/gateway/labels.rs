//! The names of permission sets and accounts: those of the ids in an answer, and the one permission set that a name means.
//!
//! A question about one thing reads that thing: AWS lists permission sets as bare ARNs, so that all their names cost one
//! call each.

use super::api::{InstanceTarget, ListCall};
use super::error::GatewayError;
use super::fetch::{text, texts};
use super::request::Request;
use super::spool::each;
use crate::cache::{Provenance, ReadOptions};
use crate::gateway::core::CachePolicy;
use crate::gateway::lookup::Note;
use crate::gateway::paginate::Pages;
use crate::gateway::resolve::Resolver;
use crate::gateway::resolve::is_arn;
use crate::gateway::resolve::matching;
use crate::gateway::resolve::single;
use crate::progress::Progress;
use crate::progress::TargetFailure;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// At most this many accounts are described one by one; a page of their list has 20.
const ACCOUNTS_ONE_BY_ONE: usize = 5;
/// Concurrent describes: a search stops at the hit, and the calls in progress then are wasted.
const SEARCHING: usize = 8;
/// A search prints a notice after this many permission sets.
const LONG_SEARCH: usize = 200;

/// Names by id.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// Those that are known.
    pub names: HashMap<String, String>,
    /// Why others are not.
    pub failure: Option<TargetFailure>,
}

/// Whether a text has the form of the last part of a permission set's ARN.
fn is_set_id(text: &str) -> bool {
    text.strip_prefix("ps-").is_some_and(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The ARN of the one permission set in a list that has this name, or an ARN that ends with it.
fn permission_set_called(sets: &Value, text: &str) -> Result<String, GatewayError> {
    let mut arns = matching(sets, "PermissionSetArn", "Name", |set| {
        set["Name"] == text || set["PermissionSetArn"].as_str().and_then(|arn| arn.rsplit('/').next()) == Some(text)
    });
    single(&mut arns, text, "permission set")
}

impl Resolver<'_> {
    /// The ARN behind a permission set's ARN, its last part (`ps-...`) or its name.
    pub async fn permission_set_arn(
        self,
        text: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<String, GatewayError> {
        if is_arn(text) {
            return Ok(text.to_owned());
        }
        if let Some(arn) = self.listed_permission_set(text, policy)? {
            return Ok(arn);
        }
        let space = self.gateway.space(policy).await?;
        // Which instance it is may be known only now.
        if let Some(arn) = self.listed_permission_set(text, policy)? {
            return Ok(arn);
        }
        if !policy.live {
            return Err(GatewayError::NotCached { key: Request::PermissionSets.key().to_string() });
        }
        if is_set_id(text) {
            // Another permission set may have this id as its name: only all names can show that.
            let sets = self.gateway.reader().value(&Request::PermissionSets, policy, progress).await?;
            return permission_set_called(&sets, text);
        }
        let target = InstanceTarget::of(space);
        let (mut pages, mut described) = (Pages::new(ListCall::PermissionSets), 0);
        while let Some(page) = pages.next(self.gateway.source(), Some(&target)).await? {
            let (mut unknown, mut found) = (Vec::new(), None);
            for arn in texts(page) {
                match self.gateway.reader().cached_value(&Request::PermissionSet(arn.clone()), policy) {
                    Ok(Some(set)) if set["Name"] == text => found = Some(arn),
                    Ok(Some(_)) | Err(GatewayError::NotFound { .. }) => {}
                    _ if arn.rsplit('/').next() == Some(text) => found = Some(arn),
                    Ok(None) => unknown.push(arn),
                    Err(error) => return Err(error),
                }
            }
            if let Some(arn) = found {
                return Ok(arn);
            }
            described += unknown.len();
            if let Some(arn) = self.described_permission_set(text, unknown, policy, progress).await? {
                return Ok(arn);
            }
            if described >= LONG_SEARCH && !pages.is_done() {
                progress.notice(&format!(
                    "no match for `{text}` after reading {described} permission sets; `awsideman cache warm \
                     permission-sets` fetches their names ahead of time"
                ));
            }
        }
        Err(GatewayError::NotFound { what: format!("permission set `{text}`") })
    }

    /// The ARN in the list that is held; `None` when no list is held, an error when the list does not have it.
    fn listed_permission_set(self, text: &str, policy: &CachePolicy) -> Result<Option<String>, GatewayError> {
        let Some(sets) = self.gateway.reader().cached_value(&Request::PermissionSets, policy)? else { return Ok(None) };
        permission_set_called(&sets, text).map(Some)
    }

    /// Describes permission sets until one has the name.
    async fn described_permission_set(
        self,
        name: &str,
        arns: Vec<String>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Option<String>, GatewayError> {
        let mut described = stream::iter(arns)
            .map(|arn| async move {
                let set = self.gateway.reader().live(&Request::PermissionSet(arn.clone()), policy, progress).await;
                (arn, set)
            })
            .buffer_unordered(SEARCHING);
        while let Some((arn, set)) = described.next().await {
            match set {
                Ok(mut set) => {
                    if set.value()?["Name"] == name {
                        return Ok(Some(arn));
                    }
                }
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The names of these permission sets: from their list where it is held, else each described.
    pub async fn permission_set_names(
        self,
        arns: HashSet<String>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Labels, GatewayError> {
        let mut labels = Labels::default();
        self.held_labels(&Request::PermissionSets, ("PermissionSetArn", "Name"), &arns, &mut labels, policy)?;
        let requests = arns.into_iter().map(|arn| (Request::PermissionSet(arn.clone()), arn)).collect();
        self.describe_labels(requests, "permission sets", &mut labels, policy, progress).await?;
        Ok(labels)
    }

    /// The names of these accounts: as far as they are held, then each described when they are few, else from the list.
    pub async fn account_names(
        self,
        ids: HashSet<String>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Labels, GatewayError> {
        let mut labels = Labels::default();
        self.held_labels(&Request::Accounts, ("Id", "Name"), &ids, &mut labels, policy)?;
        let unknown = ids.iter().filter(|id| !labels.names.contains_key(*id)).count();
        if unknown > ACCOUNTS_ONE_BY_ONE && policy.live {
            let names = &mut labels.names;
            let mut show = |_: &Provenance, body: &mut dyn Read| {
                each(body, &mut |item| {
                    take_label(&item, ("Id", "Name"), &ids, names);
                    Ok(())
                })
            };
            return match self.gateway.reader().read(&Request::Accounts, policy, progress, &mut show).await {
                Ok(_) => Ok(labels),
                Err(error) => labels.without("accounts", unknown, error),
            };
        }
        let requests = ids.into_iter().map(|id| (Request::Account(id.clone()), id)).collect();
        self.describe_labels(requests, "accounts", &mut labels, policy, progress).await?;
        Ok(labels)
    }

    /// Takes labels from a list that may answer.
    fn held_labels(
        self,
        list: &Request,
        fields: (&str, &str),
        wanted: &HashSet<String>,
        labels: &mut Labels,
        policy: &CachePolicy,
    ) -> Result<(), GatewayError> {
        let Some(space) = self.gateway.remembered().filter(|_| policy.read) else { return Ok(()) };
        let names = &mut labels.names;
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        // A list that is not held is no miss of this read: single answers take its place.
        self.gateway
            .reader()
            .look(list, &space.text(), accept, Note::Hits, &mut |_, body| {
                each(body, &mut |item| {
                    take_label(&item, fields, wanted, names);
                    Ok(())
                })
            })
            .map(drop)
    }

    /// Adds labels from single descriptions to those without one.
    async fn describe_labels(
        self,
        requests: Vec<(Request, String)>,
        what: &str,
        labels: &mut Labels,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<(), GatewayError> {
        let mut unknown = Vec::new();
        for (request, id) in requests {
            if labels.names.contains_key(&id) {
                continue;
            }
            match self.gateway.reader().cached_value(&request, policy) {
                Ok(Some(found)) => _ = labels.names.insert(id, text(&found, "Name")),
                Ok(None) => unknown.push((request, id)),
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if !policy.live || unknown.is_empty() {
            return Ok(());
        }
        unknown.sort_unstable_by(|(_, one), (_, other)| one.cmp(other));
        let mut left = unknown.len();
        let mut answers = stream::iter(unknown)
            .map(|(request, id)| async move {
                let found = self.gateway.reader().value(&request, policy, progress).await;
                (id, found)
            })
            .buffer_unordered(SEARCHING);
        while let Some((id, found)) = answers.next().await {
            match found {
                Ok(found) => _ = labels.names.insert(id, text(&found, "Name")),
                Err(GatewayError::NotFound { .. }) => {}
                // AWS refuses this for all if it refuses it for one.
                Err(error) => {
                    drop(answers);
                    *labels = std::mem::take(labels).without(what, left, error)?;
                    return Ok(());
                }
            }
            left -= 1;
        }
        Ok(())
    }
}

impl Labels {
    /// The same without some names, and why; an error when nothing else can be read either.
    fn without(self, what: &str, count: usize, error: GatewayError) -> Result<Labels, GatewayError> {
        if error.ends_everything() && !matches!(error, GatewayError::Budget { .. }) {
            return Err(error);
        }
        let what = if count == 1 { what.trim_end_matches('s') } else { what };
        let target = format!("the names of {count} {what}");
        Ok(Labels { failure: Some(error.of_target(target)), ..self })
    }
}

fn take_label(item: &Value, (id, name): (&str, &str), wanted: &HashSet<String>, into: &mut HashMap<String, String>) {
    let id = text(item, id);
    if wanted.contains(&id) {
        into.insert(id, text(item, name));
    }
}

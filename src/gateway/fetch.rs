//! Answers from AWS: each request as the calls it takes.
//!
//! An answer is whole or an error; what a list brings along (every describe, every name) is stored in small batches
//! while it is walked.

use super::api::{GetCall, IdentityCenterApi, InstanceTarget, ListCall};
use super::core::Gateway;
use super::error::GatewayError;
use super::request::Request;
use super::spool::Spool;
use crate::cache::{Fresh, ReadOptions, Ticket};
use crate::gateway::lookup::Note;
use crate::gateway::paginate::Pages;
use crate::gateway::paginate::all;
use crate::model::Namespace;
use crate::progress::Progress;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::time::Duration;

/// So many bytes of what a page brings along are stored in one step; an ordinary page has far less.
const BROUGHT_BYTES: usize = 4 * 1024 * 1024;
/// Calls of one walk that are in progress at a time. The pace decides how fast they go: these are only so many that it is the
/// quota and not the latency that holds them up, at 200 calls a second still with 150 ms for each.
pub(super) const PARALLEL: usize = 32;

/// Where a fetch is and what it may store.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) space: &'a Namespace,
    pub(super) text: &'a str,
    pub(super) ticket: Ticket,
    pub(super) progress: &'a dyn Progress,
    /// Whether recent descriptions need no new call: an interrupted read continues.
    pub(super) continues: bool,
}

/// The maximum age of a description that a read continues with.
const A_MOMENT: Duration = Duration::from_mins(10);

/// Asks AWS, and stores the answers.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Fetcher<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Asks AWS, and stores the answers.
    pub(in crate::gateway) fn fetcher(&self) -> Fetcher<'_> {
        Fetcher { gateway: self }
    }
}

impl Fetcher<'_> {
    /// Asks AWS; the answer is not stored yet, but what it brings along is.
    pub(super) async fn fetch(self, request: &Request, errand: Errand<'_>) -> Result<Spool, GatewayError> {
        let space = errand.space;
        let target = InstanceTarget::of(space);
        let target = &target;
        let source = self.gateway.source();
        match request {
            Request::Users => self.list(ObjectList::Users, target, errand).await,
            Request::Groups => self.list(ObjectList::Groups, target, errand).await,
            Request::Accounts => self.list(ObjectList::Accounts, target, errand).await,
            Request::UserGroups(id) => self.plain(ListCall::MembershipsForMember(id.clone()), target).await,
            Request::GroupMembers(id) => self.plain(ListCall::GroupMemberships(id.clone()), target).await,
            Request::PermissionSetAccounts(arn) => self.plain(ListCall::ProvisionedAccounts(arn.clone()), target).await,
            Request::AccountPermissionSets(account) => {
                self.plain(ListCall::ProvisionedPermissionSets(account.clone()), target).await
            }
            Request::Assignments { account, permission_set } => {
                let (account, permission_set) = (account.clone(), permission_set.clone());
                self.plain(ListCall::Assignments { account, permission_set }, target).await
            }
            Request::PrincipalAssignments { kind, id } => {
                self.plain(ListCall::AssignmentsForPrincipal { kind: *kind, id: id.clone() }, target).await
            }
            Request::User(id) => one(source, target, GetCall::User(id.clone()), request).await,
            Request::UserByName(name) => one(source, target, GetCall::UserIdByName(name.clone()), request).await,
            Request::Group(id) => one(source, target, GetCall::Group(id.clone()), request).await,
            Request::GroupByName(name) => one(source, target, GetCall::GroupIdByName(name.clone()), request).await,
            Request::Account(id) => one(source, target, GetCall::Account(id.clone()), request).await,
            Request::PermissionSet(arn) => one(source, target, GetCall::PermissionSet(arn.clone()), request).await,
            Request::PermissionSets => self.permission_sets(target, errand).await,
            Request::PermissionSetPolicies(arn) => policies(source, target, arn, request.subject()).await,
            Request::Ous => self.organizational_units(target).await,
        }
    }

    /// A list whose items are whole objects: they are stored one by one as the pages come.
    async fn list(
        self,
        listed: ObjectList,
        target: &InstanceTarget,
        errand: Errand<'_>,
    ) -> Result<Spool, GatewayError> {
        let what = listed.what();
        let mut pages = Pages::new(listed.listing());
        let mut spool = self.gateway.spool();
        errand.progress.started(what, None);
        while let Some(items) = pages.next(self.gateway.source(), Some(target)).await? {
            self.keep_page(&items, listed, &mut spool, errand)?;
            errand.progress.advanced(what, items.len() as u64);
        }
        errand.progress.finished(what);
        spool.finish()?;
        Ok(spool)
    }

    /// Adds a page to a list, and stores what it brings along.
    pub(super) fn keep_page(
        self,
        items: &[Value],
        listed: ObjectList,
        spool: &mut Spool,
        errand: Errand<'_>,
    ) -> Result<(), GatewayError> {
        let (mut brought, mut bytes) = (Vec::new(), 0);
        for item in items {
            spool.push(item)?;
            let before = brought.len();
            listed.entries(item, &mut brought);
            bytes += brought[before..].iter().map(|fresh| fresh.payload.len()).sum::<usize>();
            if bytes > BROUGHT_BYTES {
                self.store_brought(&brought, errand);
                brought.clear();
                bytes = 0;
            }
        }
        self.store_brought(&brought, errand);
        Ok(())
    }

    async fn plain(self, listing: ListCall, target: &InstanceTarget) -> Result<Spool, GatewayError> {
        let mut pages = Pages::new(listing);
        let mut spool = self.gateway.spool();
        while let Some(items) = pages.next(self.gateway.source(), Some(target)).await? {
            for item in &items {
                spool.push(item)?;
            }
        }
        spool.finish()?;
        Ok(spool)
    }

    /// AWS lists bare ARNs: one describe each, several at a time, in the order of the list.
    async fn permission_sets(self, target: &InstanceTarget, errand: Errand<'_>) -> Result<Spool, GatewayError> {
        let arns = texts(all(self.gateway.source(), target, ListCall::PermissionSets).await?);
        let what = "permission sets";
        errand.progress.started(what, Some(arns.len() as u64));
        let describes = stream::iter(arns).map(|arn| async move {
            let request = Request::PermissionSet(arn.clone());
            if let Some(found) = self.described_before(&request, errand)? {
                return Ok(Some((request, found, true)));
            }
            match self.gateway.source().fetch(Some(target), &GetCall::PermissionSet(arn)).await {
                Ok(found) => Ok(Some((request, found, false))),
                // Deleted between the list and the describe: it is no longer part of the answer.
                Err(GatewayError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let mut spool = self.gateway.spool();
        let mut describes = describes.buffered(PARALLEL);
        while let Some(described) = describes.try_next().await? {
            errand.progress.advanced(what, 1);
            let Some((request, found, is_held)) = described else { continue };
            spool.push(&found)?;
            if is_held {
                continue;
            }
            let call = GetCall::PermissionSet(String::new()).operation();
            self.store_brought(&[Fresh { key: request.key(), payload: bytes(&found), source: call }], errand);
        }
        errand.progress.finished(what);
        spool.finish()?;
        Ok(spool)
    }

    /// A description that a read may continue with. One that a change has overtaken since is not given, and the list that
    /// it becomes part of is not stored when a change overtakes the list.
    fn described_before(self, request: &Request, errand: Errand<'_>) -> Result<Option<Value>, GatewayError> {
        if !errand.continues {
            return Ok(None);
        }
        let accept = ReadOptions { max_age: Some(A_MOMENT), stale: false };
        let mut found = None;
        let shown = self.gateway.reader().look(request, errand.text, accept, Note::Nothing, &mut |_, body| {
            found = Some(serde_json::from_reader(body)?);
            Ok(())
        });
        match shown {
            // It did not exist a moment ago and is listed now: read it from AWS.
            Err(GatewayError::NotFound { .. }) => Ok(None),
            shown => shown.map(|_| found),
        }
    }

    /// The tree, breadth first; AWS gives only the children of one parent at a time.
    async fn organizational_units(self, target: &InstanceTarget) -> Result<Spool, GatewayError> {
        let mut level = Vec::new();
        let mut spool = self.gateway.spool();
        for mut root in all(self.gateway.source(), target, ListCall::Roots).await? {
            let (id, name) = (text(&root, "Id"), text(&root, "Name"));
            root["ParentId"] = Value::Null;
            root["Path"] = json!(format!("/{name}"));
            spool.push(&root)?;
            level.push((id, format!("/{name}")));
        }
        while !level.is_empty() {
            let found: Vec<(String, String, Vec<Value>)> = stream::iter(level)
                .map(|(id, path)| async move {
                    let children =
                        all(self.gateway.source(), target, ListCall::OrganizationalUnits(id.clone())).await?;
                    Ok::<_, GatewayError>((id, path, children))
                })
                .buffered(PARALLEL)
                .try_collect()
                .await?;
            level = Vec::new();
            for (parent, path, children) in found {
                for mut child in children {
                    let here = format!("{path}/{}", text(&child, "Name"));
                    child["ParentId"] = json!(parent);
                    child["Path"] = json!(here);
                    spool.push(&child)?;
                    level.push((text(&child, "Id"), here));
                }
            }
        }
        spool.finish()?;
        Ok(spool)
    }

    fn store_brought(self, brought: &[Fresh], errand: Errand<'_>) {
        if !brought.is_empty()
            && errand.ticket.is_valid()
            && self.gateway.room.admits(self.gateway.cache(), brought)
            && let Err(error) = self.gateway.cache().fill(errand.text, brought, errand.ticket)
        {
            self.gateway.fault(&error);
        }
    }
}

/// A list of whole objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectList {
    Users,
    Groups,
    Accounts,
}

impl ObjectList {
    /// The list behind a request, if it is one.
    pub(super) fn of(request: &Request) -> Option<ObjectList> {
        match request {
            Request::Users => Some(ObjectList::Users),
            Request::Groups => Some(ObjectList::Groups),
            Request::Accounts => Some(ObjectList::Accounts),
            _ => None,
        }
    }

    pub(super) fn listing(self) -> ListCall {
        match self {
            ObjectList::Users => ListCall::Users,
            ObjectList::Groups => ListCall::Groups,
            ObjectList::Accounts => ListCall::Accounts,
        }
    }

    fn what(self) -> &'static str {
        match self {
            ObjectList::Users => "users",
            ObjectList::Groups => "groups",
            ObjectList::Accounts => "accounts",
        }
    }

    /// What one of its items answers besides.
    pub(super) fn entries(self, item: &Value, into: &mut Vec<Fresh>) {
        let call = self.listing().operation();
        match self {
            ObjectList::Users => user_entries(item, call, into),
            ObjectList::Groups => group_entries(item, call, into),
            ObjectList::Accounts => account_entries(item, call, into),
        }
    }
}

async fn one(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    single: GetCall,
    request: &Request,
) -> Result<Spool, GatewayError> {
    // A lookup by name holds the id only, whichever call it comes from.
    let alone = match single {
        GetCall::UserIdByName(_) => Some("UserId"),
        GetCall::GroupIdByName(_) => Some("GroupId"),
        _ => None,
    };
    match source.fetch(Some(target), &single).await {
        Ok(found) => Ok(Spool::of(&alone.map_or_else(|| found.clone(), |id| json!({ id: found[id] })))),
        Err(GatewayError::NotFound { .. }) => Err(GatewayError::NotFound { what: request.subject() }),
        Err(error) => Err(error),
    }
}

/// The policies and the boundary: each by its own call, which may be denied without the others.
async fn policies(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    arn: &str,
    what: String,
) -> Result<Spool, GatewayError> {
    let managed = all(source, target, ListCall::ManagedPolicies(arn.into()));
    let customer = all(source, target, ListCall::CustomerManagedPolicies(arn.into()));
    let inline = async { source.fetch(Some(target), &GetCall::InlinePolicy(arn.into())).await };
    let boundary = async { source.fetch(Some(target), &GetCall::PermissionsBoundary(arn.into())).await };
    let (managed, customer, inline, boundary) = tokio::join!(managed, customer, inline, boundary);
    let parts = [
        ("ManagedPolicies", managed.map(Value::Array)),
        ("CustomerManagedPolicies", customer.map(Value::Array)),
        ("InlinePolicy", inline.map(|inline| inline.get("InlinePolicy").cloned().unwrap_or(inline))),
        ("PermissionsBoundary", boundary),
    ];
    let (mut found, mut failures) = (json!({ "PermissionSetArn": arn }), Vec::new());
    let mut read = 0;
    for (name, part) in parts {
        match part {
            Ok(part) => {
                found[name] = part;
                read += 1;
            }
            Err(error @ GatewayError::NotFound { .. }) => return Err(error),
            Err(error) if error.ends_everything() => return Err(error),
            Err(error) => failures.push((name, error)),
        }
    }
    if failures.is_empty() {
        return Ok(Spool::of(&found));
    }
    // If AWS does not answer, a stale answer is better than a list of missing parts.
    if read == 0 && failures[0].1.is_temporary() {
        return Err(failures.remove(0).1);
    }
    let failures = failures.into_iter().map(|(name, error)| error.of_target(name.to_owned())).collect();
    Err(GatewayError::Incomplete { what, found: Box::new(found), failures })
}

fn user_entries(user: &Value, call: &'static str, into: &mut Vec<Fresh>) {
    let Some(id) = user["UserId"].as_str() else { return };
    into.push(Fresh { key: Request::User(id.into()).key(), payload: bytes(user), source: call });
    if let Some(name) = user["UserName"].as_str() {
        let payload = bytes(&json!({"UserId": id}));
        into.push(Fresh { key: Request::UserByName(name.into()).key(), payload, source: call });
    }
}

/// Display names of groups are not stored by name here: AWS keeps them unique today, but does not promise it, and
/// two groups of one name must not answer for each other. `GetGroupId` is asked once and remembered.
fn group_entries(group: &Value, call: &'static str, into: &mut Vec<Fresh>) {
    let Some(id) = group["GroupId"].as_str() else { return };
    into.push(Fresh { key: Request::Group(id.into()).key(), payload: bytes(group), source: call });
}

fn account_entries(account: &Value, call: &'static str, into: &mut Vec<Fresh>) {
    let Some(id) = account["Id"].as_str() else { return };
    into.push(Fresh { key: Request::Account(id.into()).key(), payload: bytes(account), source: call });
}

/// The items of a list of strings.
pub(super) fn texts(items: Vec<Value>) -> Vec<String> {
    items.into_iter().filter_map(|item| if let Value::String(text) = item { Some(text) } else { None }).collect()
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn bytes(value: &Value) -> Vec<u8> {
    // Serializing a `Value` into memory has no way to fail.
    serde_json::to_vec(value).unwrap_or_default()
}

//! Counting a list: as it is held, or page by page for as long as that is wanted.
//!
//! A list that was read to its end while it was counted is stored like any other; one that was not is no list, only
//! a number that is too small.

use crate::cache::Ticket;
use crate::gateway::api::InstanceTarget;
use crate::gateway::api::ListCall;
use crate::gateway::core::CachePolicy;
use crate::gateway::error::GatewayError;
use crate::gateway::fetch::Errand;
use crate::gateway::fetch::ObjectList;
use crate::gateway::paginate::Pages;
use crate::gateway::plan::strategy::Traversals;
use crate::gateway::request::Request;
use crate::gateway::revalidate::FillSlot;
use crate::gateway::spool::Spool;
use crate::gateway::spool::each;
use crate::progress::Progress;
use serde_json::Value;

/// A list that is being counted.
pub(super) struct ListCount {
    request: Request,
    listed: ObjectList,
    pages: Pages,
    spool: Spool,
    ticket: Ticket,
    /// Items so far.
    pub(super) count: u64,
    /// Whether there are no more.
    pub(super) whole: bool,
}

impl Traversals<'_> {
    /// How many items the list that is held has, of whatever age.
    pub(in crate::gateway) fn held_items(self, space: &str, request: &Request) -> Option<u64> {
        let mut count = 0;
        let whole = self.gateway.cache().last(space, &request.key(), &mut |body| {
            each(body, &mut |_| {
                count += 1;
                Ok(())
            })
        });
        whole.then_some(count)
    }

    /// The ids in a list, read through the cache item by item.
    pub(in crate::gateway) async fn ids(
        self,
        request: &Request,
        field: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Vec<String>, GatewayError> {
        let mut ids = Vec::new();
        self.gateway
            .reader()
            .read(request, policy, progress, &mut |_, body| {
                ids.clear();
                each(body, &mut |item| {
                    ids.extend(item[field].as_str().map(str::to_owned));
                    Ok(())
                })
            })
            .await?;
        Ok(ids)
    }

    /// How many items a list has; `None` when there are more than `most`, and then it was not read to its end.
    pub(super) async fn count_up_to(
        self,
        space: &str,
        request: &Request,
        most: u64,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Option<u64>, GatewayError> {
        if policy.read
            && let Some(held) = self.held_items(space, request)
        {
            return Ok((held <= most).then_some(held));
        }
        if !policy.live {
            return Ok(None);
        }
        let Some(mut census) = self.census(request, policy) else { return Ok(None) };
        while !census.whole && census.count <= most {
            self.count_page(&mut census, progress).await?;
        }
        Ok((census.count <= most).then_some(census.count))
    }

    /// Begins to count; `None` for what is no list of whole objects.
    pub(super) fn census(self, request: &Request, policy: &CachePolicy) -> Option<ListCount> {
        let listed = ObjectList::of(request)?;
        let pages = Pages::new(listed.listing());
        let ticket = if policy.fill { self.gateway.ticket() } else { Ticket::NONE };
        let request = request.clone();
        Some(ListCount { request, listed, pages, spool: self.gateway.spool(), ticket, count: 0, whole: false })
    }

    /// Counts one page, and keeps what it brings.
    pub(super) async fn count_page(self, census: &mut ListCount, progress: &dyn Progress) -> Result<(), GatewayError> {
        let space = self.gateway.space(&CachePolicy::default()).await?;
        let text = space.text();
        let target = InstanceTarget::of(space);
        let errand = Errand { space, text: &text, ticket: census.ticket, progress, continues: false };
        if let Some(items) = census.pages.next(self.gateway.source(), Some(&target)).await? {
            census.count += items.len() as u64;
            self.gateway.fetcher().keep_page(&items, census.listed, &mut census.spool, errand)?;
        }
        census.whole = census.pages.is_done();
        if census.whole {
            census.spool.finish()?;
            if census.ticket.is_valid() {
                let fenced = self.gateway.fetcher().was_fenced(&text, &census.request.key(), census.ticket);
                let place = FillSlot { target: &target, space: &text, ticket: census.ticket, fenced, patient: false };
                self.gateway.fetcher().keep(&census.request, place, &mut census.spool, progress).await?;
            }
        }
        Ok(())
    }

    /// The ARNs of all permission sets, one page after the other, while `goes_on` says so after each.
    pub(super) async fn count_sets(
        self,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<(Vec<String>, bool), GatewayError> {
        let space = self.gateway.space(&CachePolicy::default()).await?;
        let target = InstanceTarget::of(space);
        let mut pages = Pages::new(ListCall::PermissionSets);
        let mut arns = Vec::new();
        while let Some(items) = pages.next(self.gateway.source(), Some(&target)).await? {
            arns.extend(
                items.into_iter().filter_map(|item| if let Value::String(arn) = item { Some(arn) } else { None }),
            );
            if !pages.is_done() && !goes_on(arns.len() as u64) {
                break;
            }
        }
        Ok((arns, pages.is_done()))
    }
}

//! Reads a listing page by page to its end.
//!
//! Guarantee: a short or empty page is not the end. A listing that would never end, or that names one id twice, is an error,
//! and a listing that breaks off is never taken for a whole one.

use super::api::IdentityCenterApi;
use super::api::InstanceTarget;
use super::api::ListCall;
use super::api::operation_words;
use super::error::GatewayError;
use serde_json::Value;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The most pages of a listing: two million users have as many.
const MOST_PAGES: usize = 20_000;
/// The most entries of a listing.
const MOST_ENTRIES: usize = 2_000_000;
/// The most entries of a listing that is kept in memory.
const MOST_IN_MEMORY: usize = 200_000;

/// The pages of a listing, requested one by one.
#[derive(Debug)]
pub(super) struct Pages {
    listing: ListCall,
    token: Option<String>,
    // Only hashes are kept: tokens are long, and listings have thousands of pages.
    tokens: HashSet<u64>,
    ids: HashSet<u64>,
    done: bool,
}

impl Pages {
    /// A listing of which no page has been read.
    pub(super) fn new(listing: ListCall) -> Pages {
        Pages { listing, token: None, tokens: HashSet::new(), ids: HashSet::new(), done: false }
    }

    /// Whether the last page has been given.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The items of the next page (there may be none on it); `None` at the end.
    pub(super) async fn next(
        &mut self,
        source: &dyn IdentityCenterApi,
        target: Option<&InstanceTarget>,
    ) -> Result<Option<Vec<Value>>, GatewayError> {
        if self.done {
            return Ok(None);
        }
        let page = source.page(target, &self.listing, self.token.as_deref()).await?;
        match page.next.filter(|token| !token.is_empty()) {
            None => self.done = true,
            Some(token) => {
                if !self.tokens.insert(hash(&token)) {
                    return Err(self.unusable("the same NextToken came twice; the listing would never end"));
                }
                if self.tokens.len() >= MOST_PAGES {
                    return Err(self.unusable("it did not end after 20,000 pages"));
                }
                self.token = Some(token);
            }
        }
        for id in page.items.iter().filter_map(|item| self.listing.identity(item)) {
            if !self.ids.insert(hash(&id)) {
                let id = crate::model::excerpt(&id.join(" "), 200);
                return Err(self.unusable(&format!("it has two entries with the id `{id}`")));
            }
        }
        if self.ids.len() > MOST_ENTRIES {
            return Err(self.unusable("it has more than 2,000,000 entries"));
        }
        Ok(Some(page.items))
    }

    fn unusable(&self, detail: &str) -> GatewayError {
        GatewayError::BadAnswer { operation: operation_words(self.listing.operation()), detail: detail.into() }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// All items of a listing that is known to be short.
pub(super) async fn all(
    source: &dyn IdentityCenterApi,
    target: &InstanceTarget,
    listing: ListCall,
) -> Result<Vec<Value>, GatewayError> {
    let mut pages = Pages::new(listing);
    let mut items = Vec::new();
    while let Some(page) = pages.next(source, Some(target)).await? {
        items.extend(page);
        if items.len() > MOST_IN_MEMORY {
            return Err(pages.unusable("it has more than 200,000 entries"));
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::GetCall;
    use crate::gateway::Mutation;
    use crate::gateway::Page;
    use async_trait::async_trait;
    use serde_json::json;

    struct ScriptedApi(Vec<(Vec<Value>, Option<&'static str>)>, std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl IdentityCenterApi for ScriptedApi {
        async fn page(&self, _: Option<&InstanceTarget>, _: &ListCall, _: Option<&str>) -> Result<Page, GatewayError> {
            let n = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (items, next) = self.0[n.min(self.0.len() - 1)].clone();
            Ok(Page { items, next: next.map(str::to_owned) })
        }

        async fn fetch(&self, _: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: format!("{single:?}") })
        }
        async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: change.subject() })
        }
    }

    async fn walk(pages: Vec<(Vec<Value>, Option<&'static str>)>) -> Result<usize, GatewayError> {
        let target = InstanceTarget { instance: "i".into(), identity_store: "d".into(), region: String::new() };
        let source = ScriptedApi(pages, std::sync::atomic::AtomicUsize::new(0));
        all(&source, &target, ListCall::Users).await.map(|items| items.len())
    }

    #[tokio::test]
    async fn an_empty_page_is_not_the_end() {
        let pages = vec![(vec![json!(1)], Some("a")), (vec![], Some("b")), (vec![json!(2)], None)];
        assert_eq!(walk(pages).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_token_that_comes_again_is_an_error() {
        let pages = vec![(vec![json!(1)], Some("a")), (vec![json!(2)], Some("a"))];
        assert!(matches!(walk(pages).await, Err(GatewayError::BadAnswer { .. })));
    }

    #[tokio::test]
    async fn an_id_that_comes_again_on_a_later_page_is_an_error() {
        let user = |id: &str| json!({"UserId": id, "UserName": id});
        let pages = vec![(vec![user("u-1"), user("u-2")], Some("a")), (vec![user("u-3"), user("u-1")], None)];
        let error = walk(pages).await.unwrap_err();
        assert!(error.to_string().ends_with("it has two entries with the id `u-1`"), "{error}");
    }

    struct Endless(std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl IdentityCenterApi for Endless {
        async fn page(&self, _: Option<&InstanceTarget>, _: &ListCall, _: Option<&str>) -> Result<Page, GatewayError> {
            let n = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Page { items: Vec::new(), next: Some(n.to_string()) })
        }
        async fn fetch(&self, _: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: format!("{single:?}") })
        }
        async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: change.subject() })
        }
    }

    #[tokio::test]
    async fn a_listing_whose_tokens_never_end_is_an_error_after_20_000_pages() {
        let target = InstanceTarget { instance: "i".into(), identity_store: "d".into(), region: String::new() };
        let source = Endless(std::sync::atomic::AtomicUsize::new(0));
        let error = all(&source, &target, ListCall::Users).await.unwrap_err();
        assert!(error.to_string().contains("did not end after 20,000 pages"), "{error}");
        assert_eq!(source.0.into_inner(), MOST_PAGES);
    }

    #[tokio::test]
    async fn an_empty_token_is_the_end() {
        assert_eq!(walk(vec![(vec![json!(1)], Some(""))]).await.unwrap(), 1);
    }
}

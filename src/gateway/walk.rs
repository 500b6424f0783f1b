//! Walking a listing page by page to its end.
//!
//! Neighbours: `fetch.rs`, `instance.rs` and `warm.rs` walk; `source.rs` gives the pages. Promise: a short or empty page
//! is not the end, a token that comes again is an error and not an endless loop, and a walk that breaks off is never
//! taken for a whole one.

use super::{GatewayError, Listing, Source, Target};
use serde_json::Value;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The pages of a listing, asked for one by one.
#[derive(Debug)]
pub(super) struct Pages {
    listing: Listing,
    token: Option<String>,
    // Only hashes are kept: tokens are long, and walks have thousands of pages.
    seen: HashSet<u64>,
    done: bool,
}

impl Pages {
    /// A walk that has not begun.
    pub(super) fn new(listing: Listing) -> Pages {
        Pages { listing, token: None, seen: HashSet::new(), done: false }
    }

    /// Whether the last page has been given.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The items of the next page (there may be none on it); `None` at the end.
    pub(super) async fn next(
        &mut self,
        source: &dyn Source,
        target: Option<&Target>,
    ) -> Result<Option<Vec<Value>>, GatewayError> {
        if self.done {
            return Ok(None);
        }
        let page = source.page(target, &self.listing, self.token.as_deref()).await?;
        match page.next.filter(|token| !token.is_empty()) {
            None => self.done = true,
            Some(token) => {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                if !self.seen.insert(hasher.finish()) {
                    return Err(GatewayError::BadAnswer {
                        operation: self.listing.operation().into(),
                        detail: "the same NextToken came twice; the listing would never end".into(),
                    });
                }
                self.token = Some(token);
            }
        }
        Ok(Some(page.items))
    }
}

/// All items of a listing that is known to be short.
pub(super) async fn all(source: &dyn Source, target: &Target, listing: Listing) -> Result<Vec<Value>, GatewayError> {
    let mut pages = Pages::new(listing);
    let mut items = Vec::new();
    while let Some(page) = pages.next(source, Some(target)).await? {
        items.extend(page);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Page, Single};
    use super::*;
    use async_trait::async_trait;
    use serde_json::json;

    struct Scripted(Vec<(Vec<Value>, Option<&'static str>)>, std::sync::atomic::AtomicUsize);

    #[async_trait]
    impl Source for Scripted {
        async fn page(&self, _: Option<&Target>, _: &Listing, _: Option<&str>) -> Result<Page, GatewayError> {
            let n = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (items, next) = self.0[n.min(self.0.len() - 1)].clone();
            Ok(Page { items, next: next.map(str::to_owned) })
        }

        async fn fetch(&self, _: Option<&Target>, single: &Single) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: format!("{single:?}") })
        }
        async fn change(&self, _: &Target, change: &Change) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: change.subject() })
        }
    }

    async fn walk(pages: Vec<(Vec<Value>, Option<&'static str>)>) -> Result<usize, GatewayError> {
        let target = Target { instance: "i".into(), identity_store: "d".into(), region: String::new() };
        let source = Scripted(pages, std::sync::atomic::AtomicUsize::new(0));
        all(&source, &target, Listing::Users).await.map(|items| items.len())
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
    async fn an_empty_token_is_the_end() {
        assert_eq!(walk(vec![(vec![json!(1)], Some(""))]).await.unwrap(), 1);
    }
}

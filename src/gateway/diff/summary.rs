//! What changed between two answers to one question: the one that was stored and the one that AWS gave now.
//!
//! Of the older answer two numbers an item are kept, so memory stays flat however long a list is; the order of
//! items and of fields is no change.

use super::item_hash::{ItemHash, content, identity};
use crate::gateway::core::{CachePolicy, Gateway};
use crate::gateway::request::Request;
use crate::gateway::spool::Spool;
use crate::gateway::spool::each;
use serde::Serialize;
use serde_json::Value;
use std::io;

/// At most so many names are kept of each kind: who reads more of them compares lists.
const MOST_NAMES: usize = 1_000;

/// What is different from the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ListDiff {
    /// There was nothing to compare with; the counts are zero.
    pub first: bool,
    /// Items that were not there.
    pub added: u64,
    /// Items that are not there any more.
    pub removed: u64,
    /// Items that are there and differ.
    pub changed: u64,
    /// Which, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<ChangedNames>,
}

/// The names behind the counts, at most a thousand of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChangedNames {
    /// Those that were not there.
    pub added: Vec<String>,
    /// Those that are not there any more.
    pub removed: Vec<String>,
    /// Those that differ.
    pub changed: Vec<String>,
}

impl ListDiff {
    /// Whether anything is different.
    pub fn any(&self) -> bool {
        self.added + self.removed + self.changed > 0
    }

    /// Adds those of another answer to these.
    pub(crate) fn add(&mut self, other: ListDiff) {
        self.first |= other.first;
        self.added += other.added;
        self.removed += other.removed;
        self.changed += other.changed;
        let Some(names) = other.names else { return };
        let kept = self.names.get_or_insert_default();
        for (into, more) in
            [(&mut kept.added, names.added), (&mut kept.removed, names.removed), (&mut kept.changed, names.changed)]
        {
            into.extend(more);
            into.truncate(MOST_NAMES);
        }
    }
}

/// An answer as it was: for each item a hash of its identity and one of all it says.
pub(crate) struct Before {
    items: Vec<KnownItems>,
    names: Option<Vec<Name>>,
}

struct KnownItems {
    item: ItemHash,
    nth: u32,
    seen: bool,
}

impl Before {
    /// An answer of which only these items are known, in the order of their identities; no names.
    pub(crate) fn of(items: Vec<ItemHash>) -> Before {
        let known = items.into_iter().zip(0..).map(|(item, nth)| KnownItems { item, nth, seen: false });
        Before { items: known.collect(), names: None }
    }
}

/// Who an item is, in ids; people are shown names.
enum Name {
    Plain(String),
    Member { group: String, user: String },
    Grant { account: String, permission_set: String, kind: String, principal: String },
}

/// Compares an answer with the one before it.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Differ<'g> {
    gateway: &'g Gateway,
}

impl Gateway {
    /// Compares an answer with the one before it.
    pub(in crate::gateway) fn differ(&self) -> Differ<'_> {
        Differ { gateway: self }
    }
}

impl Differ<'_> {
    /// What is stored for a request now, of whatever age; `None` when that is nothing.
    pub(crate) fn before(self, space: &str, request: &Request, names: bool) -> Option<Before> {
        let mut before = Before { items: Vec::new(), names: names.then(Vec::new) };
        let whole = self.gateway.cache().last(space, &request.key(), &mut |body| {
            each(body, &mut |item| {
                let nth = u32::try_from(before.items.len()).map_err(io::Error::other)?;
                before.items.push(KnownItems { item: ItemHash::of(&item), nth, seen: false });
                if let Some(names) = &mut before.names {
                    names.push(Name::of(&item));
                }
                Ok(())
            })
        });
        before.items.sort_unstable_by_key(|known| known.item.identity);
        whole.then_some(before)
    }

    /// Compares an answer with the one before it; without one everything in it is new.
    pub(crate) fn compare(self, before: Option<Before>, now: &mut Spool, names: bool) -> io::Result<ListDiff> {
        let mut before = before.unwrap_or(Before { items: Vec::new(), names: names.then(Vec::new) });
        let mut changes = ListDiff { names: names.then(ChangedNames::default), ..ListDiff::default() };
        each(&mut now.reader()?, &mut |item| {
            let id = identity(&item);
            let known = before.items.binary_search_by_key(&id, |known| known.item.identity).ok();
            let (count, kind): (_, fn(&mut ChangedNames) -> &mut Vec<String>) = match known {
                None => (&mut changes.added, |names| &mut names.added),
                Some(at) => {
                    let known = &mut before.items[at];
                    known.seen = true;
                    if known.item.content == content(&item) {
                        return Ok(());
                    }
                    (&mut changes.changed, |names| &mut names.changed)
                }
            };
            *count += 1;
            if let Some(names) = &mut changes.names {
                self.note_name(kind(names), &Name::of(&item));
            }
            Ok(())
        })?;
        for gone in before.items.iter().filter(|item| !item.seen) {
            changes.removed += 1;
            let name = before.names.as_ref().and_then(|names| names.get(gone.nth as usize));
            if let (Some(names), Some(name)) = (&mut changes.names, name) {
                self.note_name(&mut names.removed, name);
            }
        }
        Ok(changes)
    }

    fn note_name(self, names: &mut Vec<String>, name: &Name) {
        if names.len() < MOST_NAMES {
            names.push(self.shown(name));
        }
    }

    fn shown(self, name: &Name) -> String {
        match name {
            Name::Plain(name) => name.clone(),
            Name::Member { group, user } => {
                let group = self.name_of(&Request::Group(group.clone()), "DisplayName", group);
                format!("{} in {group}", self.name_of(&Request::User(user.clone()), "UserName", user))
            }
            Name::Grant { account, permission_set, kind, principal } => {
                let account = self.name_of(&Request::Account(account.clone()), "Name", account);
                let set = self.name_of(&Request::PermissionSet(permission_set.clone()), "Name", permission_set);
                let who = if kind == "GROUP" {
                    self.name_of(&Request::Group(principal.clone()), "DisplayName", principal)
                } else {
                    self.name_of(&Request::User(principal.clone()), "UserName", principal)
                };
                format!("{who} has {set} in {account}")
            }
        }
    }

    /// The name that the cache knows, or the id.
    fn name_of(self, request: &Request, field: &str, id: &str) -> String {
        let known = self.gateway.reader().cached_value(request, &CachePolicy::CACHE_ONLY).ok().flatten();
        known.and_then(|known| known[field].as_str().map(str::to_owned)).unwrap_or_else(|| id.to_owned())
    }
}

impl Name {
    fn of(item: &Value) -> Name {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if item["MembershipId"].is_string() {
            return Name::Member { group: text(&item["GroupId"]), user: text(&item["MemberId"]["UserId"]) };
        }
        if item["PrincipalId"].is_string() {
            return Name::Grant {
                account: text(&item["AccountId"]),
                permission_set: text(&item["PermissionSetArn"]),
                kind: text(&item["PrincipalType"]),
                principal: text(&item["PrincipalId"]),
            };
        }
        let name = ["UserName", "DisplayName", "Name"].into_iter().find_map(|field| item[field].as_str());
        Name::Plain(name.or(item.as_str()).map_or_else(|| item.to_string(), str::to_owned))
    }
}

/// Whether a request is a whole target by itself.
pub(crate) fn is_list(request: &Request) -> bool {
    matches!(request, Request::Users | Request::Groups | Request::PermissionSets | Request::Accounts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_fields_is_no_change_and_the_order_in_a_list_is_one() {
        assert_eq!(content(&json!({"a": 1, "b": [1, 2]})), content(&json!({"b": [1, 2], "a": 1})));
        assert_ne!(content(&json!({"a": [1, 2]})), content(&json!({"a": [2, 1]})));
        assert_ne!(content(&json!({"a": "1"})), content(&json!({"a": 1})));
        assert_ne!(content(&json!({"a": {"b": 1}, "c": {}})), content(&json!({"a": {}, "c": {"b": 1}})));
    }

    #[test]
    fn an_item_is_known_by_its_id_and_a_grant_by_all_four_of_its_parts() {
        let user = |name: &str| json!({"UserId": "u-1", "UserName": name});
        assert_eq!(identity(&user("ada")), identity(&user("lovelace")));
        let grant = |account: &str| json!({"AccountId": account, "PermissionSetArn": "p", "PrincipalType": "USER", "PrincipalId": "u"});
        assert_ne!(identity(&grant("1")), identity(&grant("2")));
        assert_ne!(identity(&json!("111122223333")), identity(&json!("444455556666")));
    }
}

//! Name suggestions for a text, from the cached lists, without a call to AWS.

use super::request::Request;
use super::spool::each;
use crate::gateway::resolve::Resolver;
use crate::model::folded;

/// The most names that are suggested.
const MOST: usize = 3;

impl Resolver<'_> {
    /// Names near `text`, the nearest first, of `user`, `group`, `permission set` or `account`. The held list may be of any
    /// age: a suggestion is no answer.
    pub fn near_names(self, noun: &str, text: &str) -> Vec<String> {
        let (request, name, others): (_, _, &[&str]) = match noun {
            "user" => (Request::Users, "UserName", &["DisplayName"]),
            "group" => (Request::Groups, "DisplayName", &[]),
            "permission set" => (Request::PermissionSets, "Name", &[]),
            "account" => (Request::Accounts, "Name", &[]),
            _ => return Vec::new(),
        };
        let Some(space) = self.gateway.remembered() else { return Vec::new() };
        let wanted = folded(text);
        let mut near: Vec<(usize, String)> = Vec::new();
        self.gateway.cache().last(&space.text(), &request.key(), &mut |body| {
            each(body, &mut |item| {
                let Some(known) = item[name].as_str() else { return Ok(()) };
                let texts = std::iter::once(name).chain(others.iter().copied());
                let distances = texts.filter_map(|field| distance(&wanted, &folded(item[field].as_str()?)));
                if let Some(distance) = distances.min() {
                    let at = near.partition_point(|(other, _)| *other <= distance);
                    near.insert(at, (distance, known.to_owned()));
                    near.truncate(MOST);
                }
                Ok(())
            })
        });
        near.into_iter().map(|(_, name)| name).collect()
    }
}

/// How far a name is from what was wanted; `None` when it is not near.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    let (one, other) = (wanted.chars().count(), name.chars().count());
    let most = (one.max(other) / 3).max(1);
    // Lengths that differ by more need no closer look.
    if one.abs_diff(other) > most {
        return None;
    }
    Some(strsim::damerau_levenshtein(wanted, name)).filter(|distance| *distance <= most)
}

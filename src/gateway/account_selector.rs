//! Selects the accounts of a change in several accounts: by name, organizational unit, pattern or tag.
//!
//! Guarantee: the selection reads AWS, never the cache. A unit is traversed from the top down (a call for
//! each unit, none for each account). Accounts that are not active are excluded and listed.

use super::api::ListCall;
use super::core::CachePolicy;
use super::error::GatewayError;
use super::request::Request;
use crate::gateway::confirm::Confirmed;
use crate::gateway::confirm::Confirmer;
use crate::gateway::confirm::ResourceKind;
use crate::gateway::confirm::state;
use crate::gateway::fetch::PARALLEL;
use crate::gateway::fetch::text;
use crate::model::{folded, matches};
use crate::progress::Progress;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Selects the named accounts, or without names all accounts that match every filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChoice {
    /// These accounts (id, ARN, name or e-mail address).
    pub named: Vec<String>,
    /// All accounts below this root or organizational unit (id, path or name).
    pub unit: Option<String>,
    /// Accounts whose name or id this glob matches, case-insensitive.
    pub pattern: Option<String>,
    /// Those that have all of these tags.
    pub tags: Vec<(String, String)>,
}

/// The accounts that were chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SelectedAccounts {
    /// In the order of their names.
    pub accounts: Vec<Confirmed>,
    /// Accounts that the filters match but that are not active.
    pub inactive: Vec<Confirmed>,
}

impl Confirmer<'_> {
    /// The accounts that are selected now.
    pub async fn choose_accounts(
        self,
        choice: &AccountChoice,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<SelectedAccounts, GatewayError> {
        if !choice.named.is_empty() {
            let named: Vec<Confirmed> = stream::iter(&choice.named)
                .map(|text| self.certain(ResourceKind::Account, text, policy, progress))
                .buffered(PARALLEL)
                .try_collect()
                .await?;
            return Ok(SelectedAccounts { accounts: named_once(named), inactive: Vec::new() });
        }
        let refresh = CachePolicy { read: false, ..*policy };
        let found = match &choice.unit {
            Some(unit) => self.accounts_below(unit, &refresh, progress).await?,
            None => array(self.gateway.reader().value(&Request::Accounts, &refresh, progress).await?),
        };
        let pattern = choice.pattern.as_ref().map(|pattern| folded(pattern).into_owned());
        let is_like = |account: &Value| {
            let like = |field: &str, glob: &str| matches(glob, &folded(&text(account, field)));
            pattern.as_ref().is_none_or(|glob| like("Name", glob) || like("Id", glob))
        };
        let candidates = found.into_iter().filter(is_like).collect();
        let found = self.tagged(candidates, &choice.tags).await?;
        let mut chosen = SelectedAccounts::default();
        for account in found {
            let is_active = state(&account) == "ACTIVE";
            let account = Confirmed { id: text(&account, "Id"), name: text(&account, "Name"), found: account };
            if is_active { chosen.accounts.push(account) } else { chosen.inactive.push(account) }
        }
        chosen.accounts = named_once(chosen.accounts);
        Ok(chosen)
    }

    /// All accounts of a unit and of the units below it.
    async fn accounts_below(
        self,
        unit: &str,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Vec<Value>, GatewayError> {
        let units = array(self.gateway.reader().value(&Request::Ous, policy, progress).await?);
        let mut inside: HashSet<String> = HashSet::from([unit_called(&units, unit)?]);
        // Parents come before their children.
        for unit in &units {
            if inside.contains(&text(unit, "ParentId")) {
                inside.insert(text(unit, "Id"));
            }
        }
        let inside = units.iter().map(|unit| text(unit, "Id")).filter(|id| inside.contains(id));
        let pages: Vec<Vec<Value>> = stream::iter(inside)
            .map(|id| self.ask_all(ListCall::AccountsForParent(id)))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(pages.concat())
    }

    /// Those that have all of the tags; AWS lists them one account at a time.
    async fn tagged(self, accounts: Vec<Value>, tags: &[(String, String)]) -> Result<Vec<Value>, GatewayError> {
        if tags.is_empty() {
            return Ok(accounts);
        }
        let found: Vec<Option<Value>> = stream::iter(accounts)
            .map(|account| async move {
                let has = self.ask_all(ListCall::AccountTags(text(&account, "Id"))).await?;
                let has =
                    |(key, value): &(String, String)| has.iter().any(|t| t["Key"] == **key && t["Value"] == **value);
                Ok::<_, GatewayError>(tags.iter().all(has).then_some(account))
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// The id of the unit with this id, path or name.
fn unit_called(units: &[Value], wanted: &str) -> Result<String, GatewayError> {
    let is = |unit: &&Value| ["Id", "Path", "Name"].iter().any(|field| unit[*field] == wanted);
    let named: Vec<&Value> = units.iter().filter(is).collect();
    match named.as_slice() {
        [one] => Ok(text(one, "Id")),
        [] => Err(GatewayError::NotFound { what: format!("organizational unit `{wanted}`") }),
        several => Err(GatewayError::Ambiguous {
            name: wanted.to_owned(),
            choices: several.iter().map(|unit| format!("{} ({})", text(unit, "Id"), text(unit, "Path"))).collect(),
        }),
    }
}

/// Each account once, by name.
fn named_once(accounts: Vec<Confirmed>) -> Vec<Confirmed> {
    let once: BTreeMap<(String, String), Confirmed> =
        accounts.into_iter().map(|account| ((account.name.clone(), account.id.clone()), account)).collect();
    once.into_values().collect()
}

fn array(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_unit_is_found_by_id_path_or_name_and_a_name_of_two_is_ambiguous() {
        let units = [
            json!({"Id": "r-1", "Name": "Root", "Path": "/Root"}),
            json!({"Id": "ou-1", "Name": "Dev", "Path": "/Root/Dev"}),
            json!({"Id": "ou-2", "Name": "Sandbox", "Path": "/Root/Sandbox"}),
            json!({"Id": "ou-3", "Name": "Dev", "Path": "/Root/Sandbox/Dev"}),
        ];
        for (text, id) in [("ou-3", "ou-3"), ("/Root/Dev", "ou-1"), ("Sandbox", "ou-2"), ("Root", "r-1")] {
            assert_eq!(unit_called(&units, text).unwrap(), id);
        }
        let Err(GatewayError::Ambiguous { choices, .. }) = unit_called(&units, "Dev") else { panic!("ambiguous") };
        assert_eq!(choices, ["ou-1 (/Root/Dev)", "ou-3 (/Root/Sandbox/Dev)"]);
        assert!(matches!(unit_called(&units, "Prod"), Err(GatewayError::NotFound { .. })));
        let units = [units[1].clone(), json!({"Id": "ou-9", "Name": "ou-1", "Path": "/Root/ou-1"})];
        let Err(GatewayError::Ambiguous { choices, .. }) = unit_called(&units, "ou-1") else { panic!("ambiguous") };
        assert_eq!(choices, ["ou-1 (/Root/Dev)", "ou-9 (/Root/ou-1)"], "an id that is another unit's name");
    }

    #[test]
    fn an_account_is_active_by_either_field() {
        assert_eq!(state(&json!({"Status": "ACTIVE"})), "ACTIVE");
        assert_eq!(state(&json!({"Status": "ACTIVE", "State": "CLOSED"})), "CLOSED");
        assert_eq!(state(&json!({})), "");
    }
}

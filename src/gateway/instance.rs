//! Finds the instance of a command, and remembers it.
//!
//! Other keys, another profile, region or endpoint never get a remembered instance that is not theirs; several
//! instances or none are an error with a hint.

use super::api::{IdentityCenterApi, ListCall};
use super::error::GatewayError;
use crate::cache::{Cache, Fresh, Key, Lookup, ReadOptions, Ticket};
use crate::clock::UnixMillis;
use crate::model::{Namespace, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The reserved space that remembered instances live in.
pub const INSTANCES: &str = "@instances";

/// What selects an instance, without asking AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// A digest over everything that selects credentials.
    pub fingerprint: String,
    /// The region that will be asked.
    pub region: Option<String>,
    /// The endpoint when it is not AWS's own; `sandbox:<seed>:<sizes>` in the sandbox.
    pub endpoint: Option<String>,
    /// `aws.instance`, when set: an ARN or its last part.
    pub wanted: Option<String>,
    /// The region of the profile's SSO login, which is the one of an instance; part of no key.
    pub sso_region: Option<String>,
}

/// The instance of the exporting profile, as an archive of the cache carries it.
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    /// The owner of the credentials of the exporting profile.
    owner: String,
    region: Option<String>,
    endpoint: Option<String>,
    wanted: Option<String>,
    fetched_at: UnixMillis,
    instance: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    partition: String,
    instance: String,
    identity_store: String,
    /// The primary region of the instance.
    region: String,
}

impl Selection {
    /// Why the region has no instance.
    pub fn no_instance(&self) -> GatewayError {
        let region = self.region.clone().unwrap_or_else(|| "of the profile".into());
        let sso_region = self.sso_region.clone().filter(|other| *other != region);
        GatewayError::NoInstance { region, sso_region }
    }

    pub(super) fn key(&self) -> Key {
        Key::new(Resource::Instance, "remembered", &self.fingerprint).params(&serde_json::json!({
            "region": self.region, "endpoint": self.endpoint, "wanted": self.wanted,
        }))
    }

    /// The space that was remembered for this selection, if it still holds.
    pub fn remembered(&self, cache: &Cache) -> Option<Namespace> {
        self.recall(cache, ReadOptions::default())
    }

    /// The same when AWS is silent: what has expired stands in for it.
    pub(super) fn remembered_once(&self, cache: &Cache) -> Option<Namespace> {
        self.recall(cache, ReadOptions { max_age: None, stale: true })
    }

    fn recall(&self, cache: &Cache, accept: ReadOptions) -> Option<Namespace> {
        let (lookup, bytes) = cache.get(INSTANCES, &self.key(), accept).ok()?;
        let Lookup::Hit(_) = lookup else { return None };
        let found: Remembered = serde_json::from_slice(&bytes).ok()?;
        Some(self.space(found))
    }

    /// The remembered instance in a form that an archive carries to another host; `None` when none is remembered, or
    /// when the owner of the credentials is unknown ([`crate::aws::credential_owner`]).
    pub fn carry(&self, cache: &Cache, owner: Option<String>) -> Option<Value> {
        let (lookup, bytes) = cache.get(INSTANCES, &self.key(), ReadOptions::default()).ok()?;
        let Lookup::Hit(found) = lookup else { return None };
        let carried = Carried {
            owner: owner?,
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            wanted: self.wanted.clone(),
            fetched_at: found.stored_at,
            instance: serde_json::from_slice(&bytes).ok()?,
        };
        serde_json::to_value(carried).ok()
    }

    /// Remembers an instance that an archive carried here, for these settings; as old as it was there. The error is the reason
    /// for not storing it; the next command that may call AWS then resolves it.
    pub fn adopt(
        &self,
        cache: &Cache,
        carried: &Value,
        owner: Option<&str>,
        ticket: Ticket,
    ) -> Result<(), &'static str> {
        let carried: Carried =
            serde_json::from_value(carried.clone()).map_err(|_| "the archive is from another version")?;
        if (&carried.region, &carried.endpoint, &carried.wanted) != (&self.region, &self.endpoint, &self.wanted) {
            return Err("the archive was made for another region, endpoint or `aws.instance`");
        }
        match owner {
            None => return Err("these settings do not show which account the credentials belong to"),
            Some(owner) if owner != carried.owner => {
                return Err("the archive was made with credentials of another account");
            }
            Some(_) => {}
        }
        if self.remembered(cache).is_some() {
            return Ok(());
        }
        let payload = carried.instance.to_string();
        let source = ListCall::Instances.operation();
        let ticket = ticket.fetched_at(carried.fetched_at);
        match cache.fill_long(INSTANCES, &self.key(), source, &mut payload.as_bytes(), ticket) {
            Ok(true) => Ok(()),
            Ok(false) => Err("the cache changed meanwhile"),
            Err(_) => Err("the cache could not store it"),
        }
    }

    /// The space, asked of AWS; remembered when `ticket` allows.
    pub async fn ask(
        &self,
        source: &dyn IdentityCenterApi,
        cache: &Cache,
        ticket: Ticket,
    ) -> Result<Namespace, GatewayError> {
        let found = self.choose(&list(source).await?)?;
        if let Ok(payload) = serde_json::to_vec(&found) {
            let answer = Fresh { key: self.key(), payload, source: ListCall::Instances.operation() };
            // Not remembering costs the next command one call, nothing else.
            let _ = cache.fill(INSTANCES, &[answer], ticket);
        }
        Ok(self.space(found))
    }

    fn choose(&self, instances: &[serde_json::Value]) -> Result<Remembered, GatewayError> {
        let text = |value: &serde_json::Value, name: &str| value[name].as_str().map(str::to_owned);
        let choices: Vec<String> = instances.iter().filter_map(|i| text(i, "InstanceArn")).collect();
        let region = self.region.clone().unwrap_or_else(|| "of the profile".into());
        let chosen: Vec<&serde_json::Value> = match &self.wanted {
            Some(wanted) => instances
                .iter()
                .filter(|i| {
                    i["InstanceArn"].as_str().is_some_and(|arn| arn == wanted || arn.rsplit('/').next() == Some(wanted))
                })
                .collect(),
            None => instances.iter().collect(),
        };
        match (chosen.as_slice(), &self.wanted) {
            ([one], _) => {
                let missing = || GatewayError::BadAnswer {
                    operation: "sso-admin ListInstances".into(),
                    detail: "an instance without InstanceArn or IdentityStoreId".into(),
                };
                let instance = text(one, "InstanceArn").ok_or_else(missing)?;
                let identity_store = text(one, "IdentityStoreId").ok_or_else(missing)?;
                let partition = instance.split(':').nth(1).unwrap_or("aws").to_owned();
                // Read through an additional region, it is still the same instance.
                let region = text(one, "PrimaryRegion").or_else(|| self.region.clone()).unwrap_or_default();
                Ok(Remembered { partition, instance, identity_store, region })
            }
            ([], None) => Err(self.no_instance()),
            ([], Some(wanted)) => Err(GatewayError::ChooseInstance {
                reason: format!("region {region} has no instance `{wanted}`"),
                choices,
            }),
            _ => Err(GatewayError::ChooseInstance {
                reason: format!("region {region} has {} IAM Identity Center instances", chosen.len()),
                choices,
            }),
        }
    }

    fn space(&self, found: Remembered) -> Namespace {
        Namespace {
            partition: found.partition,
            region: found.region,
            instance: found.instance,
            identity_store: found.identity_store,
            endpoint: self.endpoint.clone(),
        }
    }
}

/// All instances that the credentials may see in the region.
pub(super) async fn list(source: &dyn IdentityCenterApi) -> Result<Vec<serde_json::Value>, GatewayError> {
    let mut pages = crate::gateway::paginate::Pages::new(ListCall::Instances);
    let mut found = Vec::new();
    while let Some(items) = pages.next(source, None).await? {
        found.extend(items);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn choose(wanted: Option<&str>, count: usize) -> Result<String, GatewayError> {
        let selection = Selection {
            fingerprint: "f".into(),
            region: Some("eu-west-1".into()),
            endpoint: None,
            wanted: wanted.map(str::to_owned),
            sso_region: Some("us-east-1".into()),
        };
        let instances: Vec<_> = (1..=count)
            .map(|i| json!({"InstanceArn": format!("arn:aws:sso:::instance/ssoins-{i}"), "IdentityStoreId": format!("d-{i}")}))
            .collect();
        selection.choose(&instances).map(|found| found.identity_store)
    }

    #[test]
    fn one_instance_needs_no_choice_and_several_do() {
        assert_eq!(choose(None, 1).unwrap(), "d-1");
        let Err(GatewayError::NoInstance { sso_region, .. }) = choose(None, 0) else { panic!("none") };
        assert_eq!(sso_region.as_deref(), Some("us-east-1"));
        let Err(GatewayError::ChooseInstance { reason, choices }) = choose(None, 2) else { panic!("a choice") };
        assert!(reason.contains('2') && choices.len() == 2, "{reason}");
        assert_eq!(choose(Some("ssoins-2"), 2).unwrap(), "d-2");
        assert_eq!(choose(Some("arn:aws:sso:::instance/ssoins-1"), 2).unwrap(), "d-1");
        assert!(matches!(choose(Some("ssoins-9"), 2), Err(GatewayError::ChooseInstance { .. })));
    }

    #[test]
    fn an_instance_has_one_namespace_whatever_region_it_is_read_through() {
        let space = |region: &str, instance: serde_json::Value| {
            let selection = Selection {
                fingerprint: "f".into(),
                region: Some(region.into()),
                endpoint: None,
                wanted: None,
                sso_region: None,
            };
            let found = selection.choose(&[instance]).unwrap();
            selection.space(found)
        };
        let instance = |primary: Option<&str>| json!({"InstanceArn": "arn:aws:sso:::instance/ssoins-1", "IdentityStoreId": "d-1", "PrimaryRegion": primary});
        let home = space("us-east-1", instance(Some("us-east-1")));
        assert_eq!(home, space("eu-west-1", instance(Some("us-east-1"))));
        assert_eq!(home.region, "us-east-1");
        assert_eq!(
            home,
            space("us-east-1", instance(None)),
            "if AWS does not name it, it is the region of the request"
        );
    }

    #[test]
    fn what_selects_an_instance_is_all_in_its_key() {
        let base = Selection { fingerprint: "f".into(), region: None, endpoint: None, wanted: None, sso_region: None };
        let others = [
            Selection { fingerprint: "g".into(), ..base.clone() },
            Selection { region: Some("r".into()), ..base.clone() },
            Selection { endpoint: Some("e".into()), ..base.clone() },
            Selection { wanted: Some("w".into()), ..base.clone() },
        ];
        for other in others {
            assert_ne!(other.key(), base.key());
        }
    }
}

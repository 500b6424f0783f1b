//! The regions that an instance is in, and what each of them answers.
//!
//! In the region of the instance everything works. In an additional region AWS serves the reads of the identity store
//! and of the instance itself; any other region knows neither. Organizations and STS are global.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Service;
use crate::operations::Action;
use crate::operations::Found;
use crate::state::Organization;
use serde_json::Value;
use serde_json::json;

/// Where an instance is. Without a primary region every region answers, and none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions {
    /// The region that the instance was made in.
    pub primary: Option<String>,
    /// The regions that it is replicated to.
    pub additional: Vec<String>,
}

impl Regions {
    /// The answer to a call in the region `asked`; `None` carries the call out. A call that is not signed counts as
    /// one in the primary region.
    pub(crate) fn refusal(&self, organization: &Organization, asked: Option<&str>, found: &Found) -> Option<Answer> {
        let (primary, asked) = (self.primary.as_deref()?, asked?);
        if asked == primary || found.service == Service::Organizations {
            return None;
        }
        let reads = !matches!(found.action, Action::Write(_));
        let of_instance = matches!(found.name, "ListInstances" | "DescribeInstance");
        let replicated = self.additional.iter().any(|region| region == asked);
        match found.service {
            Service::IdentityStore if replicated && reads => None,
            Service::SsoAdmin if replicated && of_instance => None,
            _ if replicated => Some(Err(Refusal::denied(format!(
                "{} is not available in {asked}, an additional Region of this instance; use its primary Region {primary}",
                found.name
            )))),
            Service::SsoAdmin if found.name == "ListInstances" => Some(Ok(json!({"Instances": []}))),
            Service::SsoAdmin => {
                Some(Err(Refusal::denied(format!("No Identity Center instance was found in {asked}"))))
            }
            Service::IdentityStore | Service::Organizations => {
                let store = &organization.identity.store;
                Some(Err(Refusal::not_in_store("IDENTITY_STORE", Some(store))))
            }
        }
    }

    /// Adds `PrimaryRegion` and `Regions` to the fields of an instance.
    pub(crate) fn describe(&self, instance: &mut Value, created: &Value) {
        let Some(primary) = &self.primary else { return };
        let row = |region: &String, primary: bool| json!({"RegionName": region, "Status": "ACTIVE", "AddedDate": created, "IsPrimaryRegion": primary});
        let additional = self.additional.iter().map(|region| row(region, false));
        instance["PrimaryRegion"] = json!(primary);
        instance["Regions"] = std::iter::once(row(primary, true)).chain(additional).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shape;
    use crate::operations;

    #[test]
    fn each_kind_of_region_answers_what_aws_serves_there() {
        let made = Organization::generate(&Shape::default());
        let regions = Regions { primary: Some("us-east-1".into()), additional: vec!["eu-west-1".into()] };
        let code = |region: &str, target: &str| {
            let found = operations::find(target).expect("an operation");
            match regions.refusal(&made, Some(region), &found) {
                None => "served".to_owned(),
                Some(Ok(answer)) => answer.to_string(),
                Some(Err(refusal)) => refusal.code.to_owned(),
            }
        };
        let denied = "AccessDeniedException";
        for (target, additional, elsewhere) in [
            ("AWSIdentityStore.ListUsers", "served", "ResourceNotFoundException"),
            ("AWSIdentityStore.CreateUser", denied, "ResourceNotFoundException"),
            ("SWBExternalService.ListInstances", "served", "{\"Instances\":[]}"),
            ("SWBExternalService.DescribeInstance", "served", denied),
            ("SWBExternalService.ListPermissionSets", denied, denied),
            ("SWBExternalService.CreateAccountAssignment", denied, denied),
            ("AWSOrganizationsV20161128.ListAccounts", "served", "served"),
        ] {
            assert_eq!(code("us-east-1", target), "served", "{target}");
            assert_eq!(code("eu-west-1", target), additional, "{target}");
            assert_eq!(code("ap-south-1", target), elsewhere, "{target}");
        }
        let found = operations::find("SWBExternalService.ListPermissionSets").expect("an operation");
        assert!(Regions::default().refusal(&made, Some("ap-south-1"), &found).is_none(), "without regions all answer");
        assert!(regions.refusal(&made, None, &found).is_none(), "a call that is not signed");
    }
}

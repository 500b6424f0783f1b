//! sso-admin: the instance, permission sets, and assignments.
//!
//! An account counts as provisioned with a permission set exactly as long as an assignment of it is there, whether
//! or not its principal still is; a permission set without a boundary has none to get
//! (`ResourceNotFoundException`), one without an inline policy has an empty one, as AWS has it.

use crate::aws_json::Answer;
use crate::aws_json::Operation;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::paging::Paging;
use crate::records::Assignment;
use crate::records::Id;
use crate::records::Policies;
use crate::records::PrincipalType;
use crate::state;
use crate::state::Organization;
use crate::state::Pairs;
use crate::validation::ids::Form;
use serde_json::Value;
use serde_json::json;
use std::ops::Bound;

/// What can be asked.
pub(crate) const OPERATIONS: &[(&str, Operation)] = &[
    ("ListInstances", list_instances),
    ("DescribeInstance", describe_instance),
    ("ListPermissionSets", list_permission_sets),
    ("DescribePermissionSet", describe_permission_set),
    ("ListManagedPoliciesInPermissionSet", list_managed_policies),
    ("ListCustomerManagedPolicyReferencesInPermissionSet", list_customer_managed_policies),
    ("GetInlinePolicyForPermissionSet", get_inline_policy),
    ("GetPermissionsBoundaryForPermissionSet", get_permissions_boundary),
    ("ListAccountsForProvisionedPermissionSet", list_accounts_for_permission_set),
    ("ListPermissionSetsProvisionedToAccount", list_permission_sets_for_account),
    ("ListAccountAssignments", list_account_assignments),
    ("ListAccountAssignmentsForPrincipal", list_account_assignments_for_principal),
    ("ListTagsForResource", list_tags_for_resource),
];

fn list_instances(organization: &Organization, request: &Request) -> Answer {
    let paging = Paging::read(request, &[organization.instance_arn(), "ListInstances"])?;
    let arn = &organization.identity.instance_arn;
    let rows = std::iter::once((arn.clone(), instance_fields(organization)));
    Ok(paging.page_of_few("Instances", rows))
}

fn describe_instance(organization: &Organization, request: &Request) -> Answer {
    let arn = request.id("InstanceArn", Form::InstanceArn)?;
    if *arn != *organization.identity.instance_arn {
        // This operation has no ResourceNotFoundException.
        return Err(Refusal::denied(format!("You are not authorized to perform sso:DescribeInstance on {arn}")));
    }
    let mut answer = instance_fields(organization);
    answer["PermissionSetsEnabled"] = json!(true);
    answer["EncryptionConfigurationDetails"] = json!({"KeyType": "AWS_OWNED_KMS_KEY", "EncryptionStatus": "ENABLED"});
    Ok(answer)
}

fn instance_fields(organization: &Organization) -> Value {
    let identity = &organization.identity;
    let mut fields = json!({
        "InstanceArn": identity.instance_arn,
        "IdentityStoreId": identity.store,
        "OwnerAccountId": identity.management_account,
        "Name": identity.instance_name,
        "CreatedDate": identity.created,
        "Status": "ACTIVE",
    });
    organization.regions.describe(&mut fields, &json!(identity.created));
    fields
}

fn list_permission_sets(organization: &Organization, request: &Request) -> Answer {
    let instance = instance(organization, request)?;
    let paging = Paging::read(request, &[instance, "ListPermissionSets"])?;
    let rows = state::after(&organization.permission_sets, paging.after());
    Ok(paging.page("PermissionSets", rows.map(|(arn, _)| (arn.clone(), json!(arn)))))
}

fn describe_permission_set(organization: &Organization, request: &Request) -> Answer {
    let (arn, _) = permission_set(organization, request)?;
    Ok(json!({"PermissionSet": organization.permission_sets.get(arn)}))
}

fn list_managed_policies(organization: &Organization, request: &Request) -> Answer {
    let (arn, policies) = permission_set(organization, request)?;
    let paging = Paging::read(request, &["ListManagedPoliciesInPermissionSet", arn])?;
    let rows = policies.managed.iter().map(|policy| (Id::from(policy.arn.as_str()), json!(policy)));
    Ok(paging.page_of_few("AttachedManagedPolicies", rows))
}

fn list_customer_managed_policies(organization: &Organization, request: &Request) -> Answer {
    let (arn, policies) = permission_set(organization, request)?;
    let paging = Paging::read(request, &["ListCustomerManagedPolicyReferencesInPermissionSet", arn])?;
    let rows = policies.customer_managed.iter().map(|policy| (Id::from(&*policy.name), json!(policy)));
    Ok(paging.page_of_few("CustomerManagedPolicyReferences", rows))
}

fn get_inline_policy(organization: &Organization, request: &Request) -> Answer {
    let (_, policies) = permission_set(organization, request)?;
    Ok(json!({"InlinePolicy": policies.inline}))
}

fn get_permissions_boundary(organization: &Organization, request: &Request) -> Answer {
    let (arn, policies) = permission_set(organization, request)?;
    match &policies.boundary {
        Some(boundary) => Ok(json!({"PermissionsBoundary": boundary})),
        None => Err(Refusal::not_found(format!(
            "Could not find a permissions boundary for PermissionSet with id {}",
            last_part(arn)
        ))),
    }
}

fn list_accounts_for_permission_set(organization: &Organization, request: &Request) -> Answer {
    let (arn, _) = permission_set(organization, request)?;
    let scope = ["ListAccountsForProvisionedPermissionSet", arn];
    let outdated = |account: &Id| organization.outdated.contains(&(Id::from(arn), account.clone()));
    provisioned(request, &scope, "AccountIds", (&organization.index.accounts_of, arn), outdated)
}

fn list_permission_sets_for_account(organization: &Organization, request: &Request) -> Answer {
    instance(organization, request)?;
    let account = account_in(organization, request, "AccountId")?;
    let scope = ["ListPermissionSetsProvisionedToAccount", organization.instance_arn(), account];
    let outdated = |set: &Id| organization.outdated.contains(&(set.clone(), Id::from(account)));
    provisioned(request, &scope, "PermissionSets", (&organization.index.permission_sets_of, account), outdated)
}

fn provisioned(
    request: &Request,
    scope: &[&str],
    field: &str,
    (pairs, first): (&Pairs, &str),
    is_outdated: impl Fn(&Id) -> bool,
) -> Answer {
    const LATEST: &str = "LATEST_PERMISSION_SET_PROVISIONED";
    const OUTDATED: &str = "LATEST_PERMISSION_SET_NOT_PROVISIONED";
    let status = request.word("ProvisioningStatus", &[LATEST, OUTDATED])?;
    let mut scope = scope.to_vec();
    scope.extend(status);
    let paging = Paging::read(request, &scope)?;
    let wanted = |second: &&Id| status.is_none_or(|status| (status == OUTDATED) == is_outdated(second));
    let rows = state::seconds(pairs, first, paging.after()).filter(wanted);
    Ok(paging.page(field, rows.map(|second| (second.clone(), json!(second)))))
}

fn list_account_assignments(organization: &Organization, request: &Request) -> Answer {
    let (arn, _) = permission_set(organization, request)?;
    let account = account_in(organization, request, "AccountId")?;
    let paging = Paging::read(request, &["ListAccountAssignments", arn, account])?;
    let after = paging.after().and_then(|key| key.split_once(' ')).unwrap_or(("", ""));
    let first = Assignment {
        account_id: Id::from(account),
        permission_set_arn: Id::from(arn),
        principal_type: principal_type(after.0).unwrap_or(PrincipalType::Group),
        principal_id: Id::from(after.1),
    };
    let rows = organization
        .assignments
        .range((Bound::Excluded(first), Bound::Unbounded))
        .take_while(|row| *row.account_id == *account && *row.permission_set_arn == *arn)
        .map(|row| (Id::from(format!("{} {}", row.principal_type.as_str(), row.principal_id)), json!(row)));
    Ok(paging.page("AccountAssignments", rows))
}

/// The rows of the principal itself; what a user has through groups is found by asking for the groups.
fn list_account_assignments_for_principal(organization: &Organization, request: &Request) -> Answer {
    let instance = instance(organization, request)?;
    let principal = request.id("PrincipalId", Form::ResourceId)?;
    let word = request.word("PrincipalType", &["USER", "GROUP"])?.ok_or_else(|| request.missing("PrincipalType"))?;
    let kind = principal_type(word).ok_or_else(|| request.missing("PrincipalType"))?;
    let only = match request.value("Filter").and_then(|filter| filter.get("AccountId")) {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(request.formed("Filter.AccountId", id, Form::AccountId)?),
        Some(_) => return Err(Refusal::serialization("Filter.AccountId can not be converted to a String")),
    };
    let scope = [instance, "ListAccountAssignmentsForPrincipal", word, principal, only.unwrap_or_default()];
    let paging = Paging::read(request, &scope)?;
    let (account, arn) = paging.after().and_then(|key| key.split_once(' ')).unwrap_or(("", ""));
    let first = (kind, Id::from(principal), Id::from(account), Id::from(arn));
    let rows = organization
        .index
        .by_principal
        .range((Bound::Excluded(first), Bound::Unbounded))
        .take_while(|row| row.0 == kind && *row.1 == *principal)
        .filter(|row| only.is_none_or(|only| *row.2 == *only))
        .map(|(principal_type, principal_id, account_id, permission_set_arn)| {
            let row = json!({
                "AccountId": account_id,
                "PermissionSetArn": permission_set_arn,
                "PrincipalId": principal_id,
                "PrincipalType": principal_type,
            });
            (Id::from(format!("{account_id} {permission_set_arn}")), row)
        });
    Ok(paging.page("AccountAssignments", rows))
}

fn list_tags_for_resource(organization: &Organization, request: &Request) -> Answer {
    let arn = taggable(organization, request)?;
    let paging = Paging::read(request, &["ListTagsForResource", arn])?;
    let tags = organization.tags.get(arn).into_iter().flatten();
    Ok(paging.page_of_few("Tags", tags.map(|tag| (Id::from(&*tag.key), json!(tag)))))
}

/// The resource of the call, which must be the instance or one of its permission sets.
pub(crate) fn taggable<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let arn = request.id("ResourceArn", Form::SsoTaggable)?;
    if let Some(asked) = request.optional_id("InstanceArn", Form::InstanceArn)?
        && *asked != *organization.identity.instance_arn
    {
        return Err(no_instance(asked));
    }
    if *arn == *organization.identity.instance_arn || organization.permission_sets.contains_key(arn) {
        Ok(arn)
    } else {
        Err(Refusal::not_found(format!("Could not find resource {arn}")))
    }
}

pub(crate) fn principal_type(word: &str) -> Option<PrincipalType> {
    [PrincipalType::User, PrincipalType::Group].into_iter().find(|kind| kind.as_str() == word)
}

/// The instance of the call, which must be the one that there is.
pub(crate) fn instance<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let arn = request.id("InstanceArn", Form::InstanceArn)?;
    if *arn == *organization.identity.instance_arn { Ok(arn) } else { Err(no_instance(arn)) }
}

fn no_instance(arn: &str) -> Refusal {
    Refusal::not_found(format!("Could not find Instance with id {}", last_part(arn)))
}

/// The permission set of the call, which must exist in the instance of the call.
pub(crate) fn permission_set<'a, 'o>(
    organization: &'o Organization,
    request: &'a Request,
) -> Result<(&'a str, &'o Policies), Refusal> {
    instance(organization, request)?;
    let arn = request.id("PermissionSetArn", Form::PermissionSetArn)?;
    let missing = || Refusal::not_found(format!("Could not find PermissionSet with id {}", last_part(arn)));
    organization.policies.get(arn).map(|policies| (arn, policies)).ok_or_else(missing)
}

/// The account of the call, which must be in the organization.
pub(crate) fn account_in<'a>(
    organization: &Organization,
    request: &'a Request,
    field: &str,
) -> Result<&'a str, Refusal> {
    let id = request.id(field, Form::AccountId)?;
    let missing = || Refusal::not_found(format!("Could not find Account with id {id}"));
    organization.accounts.get(id).map(|_| id).ok_or_else(missing)
}

pub(crate) fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests;

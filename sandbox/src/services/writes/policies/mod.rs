//! What a permission set permits: policies attached and detached, put and deleted.
//!
//! Nothing is attached twice, nothing detached that is not there; every change leaves the accounts that have the
//! permission set with an outdated one.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Boundary;
use crate::records::CustomerManagedPolicy;
use crate::records::Id;
use crate::records::ManagedPolicy;
use crate::records::Policies;
use crate::services::sso_admin;
use crate::state::Organization;
use crate::validation::text;
use serde_json::Value;
use serde_json::json;

/// AWS's quota of managed and customer managed policies in a permission set.
const MOST: usize = 20;
/// Characters of an inline policy, and those of them that are not white space.
const INLINE: usize = 32_768;
const INLINE_DENSE: usize = 10_240;

/// `AttachManagedPolicyToPermissionSet`
pub(crate) fn attach_managed(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let policy = policy_arn(request)?;
    change(organization, request, |set, policies| {
        if policies.managed.iter().any(|held| held.arn == policy) {
            return Err(Refusal::conflict(format!(
                "Permission set {set} already has the managed policy {policy} attached."
            )));
        }
        must_have_room(policies)?;
        // The name is the last part of a policy that stands in a folder.
        let name = policy.rsplit('/').next().unwrap_or(policy).to_owned().into();
        policies.managed.push(ManagedPolicy { name, arn: policy.to_owned() });
        Ok(())
    })
}

/// `DetachManagedPolicyFromPermissionSet`
pub(crate) fn detach_managed(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let policy = policy_arn(request)?;
    change(organization, request, |set, policies| {
        let before = policies.managed.len();
        policies.managed.retain(|held| held.arn != policy);
        must_differ(before, policies.managed.len(), policy, set)
    })
}

/// `AttachCustomerManagedPolicyReferenceToPermissionSet`
pub(crate) fn attach_customer(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let policy = customer_policy(request, request.value("CustomerManagedPolicyReference"))?;
    change(organization, request, |set, policies| {
        if policies.customer_managed.contains(&policy) {
            let name = &policy.name;
            return Err(Refusal::conflict(format!(
                "Permission set {set} already has the customer managed policy {name} attached."
            )));
        }
        must_have_room(policies)?;
        policies.customer_managed.push(policy);
        Ok(())
    })
}

/// `DetachCustomerManagedPolicyReferenceFromPermissionSet`
pub(crate) fn detach_customer(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let policy = customer_policy(request, request.value("CustomerManagedPolicyReference"))?;
    change(organization, request, |set, policies| {
        let before = policies.customer_managed.len();
        policies.customer_managed.retain(|held| *held != policy);
        must_differ(before, policies.customer_managed.len(), &policy.name, set)
    })
}

/// `PutInlinePolicyToPermissionSet`
pub(crate) fn put_inline(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let text = request.optional_text("InlinePolicy")?.ok_or_else(|| request.missing("InlinePolicy"))?;
    text::bounded(request, "InlinePolicy", text, INLINE)?;
    if text.chars().filter(|c| !c.is_whitespace()).count() > INLINE_DENSE {
        let message = format!("The inline policy has more than {INLINE_DENSE} characters that are not white space.");
        return Err(Refusal::over_quota(message));
    }
    if !serde_json::from_str::<Value>(text).is_ok_and(|policy| policy.get("Statement").is_some()) {
        return Err(text::refused(request, "Inline policy document is malformed"));
    }
    change(organization, request, |_, policies| {
        text.clone_into(&mut policies.inline);
        Ok(())
    })
}

/// `DeleteInlinePolicyFromPermissionSet`
pub(crate) fn delete_inline(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    change(organization, request, |set, policies| {
        let before = policies.inline.len();
        policies.inline.clear();
        must_differ(before, 0, "inline policy", set)
    })
}

/// `PutPermissionsBoundaryToPermissionSet`
pub(crate) fn put_boundary(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let given = request.value("PermissionsBoundary").ok_or_else(|| request.missing("PermissionsBoundary"))?;
    let boundary = match (given.get("ManagedPolicyArn"), given.get("CustomerManagedPolicyReference")) {
        (Some(Value::String(arn)), None) => Boundary::Managed(arn.clone()),
        (None, Some(reference)) => Boundary::Customer(customer_policy(request, Some(reference))?),
        _ => {
            let rule = "Member must have exactly one of CustomerManagedPolicyReference and ManagedPolicyArn";
            return Err(text::invalid(request, "PermissionsBoundary", rule));
        }
    };
    change(organization, request, |_, policies| {
        policies.boundary = Some(boundary);
        Ok(())
    })
}

/// `DeletePermissionsBoundaryFromPermissionSet`
pub(crate) fn delete_boundary(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    change(organization, request, |set, policies| {
        let before = usize::from(policies.boundary.take().is_some());
        must_differ(before, 0, "permissions boundary", set)
    })
}

/// Changes the policies of the call's permission set; it is given the id that messages name it by.
fn change(
    organization: &mut Organization,
    request: &Request,
    how: impl FnOnce(&str, &mut Policies) -> Result<(), Refusal>,
) -> Answer {
    let (arn, _) = sso_admin::permission_set(organization, request)?;
    let arn = Id::from(arn);
    let id = sso_admin::last_part(&arn).to_owned();
    if let Some(policies) = organization.policies.get_mut(&arn) {
        how(&id, policies)?;
    }
    organization.outdate(&arn);
    Ok(json!({}))
}

fn must_have_room(policies: &Policies) -> Result<(), Refusal> {
    if policies.managed.len() + policies.customer_managed.len() < MOST {
        Ok(())
    } else {
        Err(Refusal::over_quota(format!("Cannot attach more than {MOST} policies to a permission set.")))
    }
}

fn must_differ(before: usize, now: usize, what: &str, set: &str) -> Result<(), Refusal> {
    if before == now {
        Err(Refusal::not_found(format!("Could not find {what} in PermissionSet with id {set}")))
    } else {
        Ok(())
    }
}

fn policy_arn(request: &Request) -> Result<&str, Refusal> {
    let arn = request.optional_text("ManagedPolicyArn")?.ok_or_else(|| request.missing("ManagedPolicyArn"))?;
    let known = arn.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::aws:policy/"));
    if known.is_some_and(|(_, name)| !name.is_empty()) && arn.len() <= 2_048 {
        Ok(arn)
    } else {
        let rule = "Member must satisfy regular expression pattern: arn:aws[a-z-]*:iam::aws:policy/.+";
        Err(text::invalid(request, "ManagedPolicyArn", rule))
    }
}

fn customer_policy(request: &Request, reference: Option<&Value>) -> Result<CustomerManagedPolicy, Refusal> {
    const FIELD: &str = "CustomerManagedPolicyReference";
    let reference = reference.ok_or_else(|| request.missing(FIELD))?;
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let name = text("Name").ok_or_else(|| request.missing("CustomerManagedPolicyReference.Name"))?;
    text::bounded(request, "CustomerManagedPolicyReference.Name", name, 128)?;
    let path = text("Path").unwrap_or("/");
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 {
        let rule = "Member must satisfy regular expression pattern: ((/[A-Za-z0-9\\.,\\+@=_-]+)*)/";
        return Err(text::invalid(request, "CustomerManagedPolicyReference.Path", rule));
    }
    Ok(CustomerManagedPolicy { name: name.to_owned().into(), path: path.to_owned().into() })
}

#[cfg(test)]
mod tests;

//! organizations: the accounts and the tree of units, read only.
//!
//! Pages of twenty at most, and for each kind of thing that does not exist the error that Organizations has for
//! that kind.

use crate::aws_json::Answer;
use crate::aws_json::Operation;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::paging::Paging;
use crate::records::Account;
use crate::records::Id;
use crate::state;
use crate::state::Organization;
use crate::validation::ids::Form;
use serde_json::Value;
use serde_json::json;

/// What can be asked.
pub(crate) const OPERATIONS: &[(&str, Operation)] = &[
    ("DescribeOrganization", describe_organization),
    ("ListAccounts", list_accounts),
    ("DescribeAccount", describe_account),
    ("ListRoots", list_roots),
    ("ListOrganizationalUnitsForParent", list_units_for_parent),
    ("ListAccountsForParent", list_accounts_for_parent),
    ("ListParents", list_parents),
    ("ListChildren", list_children),
    ("DescribeOrganizationalUnit", describe_unit),
    ("ListTagsForResource", list_tags_for_resource),
    ("ListDelegatedAdministrators", list_delegated_administrators),
];

/// The service that an account can administer for the organization.
const IDENTITY_CENTER: &str = "sso.amazonaws.com";
/// The account that does.
const DELEGATED: &str = "audit";

#[expect(clippy::unnecessary_wraps, reason = "every operation has this form; this one takes no arguments to refuse")]
fn describe_organization(organization: &Organization, _: &Request) -> Answer {
    let identity = &organization.identity;
    let management = organization.accounts.get(&identity.management_account);
    let arn = format!("arn:aws:organizations::{}:organization/{}", identity.management_account, identity.organization);
    Ok(json!({"Organization": {
        "Id": identity.organization,
        "Arn": arn,
        "FeatureSet": "ALL",
        "MasterAccountArn": management.map(|account| &account.arn),
        "MasterAccountId": identity.management_account,
        "MasterAccountEmail": management.map(|account| &account.email),
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }}))
}

fn list_accounts(organization: &Organization, request: &Request) -> Answer {
    let paging = Paging::read(request, &[&organization.identity.organization, "ListAccounts"])?;
    let rows = state::after(&organization.accounts, paging.after());
    Ok(paging.page("Accounts", rows.map(|(id, account)| (id.clone(), shown(account, request)))))
}

fn describe_account(organization: &Organization, request: &Request) -> Answer {
    let id = request.id("AccountId", Form::AccountId)?;
    let missing = || {
        let message = "You specified an account that doesn't exist.";
        Refusal::organizations("AccountNotFoundException", message)
    };
    organization.accounts.get(id).map(|account| json!({"Account": shown(account, request)})).ok_or_else(missing)
}

fn list_roots(organization: &Organization, request: &Request) -> Answer {
    let identity = &organization.identity;
    let paging = Paging::read(request, &[&identity.organization, "ListRoots"])?;
    let arn = format!(
        "arn:aws:organizations::{}:root/{}/{}",
        identity.management_account, identity.organization, identity.root
    );
    let root = json!({
        "Id": identity.root,
        "Arn": arn,
        "Name": "Root",
        "PolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    });
    Ok(paging.page_of_few("Roots", std::iter::once((identity.root.clone(), root))))
}

fn list_units_for_parent(organization: &Organization, request: &Request) -> Answer {
    let parent = parent(organization, request)?;
    let paging = Paging::read(request, &["ListOrganizationalUnitsForParent", parent])?;
    let rows = state::seconds(&organization.index.units_in, parent, paging.after());
    Ok(paging.page("OrganizationalUnits", rows.map(|id| (id.clone(), json!(organization.units.get(id))))))
}

fn list_accounts_for_parent(organization: &Organization, request: &Request) -> Answer {
    let parent = parent(organization, request)?;
    let paging = Paging::read(request, &["ListAccountsForParent", parent])?;
    let rows = state::seconds(&organization.index.accounts_in, parent, paging.after());
    let rows = rows.filter_map(|id| organization.accounts.get(id));
    Ok(paging.page("Accounts", rows.map(|account| (account.id.clone(), shown(account, request)))))
}

/// An account as AWS shows it.
fn shown(account: &Account, request: &Request) -> Value {
    let mut row = json!(account);
    if let (true, Value::Object(fields)) = (request.mishaps.no_account_status, &mut row) {
        fields.remove("Status");
    }
    row
}

fn list_parents(organization: &Organization, request: &Request) -> Answer {
    let child = request.id("ChildId", Form::ChildId)?;
    let parent = organization.parents.get(child).ok_or_else(|| {
        let message = "We can't find an organizational unit (OU) or AWS account with the ChildId that you specified.";
        Refusal::organizations("ChildNotFoundException", message)
    })?;
    let paging = Paging::read(request, &["ListParents", child])?;
    let kind = if *parent == organization.identity.root { "ROOT" } else { "ORGANIZATIONAL_UNIT" };
    let row = (parent.clone(), json!({"Id": parent, "Type": kind}));
    Ok(paging.page_of_few("Parents", std::iter::once(row)))
}

fn list_children(organization: &Organization, request: &Request) -> Answer {
    let parent = parent(organization, request)?;
    let kind = request.word("ChildType", &["ACCOUNT", "ORGANIZATIONAL_UNIT"])?;
    let kind = kind.ok_or_else(|| request.missing("ChildType"))?;
    let paging = Paging::read(request, &["ListChildren", kind, parent])?;
    let index = &organization.index;
    let pairs = if kind == "ACCOUNT" { &index.accounts_in } else { &index.units_in };
    let rows = state::seconds(pairs, parent, paging.after());
    Ok(paging.page("Children", rows.map(|id| (id.clone(), json!({"Id": id, "Type": kind})))))
}

fn describe_unit(organization: &Organization, request: &Request) -> Answer {
    let id = request.id("OrganizationalUnitId", Form::OuId)?;
    let missing = || {
        let message = "You specified an organizational unit that doesn't exist.";
        Refusal::organizations("OrganizationalUnitNotFoundException", message)
    };
    organization.units.get(id).map(|unit| json!({"OrganizationalUnit": unit})).ok_or_else(missing)
}

fn list_tags_for_resource(organization: &Organization, request: &Request) -> Answer {
    let id = request.id("ResourceId", Form::OrganizationsTaggable)?;
    if *id != *organization.identity.root && !organization.parents.contains_key(id) {
        let message = "You specified a target that doesn't exist.";
        return Err(Refusal::organizations("TargetNotFoundException", message));
    }
    let paging = Paging::read(request, &["ListTagsForResource", id])?;
    let tags = organization.tags.get(id).into_iter().flatten();
    Ok(paging.page_of_few("Tags", tags.map(|tag| (Id::from(&*tag.key), json!(tag)))))
}

fn list_delegated_administrators(organization: &Organization, request: &Request) -> Answer {
    let service = request.optional_text("ServicePrincipal")?.unwrap_or(IDENTITY_CENTER);
    let paging = Paging::read(request, &["ListDelegatedAdministrators", service])?;
    let delegated = |account: &&Account| service == IDENTITY_CENTER && account.name == DELEGATED;
    let rows = organization.accounts.values().filter(delegated).map(|account| {
        let mut row = shown(account, request);
        if let Value::Object(fields) = &mut row {
            fields.remove("Paths");
        }
        row["DelegationEnabledDate"] = json!(account.joined_timestamp);
        (account.id.clone(), row)
    });
    Ok(paging.page_of_few("DelegatedAdministrators", rows))
}

/// The root or unit of the call, which must exist.
fn parent<'a>(organization: &Organization, request: &'a Request) -> Result<&'a str, Refusal> {
    let id = request.id("ParentId", Form::ParentId)?;
    if *id == *organization.identity.root || organization.units.contains_key(id) {
        Ok(id)
    } else {
        let message = "You specified a root or OU that doesn't exist.";
        Err(Refusal::organizations("ParentNotFoundException", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shape;
    use crate::testing::Caller;
    use std::collections::BTreeSet;

    fn large() -> Caller {
        Caller::new(&Shape { seed: 3, accounts: 245, ..Shape::default() })
    }

    #[test]
    fn accounts_are_paged_by_twenty_and_the_union_is_the_organization() {
        let caller = Caller::new(&Shape { accounts: 45, ..Shape::default() });
        let (sizes, accounts) = caller.walk("AWSOrganizationsV20161128.ListAccounts", "Accounts", json!({}));
        assert_eq!(sizes, [20, 20, 5]);
        let all: Vec<Value> = caller.organization.accounts.values().map(|account| json!(account)).collect();
        assert_eq!(accounts, all);
        let ask = json!({"AccountId": accounts[0]["Id"]});
        assert_eq!(caller.ask("AWSOrganizationsV20161128.DescribeAccount", ask), json!({"Account": accounts[0]}));
        assert!(accounts[0]["JoinedTimestamp"].is_number());
    }

    #[test]
    fn the_tree_walked_down_holds_every_account_once_and_pages() {
        let caller = large();
        let roots = caller.ask("AWSOrganizationsV20161128.ListRoots", json!({}));
        let mut open = vec![roots["Roots"][0]["Id"].clone()];
        let mut accounts = Vec::new();
        let mut units = 0;
        let mut most = 0;
        while let Some(parent) = open.pop() {
            let ask = || json!({"ParentId": parent});
            let operation = "AWSOrganizationsV20161128.ListOrganizationalUnitsForParent";
            let (sizes, below) = caller.walk(operation, "OrganizationalUnits", ask());
            most = most.max(sizes.len());
            units += below.len();
            let (_, here) = caller.walk("AWSOrganizationsV20161128.ListAccountsForParent", "Accounts", ask());
            for (kind, rows) in [("ORGANIZATIONAL_UNIT", &below), ("ACCOUNT", &here)] {
                let ask = json!({"ParentId": parent, "ChildType": kind});
                let (_, children) = caller.walk("AWSOrganizationsV20161128.ListChildren", "Children", ask);
                assert!(children.iter().map(|child| &child["Id"]).eq(rows.iter().map(|row| &row["Id"])));
                for row in rows.iter().take(2) {
                    let ask = json!({"ChildId": row["Id"]});
                    let parents = caller.ask("AWSOrganizationsV20161128.ListParents", ask);
                    assert_eq!(parents["Parents"][0]["Id"], parent);
                }
            }
            accounts.extend(here.iter().map(|account| account["Id"].to_string()));
            open.extend(below.iter().map(|unit| unit["Id"].clone()));
        }
        assert_eq!(accounts.len(), 245);
        assert_eq!(accounts.iter().collect::<BTreeSet<_>>().len(), 245);
        assert_eq!(units, caller.organization.units.len());
        assert!(most > 1, "some unit has more than one page of units");
    }

    #[test]
    fn each_kind_of_absence_has_its_own_error() {
        let caller = Caller::new(&Shape::default());
        for (operation, ask, code) in [
            ("DescribeAccount", json!({"AccountId": "000000000000"}), "AccountNotFoundException"),
            ("ListAccountsForParent", json!({"ParentId": "ou-0000-00000000"}), "ParentNotFoundException"),
            ("ListOrganizationalUnitsForParent", json!({"ParentId": "r-0000"}), "ParentNotFoundException"),
            ("ListParents", json!({"ChildId": "000000000000"}), "ChildNotFoundException"),
            (
                "DescribeOrganizationalUnit",
                json!({"OrganizationalUnitId": "ou-0000-00000000"}),
                "OrganizationalUnitNotFoundException",
            ),
            ("ListTagsForResource", json!({"ResourceId": "000000000000"}), "TargetNotFoundException"),
            ("DescribeAccount", json!({"AccountId": "12"}), "InvalidInputException"),
            ("ListAccounts", json!({"MaxResults": 21}), "InvalidInputException"),
            ("ListAccounts", json!({"NextToken": "no such token"}), "InvalidInputException"),
        ] {
            let refusal = caller.refused(&format!("AWSOrganizationsV20161128.{operation}"), ask);
            assert_eq!(refusal["__type"], code, "{operation}");
        }
    }

    #[test]
    fn the_organization_units_and_tags_are_described() {
        let caller = Caller::new(&Shape::default());
        let described = caller.ask("AWSOrganizationsV20161128.DescribeOrganization", json!({}));
        assert_eq!(described["Organization"]["MasterAccountId"], caller.organization.management_account());
        let unit = caller.organization.units.keys().next().expect("one");
        let ask = json!({"OrganizationalUnitId": unit});
        let found = caller.ask("AWSOrganizationsV20161128.DescribeOrganizationalUnit", ask);
        assert_eq!(found["OrganizationalUnit"]["Id"], json!(unit));
        let tagged = caller.organization.tags.keys().find(|key| Form::AccountId.fits(key)).expect("one");
        let ask = json!({"ResourceId": tagged});
        let tags = caller.ask("AWSOrganizationsV20161128.ListTagsForResource", ask);
        assert_eq!(tags["Tags"].as_array().map(Vec::len), Some(2));
    }
}

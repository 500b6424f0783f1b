//! Generates permission sets and assignments.
//!
//! Most assignments are to groups, some to users. Two are orphans of deleted principals. In large shapes one listing
//! of each kind spans pages.

use crate::config::Shape;
use crate::generate::Dice;
use crate::generate::names;
use crate::records::Assignment;
use crate::records::Boundary;
use crate::records::CustomerManagedPolicy;
use crate::records::Id;
use crate::records::ManagedPolicy;
use crate::records::PermissionSet;
use crate::records::Policies;
use crate::records::PrincipalType;
use crate::records::Tag;
use crate::state::Organization;

/// AWS's quota of permission sets in one account.
const IN_ONE_ACCOUNT: usize = 500;
/// Users with a direct assignment in one account: more than one page, if there are enough users.
const BY_PERSON: usize = 110;

/// Adds permission sets and assignments.
pub(crate) fn fill(organization: &mut Organization, shape: &Shape) {
    let sets = add_permission_sets(organization, &mut Dice::new(shape.seed, "permission sets"), shape);
    add_assignments(organization, &mut Dice::new(shape.seed, "assignments"), &sets);
}

fn add_permission_sets(organization: &mut Organization, dice: &mut Dice, shape: &Shape) -> Vec<Id> {
    let instance = organization.identity.instance_arn.replace(":instance/", ":permissionSet/");
    let mut arns = Vec::new();
    for number in 0..shape.permission_sets as usize {
        let arn = Id::from(format!("{instance}/ps-{}", dice.hex(16)));
        let known = names::PERMISSION_SETS.get(number);
        let name = known.map_or_else(|| format!("Team-{:04}", number + 1), |(name, _)| (*name).to_owned());
        let permission_set = PermissionSet {
            description: (number % 5 != 4).then(|| format!("What {name} needs")),
            name,
            permission_set_arn: arn.clone(),
            created_date: dice.moment(),
            session_duration: ["PT1H", "PT8H", "PT12H", "PT1H30M"][number % 4].into(),
            relay_state: (number == 3).then(|| "https://console.aws.amazon.com/billing/home".into()),
        };
        let policies = policies(dice, number, known.map(|(name, policy)| (*name, *policy)));
        organization.add_permission_set(permission_set, policies);
        if number % 2 == 0 {
            organization
                .tags
                .insert(arn.clone(), vec![Tag { key: "Owner".into(), value: dice.one_of(names::TEAMS).into() }]);
        }
        arns.push(arn);
    }
    organization
        .tags
        .insert(organization.identity.instance_arn.clone(), vec![Tag { key: "Stage".into(), value: "sandbox".into() }]);
    arns
}

fn policies(dice: &mut Dice, number: usize, known: Option<(&'static str, &'static str)>) -> Policies {
    let mut chosen: Vec<(&'static str, &'static str)> = known.into_iter().collect();
    if known.is_none() || number % 3 == 1 {
        let first = dice.below(names::MORE_POLICIES.len());
        let second = (first + 1) % names::MORE_POLICIES.len();
        chosen.extend([names::MORE_POLICIES[first], names::MORE_POLICIES[second]]);
    }
    let managed = chosen.into_iter().map(|(name, policy)| managed_policy(name, policy)).collect();
    let customer = CustomerManagedPolicy { name: "workload-boundary".into(), path: "/platform/".into() };
    Policies {
        managed,
        customer_managed: if number % 4 == 2 { vec![customer.clone()] } else { Vec::new() },
        inline: if number % 4 == 1 { inline_policy(number) } else { String::new() },
        boundary: match number {
            1 => Some(Boundary::Customer(customer)),
            5 => Some(Boundary::Managed("arn:aws:iam::aws:policy/PowerUserAccess".into())),
            _ => None,
        },
    }
}

fn managed_policy(name: &'static str, policy: &str) -> ManagedPolicy {
    // The name is the last part of a policy with a path.
    ManagedPolicy { name: name.into(), arn: format!("arn:aws:iam::aws:policy/{policy}") }
}

fn inline_policy(number: usize) -> String {
    let statement = serde_json::json!({
        "Sid": format!("Deny{number}"), "Effect": "Deny", "Action": ["iam:CreateUser", "iam:CreateAccessKey"], "Resource": "*"
    });
    serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn add_assignments(organization: &mut Organization, dice: &mut Dice, sets: &[Id]) {
    // Ordered by name, so that assignments do not depend on random ids of another size.
    let groups: Vec<Id> = organization.index.group_by_name.values().cloned().collect();
    let users: Vec<Id> = organization.index.user_by_name.values().cloned().collect();
    let active = |account: &&crate::records::Account| account.state == "ACTIVE";
    let accounts: Vec<Id> = organization.accounts.values().filter(active).map(|account| account.id.clone()).collect();
    let Some(administrator) = sets.first() else { return };
    let break_glass = organization.index.group_by_name.get("break glass").cloned();
    for (number, account) in accounts.iter().enumerate() {
        if let Some(group) = &break_glass {
            assign(organization, account, administrator, PrincipalType::Group, group);
        }
        let given: Vec<&Id> = if number == 0 {
            sets.iter().take(IN_ONE_ACCOUNT).collect()
        } else {
            let count = 1 + dice.below(sets.len().min(5));
            (0..count).map(|_| &sets[dice.below(sets.len())]).collect()
        };
        for set in given {
            for _ in 0..=dice.below(3) {
                let to_person = groups.is_empty() || dice.once_in(5);
                let (kind, from) =
                    if to_person { (PrincipalType::User, &users) } else { (PrincipalType::Group, &groups) };
                if let Some(principal) = from.get(dice.below(from.len())) {
                    assign(organization, account, set, kind, principal);
                }
            }
        }
    }
    let Some(first) = accounts.first() else { return };
    let read_only = sets.get(2).unwrap_or(administrator);
    if users.len() > 2 * BY_PERSON {
        for user in users.iter().take(BY_PERSON) {
            assign(organization, first, read_only, PrincipalType::User, user);
        }
    }
    for kind in [PrincipalType::User, PrincipalType::Group] {
        let deleted = dice.id_in(&organization.identity.store);
        assign(organization, first, read_only, kind, &deleted);
    }
}

/// Assigns the first permission set to the emergency group in an account, as in all others.
pub(crate) fn give_emergency_access(organization: &mut Organization, account: &Id) {
    let group = organization.index.group_by_name.get("break glass").cloned();
    let administrator = organization.permission_sets.values().find(|set| set.name == "AdministratorAccess");
    if let (Some(group), Some(set)) = (group, administrator.map(|set| set.permission_set_arn.clone())) {
        assign(organization, account, &set, PrincipalType::Group, &group);
    }
}

fn assign(organization: &mut Organization, account: &Id, set: &Id, kind: PrincipalType, principal: &Id) {
    organization.add_assignment(Assignment {
        account_id: account.clone(),
        permission_set_arn: set.clone(),
        principal_type: kind,
        principal_id: principal.clone(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_mostly_to_groups_and_some_outlive_their_principal() {
        let made = Organization::generate(&Shape { users: 200, ..Shape::default() });
        let of = |kind| made.assignments.iter().filter(move |a| a.principal_type == kind);
        let (groups, users) = (of(PrincipalType::Group).count(), of(PrincipalType::User).count());
        assert!(groups > 2 * users && users > 3, "{groups} to groups, {users} to people");
        assert_eq!(of(PrincipalType::User).filter(|a| !made.users.contains_key(&a.principal_id)).count(), 1);
        assert_eq!(of(PrincipalType::Group).filter(|a| !made.groups.contains_key(&a.principal_id)).count(), 1);
        assert!(made.assignments.iter().all(|a| made.accounts[&a.account_id].state == "ACTIVE"));
    }

    #[test]
    fn permission_sets_differ_in_what_they_carry() {
        let made = Organization::generate(&Shape::default());
        let some = |test: fn(&Policies) -> bool| made.policies.values().filter(|p| test(p)).count();
        for count in [
            some(|p| !p.inline.is_empty()),
            some(|p| !p.customer_managed.is_empty()),
            some(|p| p.boundary.is_some()),
            some(|p| p.managed.len() > 1),
        ] {
            assert!((1..8).contains(&count), "{count}");
        }
        assert_eq!(made.permission_sets.values().filter(|set| set.relay_state.is_some()).count(), 1);
    }
}

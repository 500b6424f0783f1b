//! Generates the accounts of an organization and its organizational units.
//!
//! The management account is in the root, one account is suspended, one id starts with a zero, and units are nested.

use crate::config::Shape;
use crate::generate::Dice;
use crate::generate::names;
use crate::records::Account;
use crate::records::Id;
use crate::records::Moment;
use crate::records::Tag;
use crate::records::Unit;
use crate::state::Organization;

/// The units with accounts.
struct Tree {
    root: Id,
    security: Id,
    infrastructure: Id,
    suspended: Id,
    teams: Vec<Id>,
}

/// Adds units and accounts.
pub(crate) fn fill(organization: &mut Organization, shape: &Shape) {
    let tree = add_units(organization, &mut Dice::new(shape.seed, "units"), shape.accounts as usize);
    add_accounts(organization, &mut Dice::new(shape.seed, "accounts"), shape.accounts.max(1) as usize, &tree);
}

fn add_units(organization: &mut Organization, dice: &mut Dice, accounts: usize) -> Tree {
    let root = organization.identity.root.clone();
    let security = add_unit(organization, dice, "Security", &root);
    let infrastructure = add_unit(organization, dice, "Infrastructure", &root);
    let workloads = add_unit(organization, dice, "Workloads", &root);
    let suspended = add_unit(organization, dice, "Suspended", &root);
    let production = add_unit(organization, dice, "Production", &workloads);
    let mut teams = vec![production, add_unit(organization, dice, "Development", &workloads)];
    for number in 0..accounts / 10 {
        let team = names::TEAMS[number % names::TEAMS.len()];
        let round = number / names::TEAMS.len();
        let name = if round == 0 { format!("Team {team}") } else { format!("Team {team} {}", round + 1) };
        teams.push(add_unit(organization, dice, &name, &workloads));
    }
    Tree { root, security, infrastructure, suspended, teams }
}

fn add_unit(organization: &mut Organization, dice: &mut Dice, name: &str, parent: &Id) -> Id {
    let identity = &organization.identity;
    let id = Id::from(format!("ou-{}-{}", identity.root.trim_start_matches("r-"), dice.base36(8)));
    let unit = Unit {
        arn: format!("arn:aws:organizations::{}:ou/{}/{id}", identity.management_account, identity.organization),
        path: format!("{}{id}/", path(organization, parent)),
        id: id.clone(),
        name: name.to_owned(),
    };
    organization.add_unit(unit, parent);
    id
}

/// `o-.../r-.../ou-.../`
fn path(organization: &Organization, parent: &Id) -> String {
    match organization.units.get(parent) {
        Some(unit) => unit.path.clone(),
        None => format!("{}/{}/", organization.identity.organization, organization.identity.root),
    }
}

fn add_accounts(organization: &mut Organization, dice: &mut Dice, accounts: usize, tree: &Tree) {
    for number in 0..accounts {
        let suspended = number >= 3 && number + 1 == accounts;
        let core = number.checked_sub(1).and_then(|n| names::CORE_ACCOUNTS.get(n));
        let (name, mailbox) = match (number, core) {
            (0, _) => ("management".to_owned(), "management".to_owned()),
            (n, Some(name)) => ((*name).to_owned(), format!("core-{n}")),
            (n, None) => {
                let name = team_account(n - 1 - names::CORE_ACCOUNTS.len());
                (name.clone(), name)
            }
        };
        let parent = match number {
            0 => &tree.root,
            _ if suspended => &tree.suspended,
            1 | 2 => &tree.security,
            3 | 4 => &tree.infrastructure,
            n => &tree.teams[n % tree.teams.len()],
        };
        let id = account_id(organization, dice, number);
        let state = if suspended { "SUSPENDED" } else { "ACTIVE" };
        let joined = if number == 0 { Moment(organization.identity.created.0 - 60_000) } else { dice.moment() };
        let mut account = account(organization, &id, parent, (name, &mailbox), (state, state), joined);
        if number == 0 {
            account.joined_method = "INVITED";
        }
        organization.add_account(account, parent);
        if number % 2 == 1 {
            let tags = vec![
                Tag { key: "Environment".into(), value: names::STAGES[number % names::STAGES.len()].into() },
                Tag { key: "Owner".into(), value: dice.one_of(names::TEAMS).into() },
            ];
            organization.tags.insert(id, tags);
        }
    }
}

fn account(
    organization: &Organization,
    id: &Id,
    parent: &Id,
    (name, mailbox): (String, &str),
    (state, status): (&'static str, &'static str),
    joined_timestamp: Moment,
) -> Account {
    let identity = &organization.identity;
    Account {
        arn: format!("arn:aws:organizations::{}:account/{}/{id}", identity.management_account, identity.organization),
        email: format!("aws+{mailbox}@example.com"),
        name,
        status,
        state,
        paths: vec![format!("{}{id}/", path(organization, parent))],
        joined_method: "CREATED",
        joined_timestamp,
        id: id.clone(),
    }
}

/// Account states of large organizations besides active and suspended: name, state, and the status that AWS gave such
/// an account until it retired the field.
const EVERY_STATE: [(&str, &str, &str); 5] = [
    ("closed", "CLOSED", "SUSPENDED"),
    ("pending-activation", "PENDING_ACTIVATION", "ACTIVE"),
    ("pending-closure", "PENDING_CLOSURE", "PENDING_CLOSURE"),
    ("twin", "ACTIVE", "ACTIVE"),
    ("twin", "ACTIVE", "ACTIVE"),
];

/// Adds an account in each other state, and two active ones with the same name. The group with emergency access has
/// access to them as to all active accounts.
pub(crate) fn add_every_state(organization: &mut Organization) {
    let mut dice = Dice::new(0, &format!("account states of {}", organization.identity.organization));
    let root = organization.identity.root.clone();
    let teams: Vec<Id> = organization.units.keys().cloned().collect();
    for (number, (name, state, status)) in EVERY_STATE.into_iter().enumerate() {
        let parent = teams.get(number % teams.len().max(1)).unwrap_or(&root).clone();
        // The first number is the management account.
        let id = account_id(organization, &mut dice, number + 2);
        let mailbox = format!("{name}-{number}");
        let joined = dice.moment();
        let account = account(organization, &id, &parent, (name.to_owned(), &mailbox), (state, status), joined);
        organization.add_account(account, &parent);
        if state == "ACTIVE" {
            crate::generate::assignments::give_emergency_access(organization, &id);
        }
    }
}

fn team_account(number: usize) -> String {
    let stage = names::STAGES[number % names::STAGES.len()];
    let number = number / names::STAGES.len();
    let team = names::TEAMS[number % names::TEAMS.len()].to_ascii_lowercase();
    let round = number / names::TEAMS.len();
    if round == 0 { format!("{team}-{stage}") } else { format!("{team}{}-{stage}", round + 1) }
}

fn account_id(organization: &Organization, dice: &mut Dice, number: usize) -> Id {
    if number == 0 {
        return organization.identity.management_account.clone();
    }
    loop {
        let mut id = dice.account_id();
        if number % 9 == 1 {
            id.replace_range(..1, "0");
        }
        let id = Id::from(id);
        if id != organization.identity.management_account && !organization.accounts.contains_key(&id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_and_a_name_for_two_are_added_and_the_rest_stays() {
        let plain = Organization::generate(&Shape::default());
        let made = plain.clone().with_account_states();
        for state in ["ACTIVE", "SUSPENDED", "CLOSED", "PENDING_ACTIVATION", "PENDING_CLOSURE"] {
            assert!(made.accounts.values().any(|account| account.state == state), "{state}");
        }
        let twins: Vec<&Account> = made.accounts.values().filter(|account| account.name == "twin").collect();
        assert_eq!(twins.len(), 2);
        assert!(twins.iter().all(|twin| made.assignments.iter().any(|row| row.account_id == twin.id)));
        assert_eq!(made.accounts.len(), plain.accounts.len() + 5);
        assert!(plain.accounts.keys().all(|id| made.accounts.contains_key(id)));
        assert!(plain.assignments.is_subset(&made.assignments) && plain.users.keys().eq(made.users.keys()));
    }

    #[test]
    fn the_tree_holds_every_account_once_and_one_is_suspended() {
        let made = Organization::generate(&Shape { accounts: 250, ..Shape::default() });
        assert_eq!(made.index.accounts_in.len(), 250);
        assert_eq!(made.accounts.values().filter(|account| account.state == "SUSPENDED").count(), 1);
        assert_eq!(made.parents[&made.identity.management_account], made.identity.root);
        assert!(made.units.values().any(|unit| made.parents[&unit.id] != made.identity.root), "nested units");
        assert!(made.accounts.values().all(|account| account.email.len() <= 64));
        let mut names: Vec<&str> = made.accounts.values().map(|account| account.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 250, "account names are told apart");
    }
}

//! The accounts of an organisation and the tree of units that they stand in.
//!
//! Neighbours: `generate.rs` calls it, `access.rs` gives access to what it makes. Promise: the management account is
//! in the root, one account is suspended, one id begins with a zero, and units are nested.

use super::generate::Dice;
use super::names;
use super::organisation::Organisation;
use super::records::Account;
use super::records::Id;
use super::records::Moment;
use super::records::Tag;
use super::records::Unit;
use super::shape::Shape;

/// The units that accounts are put into.
struct Tree {
    root: Id,
    security: Id,
    infrastructure: Id,
    suspended: Id,
    teams: Vec<Id>,
}

/// Adds units and accounts.
pub(super) fn fill(organisation: &mut Organisation, shape: &Shape) {
    let tree = add_units(organisation, &mut Dice::new(shape.seed, "units"), shape.accounts as usize);
    add_accounts(organisation, &mut Dice::new(shape.seed, "accounts"), shape.accounts.max(1) as usize, &tree);
}

fn add_units(organisation: &mut Organisation, dice: &mut Dice, accounts: usize) -> Tree {
    let root = organisation.identity.root.clone();
    let security = add_unit(organisation, dice, "Security", &root);
    let infrastructure = add_unit(organisation, dice, "Infrastructure", &root);
    let workloads = add_unit(organisation, dice, "Workloads", &root);
    let suspended = add_unit(organisation, dice, "Suspended", &root);
    let production = add_unit(organisation, dice, "Production", &workloads);
    let mut teams = vec![production, add_unit(organisation, dice, "Development", &workloads)];
    for number in 0..accounts / 10 {
        let team = names::TEAMS[number % names::TEAMS.len()];
        let round = number / names::TEAMS.len();
        let name = if round == 0 { format!("Team {team}") } else { format!("Team {team} {}", round + 1) };
        teams.push(add_unit(organisation, dice, &name, &workloads));
    }
    Tree { root, security, infrastructure, suspended, teams }
}

fn add_unit(organisation: &mut Organisation, dice: &mut Dice, name: &str, parent: &Id) -> Id {
    let identity = &organisation.identity;
    let id = Id::from(format!("ou-{}-{}", identity.root.trim_start_matches("r-"), dice.base36(8)));
    let unit = Unit {
        arn: format!("arn:aws:organizations::{}:ou/{}/{id}", identity.management_account, identity.organization),
        path: format!("{}{id}/", path(organisation, parent)),
        id: id.clone(),
        name: name.to_owned(),
    };
    organisation.add_unit(unit, parent);
    id
}

/// `o-.../r-.../ou-.../`
fn path(organisation: &Organisation, parent: &Id) -> String {
    match organisation.units.get(parent) {
        Some(unit) => unit.path.clone(),
        None => format!("{}/{}/", organisation.identity.organization, organisation.identity.root),
    }
}

fn add_accounts(organisation: &mut Organisation, dice: &mut Dice, accounts: usize, tree: &Tree) {
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
        let id = account_id(organisation, dice, number);
        let state = if suspended { "SUSPENDED" } else { "ACTIVE" };
        let identity = &organisation.identity;
        let account = Account {
            arn: format!(
                "arn:aws:organizations::{}:account/{}/{id}",
                identity.management_account, identity.organization
            ),
            email: format!("aws+{mailbox}@example.com"),
            name,
            status: state,
            state,
            paths: vec![format!("{}{id}/", path(organisation, parent))],
            joined_method: if number == 0 { "INVITED" } else { "CREATED" },
            joined_timestamp: if number == 0 { Moment(identity.created.0 - 60_000) } else { dice.moment() },
            id: id.clone(),
        };
        organisation.add_account(account, parent);
        if number % 2 == 1 {
            let tags = vec![
                Tag { key: "Environment".into(), value: names::STAGES[number % names::STAGES.len()].into() },
                Tag { key: "Owner".into(), value: dice.one_of(names::TEAMS).into() },
            ];
            organisation.tags.insert(id, tags);
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

fn account_id(organisation: &Organisation, dice: &mut Dice, number: usize) -> Id {
    if number == 0 {
        return organisation.identity.management_account.clone();
    }
    loop {
        let mut id = dice.account_id();
        if number % 9 == 1 {
            id.replace_range(..1, "0");
        }
        let id = Id::from(id);
        if id != organisation.identity.management_account && !organisation.accounts.contains_key(&id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_holds_every_account_once_and_one_is_suspended() {
        let made = Organisation::generate(&Shape { accounts: 250, ..Shape::default() });
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

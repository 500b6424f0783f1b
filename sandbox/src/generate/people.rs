//! The identity store of an organization: people, groups, and who is in which.
//!
//! User names and group names are unique as AWS demands, display names of people are not; one group spans several
//! pages, one is empty.

use crate::config::Shape;
use crate::generate::Dice;
use crate::generate::names;
use crate::generate::names::Odd;
use crate::records::Email;
use crate::records::ExternalId;
use crate::records::Group;
use crate::records::Id;
use crate::records::MemberId;
use crate::records::Membership;
use crate::records::Name;
use crate::records::User;
use crate::state::Organization;
use std::collections::BTreeSet;
use std::collections::HashMap;

/// The most members of the group of all staff: enough for three pages.
const ALL_STAFF: usize = 250;
/// The most members of any other group.
const TEAM: usize = 24;

/// Adds people, groups and memberships.
pub(crate) fn fill(organization: &mut Organization, shape: &Shape) {
    let users = add_users(organization, shape);
    let groups = add_groups(organization, shape);
    add_memberships(organization, &mut Dice::new(shape.seed, "memberships"), &users, &groups);
}

fn add_users(organization: &mut Organization, shape: &Shape) -> Vec<Id> {
    let mut dice = Dice::new(shape.seed, "users");
    let mut namesakes: HashMap<String, usize> = HashMap::new();
    let mut ids = Vec::new();
    for number in 0..shape.users as usize {
        let mut user = match names::ODD_PEOPLE.get(number) {
            Some(odd) => odd_user(organization, &mut dice, odd),
            None => ordinary_user(organization, &mut dice, &mut namesakes),
        };
        if number % 7 == 3 {
            let id = format!("00u{}", dice.base36(17));
            user.external_ids = vec![ExternalId { issuer: "https://idp.example.com/scim".into(), id }];
        }
        if number % 23 == 22 {
            user.user_status = "DISABLED";
        }
        ids.push(user.user_id.clone());
        organization.add_user(user);
    }
    ids
}

fn odd_user(organization: &Organization, dice: &mut Dice, odd: &Odd) -> User {
    let mut user = blank_user(organization, dice, odd.user_name.to_owned());
    user.display_name = Some(odd.display.to_owned());
    if !odd.mailbox.is_empty() {
        user.name = Some(Name { family_name: odd.family.into(), given_name: odd.given.into(), more: None });
        user.emails = email(odd.mailbox);
    }
    user
}

fn ordinary_user(organization: &Organization, dice: &mut Dice, namesakes: &mut HashMap<String, usize>) -> User {
    let (given, family) = (dice.one_of(names::GIVEN), dice.one_of(names::FAMILY));
    let plain = format!("{given}.{family}").to_ascii_lowercase();
    let count = namesakes.entry(plain.clone()).or_default();
    let user_name = loop {
        *count += 1;
        let name = if *count == 1 { plain.clone() } else { format!("{plain}{count}") };
        if !organization.index.user_by_name.contains_key(&name) {
            break name;
        }
    };
    let emails = email(&user_name);
    let mut user = blank_user(organization, dice, user_name);
    user.name = Some(Name { family_name: family.into(), given_name: given.into(), more: None });
    user.display_name = Some(format!("{given} {family}"));
    user.emails = emails;
    user.title = if dice.once_in(4) { None } else { Some(dice.one_of(names::TITLES).into()) };
    user
}

fn blank_user(organization: &Organization, dice: &mut Dice, user_name: String) -> User {
    let store = organization.identity.store.clone();
    let user_id = dice.id_in(&store);
    let created = dice.moment();
    User {
        user_arn: format!("arn:aws:identitystore:::user/{user_id}"),
        identity_store_id: store,
        user_id,
        revision: dice.decimal(16),
        user_name,
        external_ids: Vec::new(),
        name: None,
        display_name: None,
        emails: Vec::new(),
        title: None,
        more: None,
        user_status: "ENABLED",
        created_at: created,
        updated_at: created,
    }
}

fn email(mailbox: &str) -> Vec<Email> {
    vec![Email { value: format!("{mailbox}@example.com"), kind: Some("work".into()), primary: true }]
}

fn add_groups(organization: &mut Organization, shape: &Shape) -> Vec<Id> {
    let mut dice = Dice::new(shape.seed, "groups");
    let store = organization.identity.store.clone();
    let mut ids = Vec::new();
    for number in 0..shape.groups as usize {
        let (display_name, description) = group_name(number, shape.groups as usize);
        let group_id = dice.id_in(&store);
        let created = dice.moment();
        ids.push(group_id.clone());
        organization.add_group(Group {
            identity_store_id: store.clone(),
            group_arn: format!("arn:aws:identitystore:::group/{group_id}"),
            group_id,
            revision: dice.decimal(16),
            display_name,
            external_ids: Vec::new(),
            description,
            created_at: created,
            updated_at: created,
        });
    }
    ids
}

/// The name and description of the group with this number: staff, break glass, the odd ones, teams, an empty one.
fn group_name(number: usize, groups: usize) -> (String, Option<String>) {
    let odd = number.checked_sub(2).and_then(|n| names::ODD_GROUPS.get(n));
    match (number, odd) {
        (0, _) => ("All Staff".into(), Some("Everybody who works here".into())),
        (1, _) => ("Break Glass".into(), Some("Emergency access to every account".into())),
        (n, _) if n + 1 == groups => ("Future Hires".into(), Some("Nobody yet".into())),
        (_, Some(odd)) => ((*odd).into(), None),
        (n, None) => {
            let n = n - 2 - names::ODD_GROUPS.len();
            let team = names::TEAMS[n % names::TEAMS.len()];
            let duty = names::DUTIES[n / names::TEAMS.len() % names::DUTIES.len()];
            let round = n / (names::TEAMS.len() * names::DUTIES.len());
            let name = if round == 0 { format!("{team} {duty}") } else { format!("{team} {duty} {}", round + 1) };
            (name, (n % 3 != 2).then(|| format!("{duty} of the {team} team")))
        }
    }
}

fn add_memberships(organization: &mut Organization, dice: &mut Dice, users: &[Id], groups: &[Id]) {
    // About two groups for each person, however many groups there are.
    let mut budget = users.len().saturating_mul(2);
    for (number, group) in groups.iter().enumerate() {
        let empty = number >= 2 && number + 1 == groups.len();
        let members: BTreeSet<usize> = match number {
            _ if empty => BTreeSet::new(),
            0 => (0..users.len().min(ALL_STAFF)).collect(),
            1 => (0..2).map(|_| dice.below(users.len())).collect(),
            _ => {
                let size = if budget == 0 { 1 } else { 1 + dice.below(TEAM.min(users.len())) };
                budget = budget.saturating_sub(size);
                (0..size).map(|_| dice.below(users.len())).collect()
            }
        };
        for user in members.into_iter().filter_map(|member| users.get(member)) {
            let store = organization.identity.store.clone();
            let membership_id = dice.id_in(&store);
            organization.add_membership(Membership {
                identity_store_id: store,
                membership_id,
                group_id: group.clone(),
                member_id: MemberId { user_id: user.clone() },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Organization {
        Organization::generate(&Shape::default())
    }

    #[test]
    fn the_odd_people_are_there_and_two_share_a_display_name() {
        let made = made();
        assert_eq!(made.index.user_by_name.len(), made.users.len(), "user names are unique whatever their case");
        assert_eq!(made.index.group_by_name.len(), made.groups.len(), "group names are unique whatever their case");
        let shown = |text: &str| made.users.values().filter(|u| u.display_name.as_deref() == Some(text)).count();
        assert!(shown("Alex Kim") >= 2);
        assert!(made.users.values().any(|u| u.display_name.as_deref().is_some_and(|name| name.contains('\u{1b}'))));
        assert!(made.users.values().any(|u| u.display_name.as_deref().is_some_and(|name| name.starts_with('='))));
        assert!(made.users.values().any(|u| u.emails.is_empty() && u.name.is_none()));
        assert!(made.users.values().any(|u| u.user_status == "DISABLED"));
    }

    #[test]
    fn one_group_spans_pages_one_is_empty_and_people_are_in_several() {
        let made = made();
        let size = |name: &str| {
            let id = &made.index.group_by_name[&name.to_lowercase()];
            made.memberships.values().filter(|m| m.group_id == *id).count()
        };
        assert_eq!(size("All Staff"), ALL_STAFF);
        assert_eq!(size("Future Hires"), 0);
        let several = made
            .users
            .keys()
            .filter(|id| made.memberships.values().filter(|m| m.member_id.user_id == **id).count() > 2);
        assert!(several.count() > 20);
    }

    #[test]
    fn a_person_is_in_a_group_once() {
        let made = made();
        assert_eq!(made.index.membership_by_pair.len(), made.memberships.len());
    }
}

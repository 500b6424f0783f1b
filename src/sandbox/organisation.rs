//! The organisation: all records of the sandbox, with the indexes that its answers need.
//!
//! Neighbours: `generate.rs` fills it, the services read it. Promise: listings are ordered by id and found by range,
//! so that a page costs the same in a directory of 300 and of 200,000; nothing is added past an index.

use super::mint::Mint;
use super::progressing::Progressing;
use super::records::Account;
use super::records::Assignment;
use super::records::Group;
use super::records::Id;
use super::records::Membership;
use super::records::Moment;
use super::records::PermissionSet;
use super::records::Policies;
use super::records::PrincipalType;
use super::records::Tag;
use super::records::Unit;
use super::records::User;
use super::regions::Regions;
use super::shape::Shape;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Pairs in both directions of search: all seconds of a first, in order.
pub(super) type Pairs = BTreeSet<(Id, Id)>;

/// A whole organisation: its identity store, its permission sets, its accounts, and who may do what where.
#[derive(Debug, Clone, Serialize)]
pub struct Organisation {
    pub(super) identity: Identity,
    pub(super) users: BTreeMap<Id, User>,
    pub(super) groups: BTreeMap<Id, Group>,
    pub(super) memberships: BTreeMap<Id, Membership>,
    pub(super) permission_sets: BTreeMap<Id, PermissionSet>,
    pub(super) policies: BTreeMap<Id, Policies>,
    pub(super) assignments: BTreeSet<Assignment>,
    pub(super) accounts: BTreeMap<Id, Account>,
    pub(super) units: BTreeMap<Id, Unit>,
    /// The parent of each account and unit.
    pub(super) parents: BTreeMap<Id, Id>,
    /// By account id, unit id or ARN.
    pub(super) tags: BTreeMap<Id, Vec<Tag>>,
    #[serde(skip)]
    pub(super) index: Index,
    /// Permission set and account: where an older state of the permission set is in force than it has now.
    #[serde(skip)]
    pub(super) outdated: Pairs,
    #[serde(skip)]
    pub(super) progressing: Progressing,
    /// Where new ids come from.
    #[serde(skip)]
    pub(super) mint: Mint,
    /// Where its instance is.
    #[serde(skip)]
    pub(super) regions: Regions,
}

/// What the organisation is called, in each of its services.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Identity {
    pub(super) instance_arn: Id,
    pub(super) instance_name: String,
    /// The identity store.
    pub(super) store: Id,
    pub(super) created: Moment,
    pub(super) organization: Id,
    pub(super) root: Id,
    pub(super) management_account: Id,
    /// The role id in the caller's identity.
    pub(super) caller: String,
    pub(super) caller_role: String,
}

/// What is found by something else than its id. Names and addresses are compared without case, as AWS does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) user_by_name: BTreeMap<String, Id>,
    pub(super) user_by_email: BTreeMap<String, Id>,
    pub(super) group_by_name: BTreeMap<String, Id>,
    /// Group and membership.
    pub(super) members: Pairs,
    /// User and membership.
    pub(super) memberships_of: Pairs,
    /// Group and user, with the membership.
    pub(super) membership_by_pair: BTreeMap<(Id, Id), Id>,
    /// Permission set and account.
    pub(super) accounts_of: Pairs,
    /// Account and permission set.
    pub(super) permission_sets_of: Pairs,
    /// The assignments of a principal: type, id, account, permission set.
    pub(super) by_principal: BTreeSet<(PrincipalType, Id, Id, Id)>,
    /// Parent and account.
    pub(super) accounts_in: Pairs,
    /// Parent and unit.
    pub(super) units_in: Pairs,
}

/// How much an organisation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// People.
    pub users: usize,
    /// Groups.
    pub groups: usize,
    /// Memberships of people in groups.
    pub memberships: usize,
    /// Permission sets.
    pub permission_sets: usize,
    /// Assignments of permission sets to principals in accounts.
    pub assignments: usize,
    /// Accounts, the management account included.
    pub accounts: usize,
    /// Organizational units.
    pub organizational_units: usize,
}

impl Organisation {
    /// Makes the organisation of a shape: the same shape, the same organisation.
    pub fn generate(shape: &Shape) -> Organisation {
        super::generate::organisation(shape)
    }

    /// The same with accounts in every state that AWS has, and two of one name.
    #[must_use]
    pub fn with_account_states(mut self) -> Organisation {
        super::accounts::add_every_state(&mut self);
        self
    }

    /// The same in these regions.
    #[must_use]
    pub fn in_regions(mut self, regions: Regions) -> Organisation {
        self.regions = regions;
        self
    }

    /// How much there is of everything.
    pub fn counts(&self) -> Counts {
        Counts {
            users: self.users.len(),
            groups: self.groups.len(),
            memberships: self.memberships.len(),
            permission_sets: self.permission_sets.len(),
            assignments: self.assignments.len(),
            accounts: self.accounts.len(),
            organizational_units: self.units.len(),
        }
    }

    /// The ARN of its Identity Center instance.
    pub fn instance_arn(&self) -> &str {
        &self.identity.instance_arn
    }

    /// The id of its identity store.
    pub fn identity_store(&self) -> &str {
        &self.identity.store
    }

    /// The id of its management account.
    pub fn management_account(&self) -> &str {
        &self.identity.management_account
    }

    /// An organisation that has its names and nothing else.
    pub(super) fn bare(identity: Identity) -> Organisation {
        Organisation {
            identity,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
            permission_sets: BTreeMap::new(),
            policies: BTreeMap::new(),
            assignments: BTreeSet::new(),
            accounts: BTreeMap::new(),
            units: BTreeMap::new(),
            parents: BTreeMap::new(),
            tags: BTreeMap::new(),
            index: Index::default(),
            outdated: Pairs::new(),
            progressing: Progressing::default(),
            mint: Mint::default(),
            regions: Regions::default(),
        }
    }

    pub(super) fn add_user(&mut self, user: User) {
        self.index.user_by_name.insert(user.user_name.to_lowercase(), user.user_id.clone());
        for email in &user.emails {
            self.index.user_by_email.insert(email.value.to_lowercase(), user.user_id.clone());
        }
        self.users.insert(user.user_id.clone(), user);
    }

    pub(super) fn add_group(&mut self, group: Group) {
        self.index.group_by_name.insert(group.display_name.to_lowercase(), group.group_id.clone());
        self.groups.insert(group.group_id.clone(), group);
    }

    pub(super) fn add_membership(&mut self, membership: Membership) {
        let (group, user) = (&membership.group_id, &membership.member_id.user_id);
        let id = &membership.membership_id;
        self.index.members.insert((group.clone(), id.clone()));
        self.index.memberships_of.insert((user.clone(), id.clone()));
        self.index.membership_by_pair.insert((group.clone(), user.clone()), id.clone());
        self.memberships.insert(id.clone(), membership);
    }

    pub(super) fn add_permission_set(&mut self, permission_set: PermissionSet, policies: Policies) {
        let arn = permission_set.permission_set_arn.clone();
        self.permission_sets.insert(arn.clone(), permission_set);
        self.policies.insert(arn, policies);
    }

    pub(super) fn add_assignment(&mut self, assignment: Assignment) {
        let Assignment { account_id, permission_set_arn, principal_type, principal_id } = assignment.clone();
        self.index.accounts_of.insert((permission_set_arn.clone(), account_id.clone()));
        self.index.permission_sets_of.insert((account_id.clone(), permission_set_arn.clone()));
        self.index.by_principal.insert((principal_type, principal_id, account_id, permission_set_arn));
        self.assignments.insert(assignment);
    }

    pub(super) fn add_account(&mut self, account: Account, parent: &Id) {
        self.index.accounts_in.insert((parent.clone(), account.id.clone()));
        self.parents.insert(account.id.clone(), parent.clone());
        self.accounts.insert(account.id.clone(), account);
    }

    pub(super) fn add_unit(&mut self, unit: Unit, parent: &Id) {
        self.index.units_in.insert((parent.clone(), unit.id.clone()));
        self.parents.insert(unit.id.clone(), parent.clone());
        self.units.insert(unit.id.clone(), unit);
    }
}

/// The entries of a map after a key, in order.
pub(super) fn after<'a, V>(map: &'a BTreeMap<Id, V>, key: Option<&str>) -> impl Iterator<Item = (&'a Id, &'a V)> {
    let from = key.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<str, _>((from, Bound::Unbounded))
}

/// The seconds that go with `first`, after one of them, in order.
pub(super) fn seconds<'a>(pairs: &'a Pairs, first: &str, after: Option<&str>) -> impl Iterator<Item = &'a Id> {
    let first = Id::from(first);
    let start = (first.clone(), Id::from(after.unwrap_or_default()));
    // No id is empty, so that excluding the empty one leaves none out.
    pairs.range((Bound::Excluded(start), Bound::Unbounded)).take_while(move |pair| pair.0 == first).map(|pair| &pair.1)
}

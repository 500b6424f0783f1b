//! The organization: all records of the sandbox, with the indexes that its answers need.
//!
//! Listings are ordered by id and found by range, so that a page costs the same in a directory of 300 and of
//! 200,000; nothing is added past an index.

mod indexes;

use crate::async_operations::Progressing;
use crate::config::Shape;
use crate::ids::Mint;
use crate::records::Account;
use crate::records::Assignment;
use crate::records::Group;
use crate::records::Id;
use crate::records::Membership;
use crate::records::Moment;
use crate::records::PermissionSet;
use crate::records::Policies;
use crate::records::PrincipalType;
use crate::records::Tag;
use crate::records::Unit;
use crate::records::User;
use crate::regions::Regions;
use serde::Serialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;

/// Pairs in both directions of search: all seconds of a first, in order.
pub(crate) type Pairs = BTreeSet<(Id, Id)>;

/// A whole organization: its identity store, its permission sets, its accounts, and who may do what where.
#[derive(Debug, Clone, Serialize)]
pub struct Organization {
    pub(crate) identity: Identity,
    pub(crate) users: BTreeMap<Id, User>,
    pub(crate) groups: BTreeMap<Id, Group>,
    pub(crate) memberships: BTreeMap<Id, Membership>,
    pub(crate) permission_sets: BTreeMap<Id, PermissionSet>,
    pub(crate) policies: BTreeMap<Id, Policies>,
    pub(crate) assignments: BTreeSet<Assignment>,
    pub(crate) accounts: BTreeMap<Id, Account>,
    pub(crate) units: BTreeMap<Id, Unit>,
    /// The parent of each account and unit.
    pub(crate) parents: BTreeMap<Id, Id>,
    /// By account id, unit id or ARN.
    pub(crate) tags: BTreeMap<Id, Vec<Tag>>,
    #[serde(skip)]
    pub(crate) index: Index,
    /// Permission set and account: where an older state of the permission set is in force than it has now.
    #[serde(skip)]
    pub(crate) outdated: Pairs,
    #[serde(skip)]
    pub(crate) progressing: Progressing,
    /// Where new ids come from.
    #[serde(skip)]
    pub(crate) mint: Mint,
    /// Where its instance is.
    #[serde(skip)]
    pub(crate) regions: Regions,
}

/// What the organization is called, in each of its services.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Identity {
    pub(crate) instance_arn: Id,
    pub(crate) instance_name: String,
    /// The identity store.
    pub(crate) store: Id,
    pub(crate) created: Moment,
    pub(crate) organization: Id,
    pub(crate) root: Id,
    pub(crate) management_account: Id,
    /// The role id in the caller's identity.
    pub(crate) caller: String,
    pub(crate) caller_role: String,
}

/// What is found by something else than its id. Names and addresses are compared without case, as AWS does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) user_by_name: BTreeMap<String, Id>,
    pub(crate) user_by_email: BTreeMap<String, Id>,
    pub(crate) group_by_name: BTreeMap<String, Id>,
    /// Group and membership.
    pub(crate) members: Pairs,
    /// User and membership.
    pub(crate) memberships_of: Pairs,
    /// Group and user, with the membership.
    pub(crate) membership_by_pair: BTreeMap<(Id, Id), Id>,
    /// Permission set and account.
    pub(crate) accounts_of: Pairs,
    /// Account and permission set.
    pub(crate) permission_sets_of: Pairs,
    /// The assignments of a principal: type, id, account, permission set.
    pub(crate) by_principal: BTreeSet<(PrincipalType, Id, Id, Id)>,
    /// Parent and account.
    pub(crate) accounts_in: Pairs,
    /// Parent and unit.
    pub(crate) units_in: Pairs,
}

/// How much an organization holds.
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

impl Organization {
    /// Makes the organization of a shape: the same shape, the same organization.
    pub fn generate(shape: &Shape) -> Organization {
        crate::generate::organization(shape)
    }

    /// The same with accounts in every state that AWS has, and two of one name.
    #[must_use]
    pub fn with_account_states(mut self) -> Organization {
        crate::generate::accounts::add_every_state(&mut self);
        self
    }

    /// The same in these regions.
    #[must_use]
    pub fn in_regions(mut self, regions: Regions) -> Organization {
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

    /// An organization that has its names and nothing else.
    pub(crate) fn bare(identity: Identity) -> Organization {
        Organization {
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

    pub(crate) fn add_user(&mut self, user: User) {
        self.index.user_by_name.insert(user.user_name.to_lowercase(), user.user_id.clone());
        for email in &user.emails {
            self.index.user_by_email.insert(email.value.to_lowercase(), user.user_id.clone());
        }
        self.users.insert(user.user_id.clone(), user);
    }

    pub(crate) fn add_group(&mut self, group: Group) {
        self.index.group_by_name.insert(group.display_name.to_lowercase(), group.group_id.clone());
        self.groups.insert(group.group_id.clone(), group);
    }

    pub(crate) fn add_membership(&mut self, membership: Membership) {
        let (group, user) = (&membership.group_id, &membership.member_id.user_id);
        let id = &membership.membership_id;
        self.index.members.insert((group.clone(), id.clone()));
        self.index.memberships_of.insert((user.clone(), id.clone()));
        self.index.membership_by_pair.insert((group.clone(), user.clone()), id.clone());
        self.memberships.insert(id.clone(), membership);
    }

    pub(crate) fn add_permission_set(&mut self, permission_set: PermissionSet, policies: Policies) {
        let arn = permission_set.permission_set_arn.clone();
        self.permission_sets.insert(arn.clone(), permission_set);
        self.policies.insert(arn, policies);
    }

    pub(crate) fn add_assignment(&mut self, assignment: Assignment) {
        let Assignment { account_id, permission_set_arn, principal_type, principal_id } = assignment.clone();
        self.index.accounts_of.insert((permission_set_arn.clone(), account_id.clone()));
        self.index.permission_sets_of.insert((account_id.clone(), permission_set_arn.clone()));
        self.index.by_principal.insert((principal_type, principal_id, account_id, permission_set_arn));
        self.assignments.insert(assignment);
    }

    pub(crate) fn add_account(&mut self, account: Account, parent: &Id) {
        self.index.accounts_in.insert((parent.clone(), account.id.clone()));
        self.parents.insert(account.id.clone(), parent.clone());
        self.accounts.insert(account.id.clone(), account);
    }

    pub(crate) fn add_unit(&mut self, unit: Unit, parent: &Id) {
        self.index.units_in.insert((parent.clone(), unit.id.clone()));
        self.parents.insert(unit.id.clone(), parent.clone());
        self.units.insert(unit.id.clone(), unit);
    }
}

/// The entries of a map after a key, in order.
pub(crate) fn after<'a, V>(map: &'a BTreeMap<Id, V>, key: Option<&str>) -> impl Iterator<Item = (&'a Id, &'a V)> {
    let from = key.map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<str, _>((from, Bound::Unbounded))
}

/// The seconds that go with `first`, after one of them, in order.
pub(crate) fn seconds<'a>(pairs: &'a Pairs, first: &str, after: Option<&str>) -> impl Iterator<Item = &'a Id> {
    let first = Id::from(first);
    let start = (first.clone(), Id::from(after.unwrap_or_default()));
    // No id is empty, so that excluding the empty one leaves none out.
    pairs.range((Bound::Excluded(start), Bound::Unbounded)).take_while(move |pair| pair.0 == first).map(|pair| &pair.1)
}

//! Taking things out of an organization, and putting others in their place.
//!
//! After every change each index is what it would be if the organization were built anew; what hangs on a thing
//! that goes (its memberships) goes with it.

use crate::records::Assignment;
use crate::records::Group;
use crate::records::Id;
use crate::records::Membership;
use crate::records::PrincipalType;
use crate::records::User;
use crate::state;
use crate::state::Organization;

impl Organization {
    /// Takes a person out, and out of all groups. Assignments stay, as AWS leaves them.
    pub(crate) fn remove_user(&mut self, id: &str) {
        let memberships: Vec<Id> = state::seconds(&self.index.memberships_of, id, None).cloned().collect();
        for membership in memberships {
            self.remove_membership(&membership);
        }
        self.take_user(id);
    }

    /// Puts a person in the place of the one with the same id.
    pub(crate) fn replace_user(&mut self, user: User) {
        self.take_user(&user.user_id);
        self.add_user(user);
    }

    fn take_user(&mut self, id: &str) {
        let Some(user) = self.users.remove(id) else { return };
        self.index.user_by_name.remove(&user.user_name.to_lowercase());
        for email in &user.emails {
            self.index.user_by_email.remove(&email.value.to_lowercase());
        }
    }

    /// Takes a group out, with its memberships. Assignments stay, as AWS leaves them.
    pub(crate) fn remove_group(&mut self, id: &str) {
        let memberships: Vec<Id> = state::seconds(&self.index.members, id, None).cloned().collect();
        for membership in memberships {
            self.remove_membership(&membership);
        }
        self.take_group(id);
    }

    /// Puts a group in the place of the one with the same id.
    pub(crate) fn replace_group(&mut self, group: Group) {
        self.take_group(&group.group_id);
        self.add_group(group);
    }

    fn take_group(&mut self, id: &str) {
        if let Some(group) = self.groups.remove(id) {
            self.index.group_by_name.remove(&group.display_name.to_lowercase());
        }
    }

    /// Takes a person out of a group.
    pub(crate) fn remove_membership(&mut self, id: &str) {
        let Some(membership) = self.memberships.remove(id) else { return };
        let Membership { membership_id, group_id, member_id, .. } = membership;
        let user = member_id.user_id;
        self.index.members.remove(&(group_id.clone(), membership_id.clone()));
        self.index.memberships_of.remove(&(user.clone(), membership_id));
        self.index.membership_by_pair.remove(&(group_id, user));
    }

    /// Takes an assignment away; the account loses the permission set with the last of them.
    pub(crate) fn remove_assignment(&mut self, assignment: &Assignment) {
        if !self.assignments.remove(assignment) {
            return;
        }
        let Assignment { account_id, permission_set_arn, principal_type, principal_id } = assignment.clone();
        if self.assignments_of(&permission_set_arn, &account_id).next().is_none() {
            self.index.accounts_of.remove(&(permission_set_arn.clone(), account_id.clone()));
            self.index.permission_sets_of.remove(&(account_id.clone(), permission_set_arn.clone()));
            self.outdated.remove(&(permission_set_arn.clone(), account_id.clone()));
        }
        self.index.by_principal.remove(&(principal_type, principal_id, account_id, permission_set_arn));
    }

    /// Notes that the accounts which have a permission set have it as it was.
    pub(crate) fn outdate(&mut self, permission_set: &Id) {
        for account in self.accounts_with(permission_set) {
            self.outdated.insert((permission_set.clone(), account));
        }
    }

    /// The accounts that have a permission set.
    pub(crate) fn accounts_with(&self, permission_set: &Id) -> Vec<Id> {
        state::seconds(&self.index.accounts_of, permission_set, None).cloned().collect()
    }

    /// The assignments of a permission set in an account.
    pub(crate) fn assignments_of(&self, permission_set: &Id, account: &Id) -> impl Iterator<Item = &Assignment> {
        let (set, account) = (permission_set.clone(), account.clone());
        let first = Assignment {
            account_id: account.clone(),
            permission_set_arn: set.clone(),
            principal_type: PrincipalType::Group,
            principal_id: Id::from(""),
        };
        self.assignments
            .range(first..)
            .take_while(move |row| row.account_id == account && row.permission_set_arn == set)
    }
}

//! Generates an organization from a seed.
//!
//! Guarantee: the same shape gives the same organization on every machine. The ids of the organization itself
//! (instance, identity store, accounts) depend on the seed alone, so that another seed shares none of them.

pub(crate) mod accounts;
pub(crate) mod assignments;
pub(crate) mod names;
mod people;

use crate::config::Shape;
use crate::records::Id;
use crate::records::Moment;
use crate::state::Identity;
use crate::state::Organization;
use sha2::Digest;
use sha2::Sha256;

/// 2021-03-01T00:00:00Z in milliseconds: the earliest time of a record.
const BEGIN: i64 = 1_614_556_800_000;
/// Four years in milliseconds: the range of times of records.
const SPAN: i64 = 126_230_400_000;

/// Generates the organization.
pub(crate) fn organization(shape: &Shape) -> Organization {
    let mut dice = Dice::new(shape.seed, "identity");
    let identity = Identity {
        instance_arn: Id::from(format!("arn:aws:sso:::instance/ssoins-{}", dice.hex(16))),
        instance_name: format!("sandbox-{}", shape.seed),
        store: Id::from(format!("d-{}", dice.hex(10))),
        created: Moment(BEGIN),
        organization: Id::from(format!("o-{}", dice.base36(10))),
        root: Id::from(format!("r-{}", dice.base36(4))),
        management_account: Id::from(dice.account_id()),
        caller: format!("AROA{}", dice.base36(17).to_ascii_uppercase()),
        caller_role: format!("AWSReservedSSO_AdministratorAccess_{}", dice.hex(16)),
    };
    let mut organization = Organization::bare(identity);
    people::fill(&mut organization, shape);
    accounts::fill(&mut organization, shape);
    assignments::fill(&mut organization, shape);
    organization
}

/// A seeded random generator.
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    /// The generator of one part of an organization, so that more users do not change the accounts.
    pub(crate) fn new(seed: u64, part: &str) -> Dice {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(part).finalize();
        let mut start = [0; 8];
        start.copy_from_slice(&digest[..8]);
        Dice(fastrand::Rng::with_seed(u64::from_le_bytes(start)))
    }

    /// A number below `end`; zero if `end` is zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // Always drawn as 64 bits, so that a 32-bit machine generates the same organization.
        usize::try_from(self.0.u64(0..(end.max(1) as u64))).unwrap_or(0)
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        self.text(digits, b"0123456789abcdef")
    }

    /// Decimal digits, the form of a revision in the identity store.
    pub(crate) fn decimal(&mut self, digits: usize) -> String {
        self.text(digits, b"0123456789")
    }

    /// Digits and lower-case letters.
    pub(crate) fn base36(&mut self, digits: usize) -> String {
        self.text(digits, b"0123456789abcdefghijklmnopqrstuvwxyz")
    }

    /// Twelve digits, the first not zero.
    pub(crate) fn account_id(&mut self) -> String {
        self.text(1, b"123456789") + &self.text(11, b"0123456789")
    }

    /// A random UUID (version 4).
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b, c, e) = (self.hex(8), self.hex(4), self.hex(3), self.hex(12));
        format!("{a}-{b}-4{c}-{}{}-{e}", self.text(1, b"89ab"), self.hex(3))
    }

    /// An id in an identity store: the digits of the store, then a UUID.
    pub(crate) fn id_in(&mut self, store: &str) -> Id {
        Id::from(format!("{}-{}", store.trim_start_matches("d-"), self.uuid()))
    }

    /// A time within the range of records.
    pub(crate) fn moment(&mut self) -> Moment {
        Moment(BEGIN + self.0.i64(0..SPAN))
    }

    fn text(&mut self, digits: usize, alphabet: &[u8]) -> String {
        (0..digits).map(|_| char::from(self.one_of(alphabet))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::ids::Form;
    use std::fmt::Write;

    fn digest(shape: &Shape) -> String {
        let text = serde_json::to_string(&Organization::generate(shape)).expect("an organization is JSON");
        Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    #[test]
    fn the_same_shape_is_the_same_organization_for_ever() {
        let shape = Shape::default();
        assert_eq!(digest(&shape), digest(&shape));
        assert_eq!(digest(&shape), "d6c58c203dad13004f672c5b7324efc96e143b18b7c9bfdc081a6b6ce0e43aca");
    }

    #[test]
    fn another_seed_shares_no_id() {
        let one = Organization::generate(&Shape::default());
        let two = Organization::generate(&Shape { seed: 2, ..Shape::default() });
        assert_ne!(one.instance_arn(), two.instance_arn());
        assert_ne!(one.identity_store(), two.identity_store());
        assert!(one.users.keys().all(|id| !two.users.contains_key(id)));
        assert!(one.accounts.keys().all(|id| !two.accounts.contains_key(id)));
        assert!(one.permission_sets.keys().all(|id| !two.permission_sets.contains_key(id)));
    }

    #[test]
    fn more_users_leave_the_rest_as_it_was() {
        let small = Organization::generate(&Shape::default());
        let large = Organization::generate(&Shape { users: 500, ..Shape::default() });
        assert_eq!(small.instance_arn(), large.instance_arn());
        assert!(small.accounts.keys().eq(large.accounts.keys()));
        assert!(small.permission_sets.keys().eq(large.permission_sets.keys()));
    }

    #[test]
    fn every_id_has_the_form_that_aws_gives_it() {
        let made = Organization::generate(&Shape::default());
        assert!(Form::InstanceArn.fits(made.instance_arn()));
        assert!(Form::IdentityStoreId.fits(made.identity_store()));
        let ids = made.users.keys().chain(made.groups.keys()).chain(made.memberships.keys());
        assert!(ids.into_iter().all(|id| Form::ResourceId.fits(id)));
        assert!(made.permission_sets.keys().all(|arn| Form::PermissionSetArn.fits(arn)));
        assert!(made.accounts.keys().all(|id| Form::AccountId.fits(id)));
        assert!(made.units.keys().all(|id| Form::OuId.fits(id)));
        assert!(Form::ParentId.fits(&made.identity.root));
        assert!(made.accounts.keys().any(|id| id.starts_with('0')), "an account id with a leading zero");
    }

    #[test]
    fn sizes_are_as_asked_down_to_nothing() {
        for (users, groups, accounts, permission_sets) in [(0, 0, 0, 0), (1, 1, 1, 1), (7, 3, 2, 2), (300, 30, 12, 8)] {
            let shape = Shape { seed: 9, users, groups, accounts, permission_sets };
            let counts = Organization::generate(&shape).counts();
            assert_eq!(counts.users, users as usize, "{shape:?}");
            assert_eq!(counts.groups, groups as usize, "{shape:?}");
            assert_eq!(counts.accounts, accounts.max(1) as usize, "{shape:?}");
            assert_eq!(counts.permission_sets, permission_sets as usize, "{shape:?}");
        }
    }
}

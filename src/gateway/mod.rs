//! AWS, seen through the cache.
//!
//! Neighbours: `cache/` below remembers, `aws/` speaks to the services, `pace.rs` keeps to the quota; `app.rs` joins them,
//! `cli/` and `jobs/` ask. Promise: one [`Request`], one answer, whichever way it came; an error is never an empty list.

mod assignments;
mod aws;
mod certain;
mod change;
mod changes;
mod choice;
mod crosscheck;
mod differ;
mod error;
mod fetch;
mod flight;
mod image;
mod instance;
mod journal;
mod known;
mod labels;
mod listed_id;
mod look;
mod names;
mod near;
mod pace;
mod patch;
mod plan;
mod policy;
mod principals;
mod read;
mod request;
mod room;
mod rows;
mod settled;
mod source;
mod spool;
mod through;
mod unchanged;
mod verify;
mod waiting;
mod walk;
mod warm;
mod write;

pub use assignments::{AssignmentFilter, AssignmentList};
pub use aws::AwsApi;
pub use certain::{Confirmed, ResourceKind};
pub use change::{Attribute, Grant, Mutation, NewUser, Pending, SetFields};
pub use changes::{ChangedNames, ListDiff};
pub use choice::{AccountChoice, SelectedAccounts};
pub use differ::{Difference, Differences};
pub use error::{Again, GatewayError};
pub use instance::{INSTANCES, Selection};
pub use journal::{Journal, JournalEntry, MutationOutcome, journal_entry, journal_list};
pub use known::{NameLookup, known_id};
pub use labels::Labels;
pub use look::{Looked, Recorder};
pub use names::{is_account_id, is_arn, is_directory_id};
pub use pace::{HostTime, PaceSettings, RateLimited, Time};
pub use plan::{Rates, TargetCost, Traversal, WalkPlan};
pub use policy::{MANAGEMENT_ACCOUNT_WORD, action_of, iam_policy, partition_of};
pub use principals::{KnownPrincipals, Principal};
pub use read::{CachePolicy, Gateway};
pub use request::Request;
pub use room::{LeftOut, Room};
pub use rows::{AssignmentRow, AssignmentRows};
pub use settled::Reconciled;
pub use source::{
    Api, CHANGE_OPERATIONS, GetCall, IdentityCenterApi, InstanceTarget, ListCall, OPERATIONS, Page, PrincipalKind,
    api_of, operation_words,
};
pub use spool::Spool;
pub use through::Through;
pub use verify::{EntrySelection, Flaw, Mended, Verified, VerifySelection, Wrong};
pub use warm::{NotKept, Renew, WarmPlan, Warmed};
pub use write::{Unwritten, Writing, Written};

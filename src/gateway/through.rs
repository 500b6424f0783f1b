//! Assignments of a user through groups, in addition to the direct ones.
//!
//! AWS does not document whether its answer for a user holds the rows of the user's groups: rows are distinguished by the
//! principal that each names, and none is counted twice.

use super::api::PrincipalKind;
use super::assignment_table::AssignmentRows;
use super::assignments::{AssignmentFilter, array};
use super::error::GatewayError;
use super::fetch::{PARALLEL, text};
use super::request::Request;
use crate::gateway::assignments::AssignmentReader;
use crate::gateway::core::CachePolicy;
use crate::progress::Progress;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::HashSet;

/// What the groups of a user add to a list of assignments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Through {
    /// Rows that the list does not have.
    pub rows: usize,
    /// The groups that they belong to.
    pub groups: usize,
    /// Why there may be more.
    pub unread: Option<String>,
}

impl AssignmentReader<'_> {
    /// Counts the rows that reach a user through groups and are not in `listed`: from the cache, else from AWS.
    pub async fn through_groups(
        self,
        user: &str,
        listed: &AssignmentRows,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Through, GatewayError> {
        let mut through = Through::default();
        let memberships =
            match self.gateway.reader().value(&Request::UserGroups(user.to_owned()), policy, progress).await {
                Ok(memberships) => array(memberships),
                Err(error) => return through.without(error),
            };
        let groups: HashSet<String> = memberships.iter().map(|row| text(row, "GroupId")).collect();
        let mut seen: HashSet<[String; 3]> = listed
            .iter()
            .filter(|row| row.kind() == PrincipalKind::Group)
            .map(|row| [row.account, row.permission_set, row.principal].map(str::to_owned))
            .collect();
        let mut giving = HashSet::new();
        let mut answers = stream::iter(groups)
            .map(|id| async move {
                self.gateway
                    .reader()
                    .value(&Request::PrincipalAssignments { kind: PrincipalKind::Group, id }, policy, progress)
                    .await
            })
            .buffer_unordered(PARALLEL);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(rows) => {
                    for row in array(rows).iter().filter(|row| filter.admits(row)) {
                        let row = ["AccountId", "PermissionSetArn", "PrincipalId"].map(|field| text(row, field));
                        let group = row[2].clone();
                        if seen.insert(row) {
                            through.rows += 1;
                            giving.insert(group);
                        }
                    }
                }
                // A group that was deleted meanwhile gives nothing.
                Err(GatewayError::NotFound { .. }) => {}
                Err(error) => through = through.without(error)?,
            }
        }
        through.groups = giving.len();
        Ok(through)
    }
}

impl Through {
    /// The same, with a part that could not be read.
    fn without(self, error: GatewayError) -> Result<Through, GatewayError> {
        let is_known = matches!(error, GatewayError::NotCached { .. } | GatewayError::Budget { .. });
        if error.ends_everything() && !is_known {
            return Err(error);
        }
        Ok(Through { unread: self.unread.or(Some(error.to_string())), ..self })
    }
}

impl AssignmentFilter {
    /// Whether a row is of the requested account and permission set.
    pub(super) fn admits(&self, row: &Value) -> bool {
        self.account.as_ref().is_none_or(|account| row["AccountId"] == account.as_str())
            && self.permission_set.as_ref().is_none_or(|arn| row["PermissionSetArn"] == arn.as_str())
    }
}

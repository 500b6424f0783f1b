//! The rates of calls that warms, jobs and long walks plan with.

use crate::config::RateLimitConfig;
use crate::gateway::api::Api;

/// Calls a second that may be made to each family of APIs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub(super) identity_store: f64,
    pub(super) sso_admin: f64,
    pub(super) organizations: f64,
}

impl Rates {
    /// Those of warms, jobs and long walks: the configured ones minus the share of others.
    pub fn new(pace: &RateLimitConfig) -> Rates {
        let share = pace.background_part();
        Rates {
            identity_store: pace.identity_store_tps * share,
            sso_admin: pace.sso_admin_tps * share,
            organizations: pace.organizations_tps * share,
        }
    }

    /// The rate of a family (for identitystore: of each operation).
    pub fn of(&self, api: Api) -> f64 {
        match api {
            Api::IdentityStore => self.identity_store,
            Api::SsoAdmin => self.sso_admin,
            Api::Organizations => self.organizations,
            Api::Sts => f64::INFINITY,
        }
    }

    /// How long so many calls to a family take, in seconds; nothing when there is no limit.
    pub(super) fn seconds(&self, api: Api, calls: u64) -> f64 {
        let rate = self.of(api);
        #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
        let calls = calls as f64;
        if rate.is_finite() && rate > 0.0 { calls / rate } else { 0.0 }
    }
}

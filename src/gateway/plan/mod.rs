//! What a walk will cost before it is begun: calls, time at the quota, bytes in the cache.
//!
//! Learning the counts costs at most ten calls or one in a hundred, whichever is more; what is not known for sure
//! is not called exact.

mod cost;
mod counts;
mod estimate;
mod filtered;
mod rates;
mod strategy;
mod traversal;

pub use cost::{TargetCost, WalkPlan};
pub use estimate::Planner;
pub use rates::Rates;
pub use traversal::Traversal;

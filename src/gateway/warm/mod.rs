//! Warming: asking AWS ahead of the commands.

mod baseline;
pub(super) mod checkpoint;
mod patience;
mod refresh;
mod report;
mod round;
mod warmer;

pub(super) use baseline::Baselines;
pub use patience::NotKept;
pub use report::Warmed;
pub use round::Renew;
pub(super) use round::Round;
pub use warmer::{WarmPlan, Warmer};

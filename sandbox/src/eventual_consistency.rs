//! Eventual consistency: reads see the organization as it was before recent writes.
//!
//! Guarantee: with a lag, a read sees exactly the state of that time, complete. Writes and the status of asynchronous
//! operations are never delayed. Without a lag nothing is kept.

use crate::aws_json::Request;
use crate::aws_json::Write;
use crate::clock::Now;
use crate::state::Organization;
use std::collections::VecDeque;
use std::time::Duration;

/// The state that reads see.
#[derive(Debug, Default)]
pub(crate) struct Lagging {
    lag: Duration,
    /// The duration of asynchronous operations.
    delay: Duration,
    /// The organization one lag ago; absent if it equals the current one.
    past: Option<Organization>,
    /// The writes that the past has not applied yet.
    writes: VecDeque<(Now, Write, Request)>,
    /// The time of the last change.
    touched: Duration,
}

impl Lagging {
    /// Sets the lag of reads (zero for none) and the duration of asynchronous operations.
    pub(crate) fn set(&mut self, lag: Duration, delay: Duration) {
        self.lag = lag;
        self.delay = delay;
        if lag.is_zero() {
            self.past = None;
            self.writes.clear();
        }
    }

    /// Keeps the organization before a change.
    pub(crate) fn before_change(&mut self, now: Now, today: &Organization) {
        // A past that has caught up is dropped.
        self.view(now, today);
        if !self.lag.is_zero() && self.past.is_none() {
            self.past = Some(today.clone());
        }
    }

    /// Advances the organization to this time: ends due operations.
    pub(crate) fn settle(&mut self, now: Now, today: &mut Organization) {
        if today.progressing.is_due(now.since, self.delay) {
            self.before_change(now, today);
            self.touched = self.touched.max(now.since);
            today.settle(now.since, self.delay);
        }
    }

    /// Records a write.
    pub(crate) fn wrote(&mut self, now: Now, write: Write, request: Request) {
        self.touched = self.touched.max(now.since);
        if self.past.is_some() {
            self.writes.push_back((now, write, request));
        }
    }

    /// The organization that a read at this time sees.
    pub(crate) fn view<'a>(&'a mut self, now: Now, today: &'a Organization) -> &'a Organization {
        let edge = now.since.checked_sub(self.lag);
        if let Some(past) = &mut self.past {
            while let Some((at, write, request)) = self.writes.pop_front_if(|(at, ..)| Some(at.since) <= edge) {
                past.settle(at.since, self.delay);
                // It succeeded before on the same organization.
                let _ = write(past, &request, at);
            }
            if let Some(edge) = edge {
                past.settle(edge, self.delay);
            }
            if self.writes.is_empty() && Some(self.touched) <= edge {
                self.past = None;
            }
        }
        self.past.as_ref().unwrap_or(today)
    }
}

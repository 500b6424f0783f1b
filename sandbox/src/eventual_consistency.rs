//! The organization as reads see it while AWS lags behind its writes.
//!
//! As long as a lag is set, a read sees exactly what was there that long ago, all of it or none; writes themselves,
//! and how asynchronous operations stand, are never late; without a lag nothing is kept.

use crate::aws_json::Request;
use crate::aws_json::Write;
use crate::clock::Now;
use crate::state::Organization;
use std::collections::VecDeque;
use std::time::Duration;

/// What reads see.
#[derive(Debug, Default)]
pub(crate) struct Lagging {
    lag: Duration,
    /// How long asynchronous operations take.
    delay: Duration,
    /// The organization a lag ago; absent while that is the same as today.
    past: Option<Organization>,
    /// What the past has still to go through.
    writes: VecDeque<(Now, Write, Request)>,
    /// When the organization changed last.
    touched: Duration,
}

impl Lagging {
    /// Sets how far behind reads are (zero shows everything at once), and how long asynchronous operations take.
    pub(crate) fn set(&mut self, lag: Duration, delay: Duration) {
        self.lag = lag;
        self.delay = delay;
        if lag.is_zero() {
            self.past = None;
            self.writes.clear();
        }
    }

    /// Keeps the organization as it is, because it is about to change.
    pub(crate) fn before_change(&mut self, now: Now, today: &Organization) {
        // A past that has caught up need not be carried on.
        self.view(now, today);
        if !self.lag.is_zero() && self.past.is_none() {
            self.past = Some(today.clone());
        }
    }

    /// Lets the organization go on to this time: what is due ends.
    pub(crate) fn settle(&mut self, now: Now, today: &mut Organization) {
        if today.progressing.is_due(now.since, self.delay) {
            self.before_change(now, today);
            self.touched = self.touched.max(now.since);
            today.settle(now.since, self.delay);
        }
    }

    /// Remembers what was done.
    pub(crate) fn wrote(&mut self, now: Now, write: Write, request: Request) {
        self.touched = self.touched.max(now.since);
        if self.past.is_some() {
            self.writes.push_back((now, write, request));
        }
    }

    /// What a read at this time sees.
    pub(crate) fn view<'a>(&'a mut self, now: Now, today: &'a Organization) -> &'a Organization {
        let edge = now.since.checked_sub(self.lag);
        if let Some(past) = &mut self.past {
            while let Some((at, write, request)) = self.writes.pop_front_if(|(at, ..)| Some(at.since) <= edge) {
                past.settle(at.since, self.delay);
                // It succeeded once on the same organization.
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

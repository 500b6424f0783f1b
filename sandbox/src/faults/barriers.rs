//! Barriers: calls that wait until a test releases them, to force an order of events without sleeping.
//!
//! A call whose caller has disconnected is removed. Without a sandbox to release them, no call waits.

use crate::faults::rules::Rule;
use crate::faults::rules::When;
use crate::operations;
use serde::Serialize;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::oneshot;

/// A held call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// `AWSIdentityStore.ListUsers`.
    pub operation: String,
    /// Whether its operation is already executed.
    pub when: When,
}

/// The held calls.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    seats: Mutex<Seats>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seats {
    last: u64,
    taken: Vec<Sitting>,
}

#[derive(Debug)]
struct Sitting {
    number: u64,
    waiting: Waiting,
    hold: Rule,
    go: oneshot::Sender<()>,
}

impl WaitingRoom {
    /// Holds a call; the returned future ends with its release.
    pub(crate) fn enter(self: &Arc<Self>, operation: &str, hold: &Rule) -> Seat {
        let (go, gone) = oneshot::channel();
        let mut seats = self.seats();
        seats.last += 1;
        let number = seats.last;
        let waiting = Waiting { operation: operation.to_owned(), when: hold.when };
        seats.taken.push(Sitting { number, waiting, hold: hold.clone(), go });
        drop(seats);
        self.changed.notify_all();
        Seat { room: Arc::clone(self), number, gone }
    }

    /// The held calls, in order.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        self.seats().taken.iter().map(|sitting| sitting.waiting.clone()).collect()
    }

    /// Blocks until `calls` are held, for at most `patience`; returns whether they are.
    pub(crate) fn wait_for(&self, calls: usize, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut seats = self.seats();
        while seats.taken.len() < calls {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seats = self.changed.wait_timeout(seats, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Releases the oldest held calls of operations that match `pattern`; returns their number.
    pub(crate) fn release(&self, pattern: &str, most: Option<usize>) -> usize {
        let mut left = most.unwrap_or(usize::MAX);
        self.release_those(|sitting| {
            let goes = left > 0 && operations::means(pattern, &sitting.waiting.operation);
            left -= usize::from(goes);
            goes
        })
    }

    /// Releases calls whose hold is not in `holds`.
    pub(crate) fn keep(&self, holds: &[Rule]) {
        self.release_those(|sitting| !holds.contains(&sitting.hold));
    }

    fn release_those(&self, mut goes: impl FnMut(&Sitting) -> bool) -> usize {
        let mut seats = self.seats();
        let (going, staying) = std::mem::take(&mut seats.taken).into_iter().partition::<Vec<_>, _>(|s| goes(s));
        seats.taken = staying;
        let count = going.len();
        for sitting in going {
            // Its caller may have just disconnected.
            let _ = sitting.go.send(());
        }
        count
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One held call.
#[derive(Debug)]
pub(crate) struct Seat {
    room: Arc<WaitingRoom>,
    number: u64,
    gone: oneshot::Receiver<()>,
}

impl Seat {
    /// Waits for the release.
    pub(crate) async fn sit(mut self) {
        // An error means that the sandbox is being dropped.
        let _ = (&mut self.gone).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.seats().taken.retain(|sitting| sitting.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_waits_no_more_and_release_goes_by_operation_and_order() {
        let room = Arc::new(WaitingRoom::default());
        let users = room.enter("AWSIdentityStore.ListUsers", &Rule::of("ListUsers"));
        let groups = room.enter("AWSIdentityStore.ListGroups", &Rule::of("*").after());
        let more = room.enter("AWSIdentityStore.ListUsers", &Rule::of("ListUsers"));
        assert!(room.wait_for(3, Duration::ZERO));
        assert_eq!(room.waiting()[1], Waiting { operation: "AWSIdentityStore.ListGroups".into(), when: When::After });
        drop(more);
        assert!(!room.wait_for(3, Duration::from_millis(1)));
        assert_eq!(room.release("ListGroups", Some(5)), 1);
        room.keep(&[Rule::of("ListUsers")]);
        assert_eq!(room.waiting().len(), 1);
        room.keep(&[]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            users.sit().await;
            groups.sit().await;
        });
        assert_eq!(room.waiting(), []);
    }
}

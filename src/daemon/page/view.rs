//! The input of the page: the overview, and the range of its charts.

use crate::app::Overview;
use crate::clock;
use crate::daemon::page::chart::Axis;
use crate::daemon::page::format::DAY;
use crate::daemon::status::DaemonStatus;
use std::time::Duration;

/// The range of the charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    /// 24 hours.
    #[default]
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
}

impl Range {
    pub(super) const ALL: [Range; 3] = [Range::Day, Range::Week, Range::Month];
    /// The longest range.
    pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

    /// Parses a range.
    pub fn parse(word: &str) -> Option<Range> {
        Range::ALL.into_iter().find(|range| range.word() == word)
    }

    /// The range in the address.
    pub(super) fn word(self) -> &'static str {
        match self {
            Range::Day => "24h",
            Range::Week => "7d",
            Range::Month => "30d",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Range::Day => "24 hours",
            Range::Week => "7 days",
            Range::Month => "30 days",
        }
    }

    /// Its length.
    pub fn span(self) -> Duration {
        let days = match self {
            Range::Day => 1,
            Range::Week => 7,
            Range::Month => 30,
        };
        Duration::from_secs(days * 86_400)
    }

    /// The width of a column, in milliseconds; fifty to a hundred columns fit.
    pub(super) fn column(self) -> i64 {
        match self {
            Range::Day => DAY / 24,
            Range::Week => DAY / 8,
            Range::Month => DAY / 2,
        }
    }
}

/// The content of the page.
pub struct PageView<'a> {
    /// The figures.
    pub overview: &'a Overview,
    /// The status of the daemon.
    pub standing: &'a DaemonStatus,
    /// The range of the charts.
    pub range: Range,
    /// Whether the page reloads itself.
    pub refreshes: bool,
}

impl PageView<'_> {
    pub(super) fn axis(&self) -> Axis {
        let now = self.overview.now;
        Axis { from: now - clock::millis(self.range.span()), to: now }
    }

    /// The address of this page with another range, live or not.
    pub(super) fn address(range: Range, refreshes: bool) -> String {
        format!("/?range={}{}", range.word(), if refreshes { "&live" } else { "" })
    }
}

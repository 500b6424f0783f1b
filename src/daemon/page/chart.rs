//! Charts as SVG in the page: axes, columns, curves, marks.
//!
//! Guarantee: a chart has a title and a description, fits any width (lengths are percentages, text keeps its size),
//! and without data it says so. No value is interpolated between distant points.

use crate::clock::{self, UnixMillis};
use crate::daemon::page::format::DAY;
use crate::daemon::page::format::HOUR;
use maud::{Markup, html};

/// The height of the plot and of the time labels below it, in pixels.
const PLOT: f64 = 120.0;
const TIMES: f64 = 22.0;
/// The space above for the top label.
const HEAD: f64 = 16.0;

/// The time range of an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
}

impl Axis {
    /// The position of a time, in percent of the width.
    #[expect(clippy::cast_precision_loss, reason = "a position on a screen")]
    pub(super) fn percent(self, at: UnixMillis) -> f64 {
        let whole = self.to.saturating_sub(self.from).max(1) as f64;
        (at.saturating_sub(self.from) as f64 / whole * 100.0).clamp(0.0, 100.0)
    }

    /// Round times of this host's day, with labels.
    fn ticks(self) -> Vec<(UnixMillis, String)> {
        let span = self.to.saturating_sub(self.from);
        let step = match span {
            i64::MIN..=172_800_000 => 6 * HOUR,
            172_800_001..=864_000_000 => DAY,
            _ => 7 * DAY,
        };
        let offset = offset_of(self.to);
        let first = self.from + (step - (self.from + offset).rem_euclid(step)) % step;
        let mut ticks = Vec::new();
        let mut at = first;
        while at <= self.to && ticks.len() < 12 {
            let text = clock::local(at);
            let words = if step < DAY { text.get(11..16) } else { text.get(5..10) };
            ticks.push((at, words.unwrap_or_default().to_owned()));
            at += step;
        }
        ticks
    }
}

/// The UTC offset of this host, parsed from the formatted time.
fn offset_of(at: UnixMillis) -> i64 {
    let text = clock::local(at);
    let offset = text.rsplit(' ').next().unwrap_or_default();
    let (hours, minutes) = offset.split_once(':').unwrap_or_default();
    let number = |text: &str| text.trim_start_matches(['+', '-']).parse::<i64>().unwrap_or(0);
    let size = number(hours) * HOUR + number(minutes) * 60_000;
    if offset.starts_with('-') { -size } else { size }
}

/// A horizontal line with a label at its right end.
pub(super) struct ChartLine {
    /// From 0 (bottom) to 1 (top).
    pub(super) at: f64,
    pub(super) label: String,
    /// The class of its line.
    pub(super) class: &'static str,
}

/// The title and description of a chart.
pub(super) struct ChartTitle<'a> {
    /// Unique on the page.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) words: String,
}

/// A chart: lines, then `marks` over them, then times. Without marks it shows `nothing`.
pub(super) fn plot(
    named: &ChartTitle<'_>,
    axis: Axis,
    rules: &[ChartLine],
    marks: Option<Markup>,
    nothing: &str,
) -> Markup {
    let height = HEAD + PLOT + TIMES;
    let base = HEAD + PLOT;
    let is_empty = marks.is_none();
    html! {
        svg height=(height) role="img" aria-labelledby={ (named.id) "-t " (named.id) "-d" } {
            title id={ (named.id) "-t" } { (named.title) }
            desc id={ (named.id) "-d" } { (if is_empty { nothing } else { &named.words }) }
            @for rule in rules {
                @let y = y(rule.at);
                line.(rule.class) x1="0" x2="100%" y1=(y) y2=(y) {}
            }
            @if let Some(marks) = marks {
                (marks)
                // Drawn over the marks, with an outline, so that a label is legible where the curve crosses it.
                @for rule in rules { text.rule x="100%" y=(y(rule.at) - 4.0) text-anchor="end" { (rule.label) } }
            } @else {
                text.nothing x="50%" y=(HEAD + PLOT / 2.0 + 5.0) text-anchor="middle" { (nothing) }
            }
            line.base x1="0" x2="100%" y1=(base) y2=(base) {}
            (times(axis, base + 16.0))
        }
    }
}

/// The time labels alone, under lanes.
pub(super) fn times_row(axis: Axis) -> Markup {
    html! { svg height=(TIMES) aria-hidden="true" { line.base x1="0" x2="100%" y1="0" y2="0" {} (times(axis, 16.0)) } }
}

fn times(axis: Axis, y: f64) -> Markup {
    html! {
        @for (n, (at, words)) in axis.ticks().iter().enumerate() {
            @let x = axis.percent(*at);
            @let anchor = if x < 5.0 { "start" } else if x > 95.0 { "end" } else { "middle" };
            @let class = if n % 2 == 1 { "wide" } else { "near" };
            text.(class) x=(percent(x)) y=(y) text-anchor=(anchor) { (words) }
        }
    }
}

/// A curve and the area below it, as shares of the height. It breaks between points further apart than `gap`.
pub(super) fn curve(axis: Axis, points: &[(UnixMillis, f64)], gap: i64) -> Markup {
    let (mut lines, mut areas, mut dots) = (Vec::new(), Vec::new(), Vec::new());
    for part in points.chunk_by(|a, b| b.0 - a.0 <= gap) {
        let place = |(at, share): &(UnixMillis, f64)| {
            format!("{:.2} {:.2}", axis.percent(*at) * 10.0, (1.0 - share.clamp(0.0, 1.0)) * PLOT)
        };
        let path = part.iter().map(place).collect::<Vec<_>>().join(" L");
        // A single point is a dot: a line of zero length with round ends.
        match part.len() {
            1 => dots.push(format!("M{path} h0.01")),
            _ => lines.push(format!("M{path}")),
        }
        let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
        let (left, right) = (axis.percent(first.0) * 10.0, axis.percent(last.0) * 10.0);
        areas.push(format!("M{left:.2} {PLOT} L{path} L{right:.2} {PLOT} Z"));
    }
    html! {
        svg y=(HEAD) width="100%" height=(PLOT) viewBox={ "0 0 1000 " (PLOT) } preserveAspectRatio="none" {
            path.below d=(areas.join(" ")) {}
            path.curve d=(lines.join(" ")) vector-effect="non-scaling-stroke" {}
            @if !dots.is_empty() { path.dots d=(dots.join(" ")) vector-effect="non-scaling-stroke" {} }
        }
    }
}

/// Stacked columns of two parts, the first at the bottom; values are shares of the height.
pub(super) fn columns(axis: Axis, width: i64, values: &[(UnixMillis, f64, f64, String)]) -> Markup {
    html! {
        @for (at, low, high, words) in values {
            @let left = axis.percent(*at);
            @let across = ((axis.percent(at + width) - left) * 0.8).max(0.15);
            @let (first, second) = (low * PLOT, high * PLOT);
            g {
                title { (words) }
                @if *low > 0.0 {
                    rect.hits x=(percent(left)) width=(percent(across)) y=(HEAD + PLOT - first) height=(first) {}
                }
                @if *high > 0.0 {
                    rect.misses x=(percent(left)) width=(percent(across)) y=(HEAD + PLOT - first - second) height=(second) {}
                }
            }
        }
    }
}

/// A bar that fills a share of its length.
pub(super) fn bar(share: f64) -> Markup {
    html! {
        svg.bar aria-hidden="true" {
            rect.track width="100%" height="6" rx="3" {}
            rect.hits width=(percent(share.clamp(0.0, 1.0) * 100.0)) height="6" rx="3" {}
        }
    }
}

/// `12.34%`
pub(super) fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn y(share: f64) -> f64 {
    HEAD + (1.0 - share.clamp(0.0, 1.0)) * PLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis { from: 0, to: DAY };

    #[test]
    fn a_curve_breaks_where_nothing_was_measured() {
        let text = curve(AXIS, &[(0, 0.5), (HOUR, 0.6), (6 * HOUR, 1.0)], HOUR).into_string();
        assert_eq!(text.matches('Z').count(), 2, "{text}");
        assert!(text.contains("M0.00 60.00 L41.67 48.00") && text.contains("M250.00 0.00 h0.01"), "{text}");
    }

    #[test]
    fn a_chart_without_figures_says_so_in_its_place() {
        let named = ChartTitle { id: "x", title: "Hit rate", words: "unused".into() };
        let text = plot(&named, AXIS, &[], None, "no lookups yet").into_string();
        assert_eq!(text.matches("no lookups yet").count(), 2, "seen and read aloud: {text}");
        assert!(text.contains("<title id=\"x-t\">Hit rate</title>") && !text.contains("unused"));
    }

    #[test]
    fn times_are_round_and_few() {
        for span in [DAY, 7 * DAY, 30 * DAY] {
            let axis = Axis { from: 1_700_000_123_456, to: 1_700_000_123_456 + span };
            let ticks = axis.ticks();
            assert!((4..=8).contains(&ticks.len()), "{ticks:?}");
        }
        assert_eq!((AXIS.percent(-5), AXIS.percent(DAY / 2), AXIS.percent(2 * DAY)), (0.0, 50.0, 100.0));
    }
}

//! The section of alerts and silences: what fires, when the next message is due, and what is silenced until when.
//!
//! Guarantee: no alert is shown as resolved before its resolution is recorded. A silence is shown with its end.

use crate::alerts::{AlertStatus, Silence};
use crate::daemon::page::format::counted;
use crate::daemon::page::format::lasting;
use crate::daemon::page::format::moment;
use crate::daemon::page::format::prose;
use crate::daemon::page::view::PageView;
use maud::{Markup, html};

pub(super) fn section(view: &PageView<'_>) -> Markup {
    let overview = view.overview;
    html! {
        section aria-labelledby="alerts" {
            h2 id="alerts" { "Alerts and silences" }
            @if overview.alerts.is_empty() { p { "No alert fires." } } @else {
                table {
                    thead { tr { th scope="col" { "Alert" } th.slim scope="col" { "State" } th scope="col" { "Message" } } }
                    tbody { @for alert in &overview.alerts { (row(alert, overview.now)) } }
                }
            }
            @if overview.silences.is_empty() { p.soft.after { "No active silences." } } @else {
                table.after {
                    thead { tr { th scope="col" { "Silence" } th.slim scope="col" { "Ends" } th scope="col" { "Why" } } }
                    tbody { @for silence in &overview.silences { (quiet(silence, overview.now)) } }
                }
            }
            @if overview.mails_waiting > 0 {
                p.soft.after { (counted(overview.mails_waiting, "message waits", "messages wait")) " to be sent." }
            }
        }
    }
}

fn row(alert: &AlertStatus, now: i64) -> Markup {
    let class = match alert.state {
        "firing" => "bad",
        "pending" => "warn",
        _ => "soft",
    };
    html! {
        tr {
            th scope="row" { (alert.key) }
            td.state { span.(class) { (alert.state) } small { (lasting(alert.since, now)) } }
            td {
                (prose(&alert.message))
                @if !alert.next.is_empty() { small { "Next message: " (prose(&alert.next)) } }
            }
        }
    }
}

fn quiet(silence: &Silence, now: i64) -> Markup {
    html! {
        tr {
            th scope="row" { code { (silence.pattern) } }
            td { (moment(silence.until, now)) }
            td { (silence.reason) small { (silence.author) } }
        }
    }
}

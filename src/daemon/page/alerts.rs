//! Alerts: what fires, what is about to, and mails that wait.
//!
//! Neighbours: `mod.rs` places it. Promise: no alert is shown as over before its resolution was recorded.

use super::View;
use super::words::{counted, lasting, prose};
use maud::{Markup, html};

pub(super) fn section(view: &View<'_>) -> Markup {
    let overview = view.overview;
    html! {
        section aria-labelledby="alerts" {
            h2 id="alerts" { "Alerts" }
            @if overview.alerts.is_empty() { p { "No alert fires." } } @else {
                table {
                    thead { tr { th scope="col" { "Alert" } th scope="col" { "State" } th scope="col" { "What it says" } } }
                    tbody {
                        @for alert in &overview.alerts {
                            tr {
                                th scope="row" { (alert.key) }
                                td {
                                    @if alert.firing { span.bad { "firing" } } @else { span.warn { "pending" } }
                                    small { (lasting(alert.since, overview.now)) }
                                }
                                td { (prose(&alert.message)) }
                            }
                        }
                    }
                }
            }
            @if overview.mails_waiting > 0 {
                p.soft { (counted(overview.mails_waiting, "mail waits", "mails wait")) " to be sent." }
            }
        }
    }
}

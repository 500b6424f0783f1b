//! `alerts test`: one mail, now, to see whether alerts arrive.
//!
//! Neighbours: `alerts/` sends it as it sends every other mail, around the outbox. Promise: it says where the mail went,
//! or what keeps it from leaving and which key to set.

use crate::alerts;
use crate::cli::args::GlobalArgs;
use crate::cli::args::program::AlertsCommand;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page};
use crate::cli::session::{Need, Session};
use crate::host;
use serde_json::json;

/// `alerts ...`
pub(crate) fn alerts(command: &AlertsCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    match command {
        AlertsCommand::Test => test(globals, output),
    }
}

fn test(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = Session::open(globals, Need::Report, output)?;
    let app = &session.app;
    super::jobs::say(&session.notices, output);
    if !app.config().alerts.email.enabled {
        return Err(Failure::new(Code::Usage, "alerts.email.enabled is false: no mail is ever sent").hint(
            "set `enabled = true` under [alerts.email] (or AWSIDEMAN_ALERTS_EMAIL_ENABLED=true), with `to` and a `transport`\n\
             `awsideman --sandbox alerts test` writes one into a file",
        ));
    }
    let receipt = alerts::test_mail(&app.post(), &host::host_name(), app.clock().now())?;
    let mut page = Page::new().line(format!("Mail: {}", receipt.place));
    if let Some(complaint) = &receipt.complaint {
        page = page.line(complaint.clone());
    }
    let document = json!({
        "schema_version": 1,
        "sent": true,
        "place": receipt.place,
        "complaint": receipt.complaint,
        "notices": session.notices,
    });
    output.report(&document, &page)?;
    // Some recipients were refused: the mail left, and somebody will not read the next alert either.
    if receipt.complaint.is_some() { Err(Failure::quiet(Code::Partial)) } else { Ok(()) }
}

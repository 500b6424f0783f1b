//! `assignment status`: the progress of a change that AWS accepted.
//!
//! Finds requests of all three kinds, also those of other users.

use super::{ChangeArgs, WriteSession};
use crate::aws::ErrorClass;
use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::gateway::{GatewayError, GetCall, Pending};
use serde_json::{Value, json};

/// `assignment status`
pub(crate) fn status(request_id: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let writer = WriteSession::open(globals, &ChangeArgs::default(), output)?;
    let (pending, status) = writer.status_of(request_id)?;
    let kind = match pending {
        Pending::Creation => "assign",
        Pending::Deletion => "revoke",
        Pending::Provisioning => "provision",
    };
    let settled = writer.gateway().writer().settled(pending, &status, &writer.writing);
    for fault in &settled.faults {
        writer.progress().notice(fault);
    }
    let mut document = status.clone();
    document["Kind"] = json!(kind);
    document["journal"] = json!(settled.journal);
    let page =
        status.as_object().into_iter().flatten().fold(TextReport::new().field("Kind", kind), |page, (name, value)| {
            page.field(name.as_str(), crate::cli::output::text(value))
        });
    writer.output.report(&document, &page)?;
    writer.session.close_after(&writer.reading);
    if let Some(untold) = settled.untold {
        return Err(untold.into());
    }
    if status["Status"] == "FAILED" {
        let reason = status["FailureReason"].as_str().unwrap_or("AWS gave no reason");
        return Err(CliError::new(Code::Failed, format!("AWS could not make the change: {reason}"))
            .hint("nothing was changed; fix what AWS names, then try again"));
    }
    Ok(())
}

impl WriteSession<'_> {
    fn status_of(&self, request_id: &str) -> Result<(Pending, Value), CliError> {
        for pending in [Pending::Creation, Pending::Deletion, Pending::Provisioning] {
            let asked = GetCall::Status(pending, request_id.to_owned());
            match self.session.wait(self.gateway().confirmer().ask(&asked))? {
                Ok(status) => return Ok((pending, status)),
                Err(GatewayError::NotFound { .. }) => {}
                // A text that is no request id at all.
                Err(GatewayError::Refused { code, .. }) if ErrorClass::of(Some(&code), 400) == ErrorClass::Invalid => {}
                Err(error) => return Err(self.refused(error)),
            }
        }
        Err(CliError::new(Code::NotFound, format!("AWS knows no request `{request_id}`")).hint(
            "`awsideman assignment status REQUEST_ID` takes the id that a change prints; `awsideman journal list` has the \
             changes made from here\nAWS forgets requests after a while; `awsideman assignment get` shows what there is",
        ))
    }
}

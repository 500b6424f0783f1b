//! Changes as a person makes them: names in, a look at what will go, the change, what came of it.
//!
//! Neighbours: `changes/` has one file for each kind of thing; `gateway/write.rs` makes the change, `ask.rs` asks.
//! Promise: a name is looked up through the cache and confirmed by AWS before anything is changed under it; what is
//! destroyed is shown and asked about; a change that the cache could not be told of ends with its own exit code.

mod grants;
mod groups;
mod journal;
mod sets;
mod users;

pub(crate) use grants::{grant, status};
pub(super) use groups::group;
pub(crate) use journal::journal;
pub(super) use sets::permission_set;
pub(super) use users::user;

use super::directory::text;
use crate::app::{Asker, Reading};
use crate::cli::args::GlobalArgs;
use crate::cli::args::changes::ChangeArgs;
use crate::cli::ask::ask;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page};
use crate::cli::session::{Need, Session, wait};
use crate::gateway::{Change, Gateway, GatewayError, Policy, Request, Writing, Written, is_directory_id};
use crate::report::Progress;
use serde_json::{Value, json};

/// A session that changes things.
pub(super) struct Writer<'o> {
    session: Session,
    reading: Reading,
    writing: Writing,
    policy: Policy,
    dry_run: bool,
    yes: bool,
    output: &'o mut Output,
}

/// A thing by its id and the name that AWS says it has.
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

impl<'o> Writer<'o> {
    pub(super) fn open(
        globals: &GlobalArgs,
        change: &ChangeArgs,
        output: &'o mut Output,
    ) -> Result<Writer<'o>, Failure> {
        let session = Session::open(globals, Need::Sound, output)?;
        let wanted = if change.no_cache { Policy::BYPASS } else { Policy::default() };
        let policy = session.app.policy(wanted);
        let reading = session.app.reading(Asker::Command);
        let writing = session.app.writing(session.progress.as_ref());
        Ok(Writer { session, reading, writing, policy, dry_run: change.dry_run, yes: globals.yes, output })
    }

    fn gateway(&self) -> &Gateway {
        &self.reading.gateway
    }

    fn progress(&self) -> &dyn Progress {
        self.session.progress.as_ref()
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, GatewayError>>) -> Result<T, Failure> {
        wait(work)?.map_err(|error| self.session.failed(error))
    }

    /// The user behind a name or id, as AWS has it now.
    async fn user(&self, word: &str) -> Result<Named, GatewayError> {
        let id = self.gateway().user_id(word, &self.policy, self.progress()).await?;
        let thing = self.gateway().value(&Request::User(id.clone()), &Policy::BYPASS, self.progress()).await?;
        let name = text(&thing, "UserName");
        let mails = thing["Emails"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_mail = mails.iter().any(|mail| text(mail, "Value").eq_ignore_ascii_case(word));
        if is_mail { Ok(Named { id, name }) } else { confirmed(word, Named { id, name }) }
    }

    /// The group behind a name or id, as AWS has it now.
    async fn group(&self, word: &str) -> Result<Named, GatewayError> {
        let id = self.gateway().group_id(word, &self.policy, self.progress()).await?;
        let thing = self.gateway().value(&Request::Group(id.clone()), &Policy::BYPASS, self.progress()).await?;
        let name = text(&thing, "DisplayName");
        confirmed(word, Named { id, name })
    }

    /// The permission set behind a name or ARN, as AWS has it now.
    async fn permission_set(&self, word: &str) -> Result<Named, GatewayError> {
        let id = self.gateway().permission_set_arn(word, &self.policy, self.progress()).await?;
        let request = Request::PermissionSet(id.clone());
        let thing = self.gateway().value(&request, &Policy::BYPASS, self.progress()).await?;
        let name = text(&thing, "Name");
        confirmed(word, Named { id, name })
    }

    /// Shows what will be lost, and asks. With `--dry-run` it only shows: `false` is "do nothing".
    fn may_destroy(&self, what: &str, lost: &[String]) -> Result<bool, Failure> {
        for line in lost {
            self.output.talk().line(line);
        }
        if self.dry_run {
            return Ok(true);
        }
        ask(what, self.yes, self.output).map(|()| true)
    }

    /// Makes one change and says in one line what came of it.
    fn make(self, change: &Change, done: &str, named: &Value) -> Result<(), Failure> {
        if self.dry_run {
            return self.would(&[(change, done)], named);
        }
        let made = self.wait(self.gateway().write(change, &self.writing, self.progress()));
        let written = match made {
            Ok(written) => written,
            Err(failure) => {
                self.session.close_after(&self.reading);
                return Err(failure);
            }
        };
        let document = document(change, named, &written);
        self.close(&document, &Page::new().line(done), untold(written))
    }

    /// Says what would be done.
    fn would(self, changes: &[(&Change, &str)], named: &Value) -> Result<(), Failure> {
        let page = changes.iter().fold(Page::new(), |page, (_, done)| page.line(format!("Would have: {done}")));
        let requests: Vec<Value> = changes
            .iter()
            .map(|(change, _)| json!({"operation": change.operation(), "request": change.request()}))
            .collect();
        let document = json!({"schema_version": 1, "dry_run": true, "of": named, "changes": requests});
        self.close(&document, &page, None)
    }

    /// Says that there was nothing to do.
    fn already(self, line: &str, named: &Value) -> Result<(), Failure> {
        let document = json!({"schema_version": 1, "changed": false, "of": named, "message": line});
        self.close(&document, &Page::new().line(line), None)
    }

    fn close(self, document: &Value, page: &Page, failure: Option<Failure>) -> Result<(), Failure> {
        self.output.report(document, page)?;
        self.session.close_after(&self.reading);
        failure.map_or(Ok(()), Err)
    }
}

/// What is told of a change that was made.
fn document(change: &Change, named: &Value, written: &Written) -> Value {
    json!({
        "schema_version": 1, "changed": true, "operation": change.operation(), "of": named, "answer": written.answer,
        "journal": written.journal, "invalidated": written.invalidated,
    })
}

/// The end of a change that the cache could not be told of.
fn untold(written: Written) -> Option<Failure> {
    written.untold.map(Failure::from)
}

/// A name must still be that of the thing: the cache may not know yet that somebody else renamed it.
fn confirmed(word: &str, named: Named) -> Result<Named, GatewayError> {
    let by_id = is_directory_id(word) || word.starts_with("arn:") || word.starts_with("ps-");
    if by_id || named.name.eq_ignore_ascii_case(word) {
        return Ok(named);
    }
    Err(GatewayError::Ambiguous {
        name: word.to_owned(),
        choices: vec![format!("{} is called `{}` by now", named.id, named.name)],
    })
}

/// What a flag that must be there is missed with.
fn missing(flag: &str, hint: &str) -> Failure {
    Failure::new(Code::Usage, format!("{flag} is missing")).hint(hint)
}

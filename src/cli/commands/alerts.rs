//! `alerts ...`: alerts, silences, their history, and a test message.
//!
//! Guarantee: no command asks AWS, and a silence works with an invalid configuration. A test prints where the message went,
//! or why it was not sent and which key to set.

use crate::alerts::{self, AlertError, AlertEvent, AlertStatus, Channel, PendingDelivery, Receipt, Silence};
use crate::app::{App, StateReader, delivery};
use crate::cli::args::GlobalArgs;
use crate::cli::args::alerts::{AlertHistoryArgs, AlertsCommand, ChannelWord, SilenceArgs};
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::clock::{UnixMillis, millis};
use crate::config::MailTransport;
use crate::host;
use crate::model::format_duration;
use crate::state::Database;
use serde_json::{Value, json};
use std::time::Duration;

/// Events that `alerts history` shows unless a number is given.
const SHOWN: u64 = 50;

/// `alerts ...`
pub(crate) fn alerts(command: &AlertsCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        AlertsCommand::List => list(globals, output),
        AlertsCommand::Test { channel } => test(*channel, globals, output),
        AlertsCommand::Silence(arguments) => silence(arguments, globals, output),
        AlertsCommand::Unsilence { key } => unsilence(key, globals, output),
        AlertsCommand::History(arguments) => history(arguments, globals, output),
    }
}

/// A session and its state database.
struct AlertsSession {
    session: Session,
    database: Database,
    now: UnixMillis,
}

impl AlertsSession {
    /// To read.
    fn open(globals: &GlobalArgs, output: &mut Output) -> Result<AlertsSession, CliError> {
        let session = Session::open(globals, Need::Anything, output)?;
        let found = StateReader::new(&session.app).readable()?;
        Ok(AlertsSession::over(session, found, output))
    }

    /// To change something.
    fn open_to_change(globals: &GlobalArgs, output: &mut Output) -> Result<AlertsSession, CliError> {
        let session = Session::open_to_change_state(globals, Need::Anything, output)?;
        let found = session.app.database()?;
        Ok(AlertsSession::over(session, found, output))
    }

    fn over(
        mut session: Session,
        (database, notice): (Database, Option<String>),
        output: &mut Output,
    ) -> AlertsSession {
        session.notices.extend(notice);
        session.notices.extend(StateReader::new(&session.app).set_aside_notice());
        super::jobs::say(&session.notices, output);
        let now = session.app.clock().now();
        AlertsSession { session, database, now }
    }

    fn app(&self) -> &App {
        &self.session.app
    }
}

fn list(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let desk = AlertsSession::open(globals, output)?;
    let settings = &desk.session.app.config().alerts;
    let standing = alerts::statuses(&desk.database, settings, desk.app().disabled().is_some(), desk.now)?;
    let silences = alerts::silences(&desk.database, desk.now)?;
    let kept = alerts::pending_deliveries(&desk.database, settings)?;
    let row = |alert: &AlertStatus| {
        let since = times::ago(alert.since, desk.now);
        vec![alert.key.clone(), alert.state.to_owned(), since, alert.message.clone(), alert.next.clone()]
    };
    let mut page =
        TextReport::new().table(&["KEY", "STATE", "SINCE", "WHAT", "NEXT MESSAGE"], standing.iter().map(row).collect());
    if standing.is_empty() {
        page = page.line("no alert is pending or fires");
    }
    for alert in standing.iter().filter(|alert| alert.state == "firing" && !alert.hint.is_empty()) {
        page = page.marked(Style::Hint, format!("next ({})", alert.key), &alert.hint);
    }
    page = silence_lines(page, &silences, desk.now);
    page = kept_lines(page, &kept, desk.now);
    let document = json!({
        "schema_version": 1,
        "alerts": standing,
        "silences": silences,
        "waiting": kept.len(),
        "deliveries": kept,
        "notices": desk.session.notices,
    });
    output.report(&document, &page)
}

/// The kept deliveries, each with its channel, the reason and the next try.
fn kept_lines(mut page: TextReport, kept: &[PendingDelivery], now: UnixMillis) -> TextReport {
    for delivery in kept {
        let tried = match (&delivery.reason, delivery.attempts) {
            (Some(reason), 1) => format!("1 attempt: {reason}"),
            (Some(reason), attempts) => format!("{attempts} attempts: {reason}"),
            (None, _) => "not tried yet".to_owned(),
        };
        let since = times::ago(delivery.since, now);
        page = page
            .marked(Style::Warn, format!("kept ({})", delivery.channel), format!("{} ({since})", delivery.subject))
            .field("  reason", tried)
            .field("  next try", format!("{}; given up at {}", delivery.next_try, times::local(delivery.given_up_at)));
    }
    page
}

fn silence_lines(mut page: TextReport, silences: &[Silence], now: UnixMillis) -> TextReport {
    for silence in silences {
        let left = times::left(silence.until, now);
        let words = format!("{} for another {left}, by {}: {}", silence.pattern, silence.author, silence.reason);
        page = page.marked(Style::Faint, format!("silence {}", silence.id), words);
    }
    page
}

fn silence(arguments: &SilenceArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let (Some(key), Some(reason)) = (&arguments.key, &arguments.reason) else {
        return silences(globals, output);
    };
    let refuse = |message: &str, hint: &str| Err(CliError::new(Code::Usage, message.to_owned()).hint(hint.to_owned()));
    if arguments.duration.is_some_and(|duration| duration.is_zero()) {
        return refuse("--for: 0 would end immediately, so nothing was changed", "name how long, as in 30m or 4h");
    }
    if key.trim().is_empty() {
        return refuse("KEY: the key is empty", "`awsideman alerts list` shows the keys; * is all of them");
    }
    if reason.trim().is_empty() {
        return refuse("--reason: the reason is empty", "name the ticket or the work");
    }
    let mut desk = AlertsSession::open_to_change(globals, output)?;
    let until = match (&arguments.until, arguments.duration) {
        (Some(moment), _) => {
            let zone = times::zone()?;
            let Some(until) = moment.at(desk.now, &zone).filter(|until| *until > desk.now) else {
                return refuse("--until is in the past, so nothing was changed", "name a time that is still to come");
            };
            until
        }
        (None, duration) => desk.now.saturating_add(millis(duration.unwrap_or_default())),
    };
    let made = alerts::silence(&mut desk.database, key, until, reason, &author(), desk.now)?;
    let settings = &desk.session.app.config().alerts;
    let standing = alerts::statuses(&desk.database, settings, desk.app().disabled().is_some(), desk.now)?;
    let covered = standing.iter().filter(|alert| crate::model::matches(&made.pattern, &alert.key)).count();
    let end = format!("It ends by itself at {} (in {})", times::local(until), times::left(until, desk.now));
    let page = TextReport::new()
        .line(format!("Silenced: {} ({covered} alerts stand under it now)", made.pattern))
        .line(end)
        .line(format!("To end it: awsideman alerts unsilence {}", made.id));
    let document = json!({ "schema_version": 1, "silence": made, "covers": covered, "notices": desk.session.notices });
    output.report(&document, &page)
}

fn silences(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let desk = AlertsSession::open(globals, output)?;
    let silences = alerts::silences(&desk.database, desk.now)?;
    let row = |silence: &Silence| {
        let until = format!("{} (in {})", times::local(silence.until), times::left(silence.until, desk.now));
        vec![silence.id.to_string(), silence.pattern.clone(), until, silence.author.clone(), silence.reason.clone()]
    };
    let mut page = TextReport::new().table(&["ID", "KEY", "UNTIL", "BY", "WHY"], silences.iter().map(row).collect());
    if silences.is_empty() {
        page = page.line("nothing is silenced");
    }
    output.report(&json!({ "schema_version": 1, "silences": silences, "notices": desk.session.notices }), &page)
}

fn unsilence(key: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let mut desk = AlertsSession::open_to_change(globals, output)?;
    let ended = alerts::unsilence(&mut desk.database, key, &author(), desk.now)?;
    if ended.is_empty() {
        return Err(CliError::new(Code::NotFound, format!("no active silence `{key}`"))
            .hint("`awsideman alerts silence --list` shows the active silences with their numbers"));
    }
    let line = |silence: &Silence| format!("Ended: silence {} of {}", silence.id, silence.pattern);
    let page = ended.iter().fold(TextReport::new(), |page, silence| page.line(line(silence)));
    output.report(&json!({ "schema_version": 1, "ended": ended, "notices": desk.session.notices }), &page)
}

fn history(arguments: &AlertHistoryArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let desk = AlertsSession::open(globals, output)?;
    let events = alerts::events(&desk.database, arguments.key.as_deref(), arguments.limit.unwrap_or(SHOWN))?;
    let row = |event: &AlertEvent| {
        let lasted = event.lasted_ms.map(|ms| format_duration(Duration::from_millis(ms.max(0).unsigned_abs())));
        vec![
            times::local(event.at),
            event.key.clone(),
            event.what.clone(),
            lasted.unwrap_or_default(),
            event.message.clone(),
        ]
    };
    let mut page =
        TextReport::new().table(&["WHEN", "KEY", "WHAT", "LASTED", "WORDS"], events.iter().map(row).collect());
    if events.is_empty() {
        page = page.line("nothing has happened yet");
    }
    output.report(&json!({ "schema_version": 1, "events": events, "notices": desk.session.notices }), &page)
}

fn author() -> String {
    format!("{}@{}", host::user_name(), host::host_name())
}

fn test(only: Option<ChannelWord>, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Report, output)?;
    let app = &session.app;
    super::jobs::say(&session.notices, output);
    let channels = match only {
        Some(word) => vec![channel(word)],
        None => alerts::channels(&app.config().alerts),
    };
    if channels.is_empty() {
        return Err(CliError::new(Code::Usage, "alerts.email.enabled is false: no mail is ever sent").hint(
            "set `enabled = true` under [alerts.email] (or AWSIDEMAN_ALERTS_EMAIL_ENABLED=true), with `to` and a `transport`\n\
             [alerts.webhook] and [alerts.command] are the other ways; --channel tries one that is not switched on\n\
             `awsideman --sandbox alerts test` writes one into a file",
        ));
    }
    let try_it =
        |channel: &Channel| (*channel, alerts::test(&delivery(app), *channel, &host::host_name(), app.clock().now()));
    let mut tried: Vec<(Channel, Result<Receipt, AlertError>)> = channels.iter().map(try_it).collect();
    if let [(_, Err(_))] = tried.as_slice()
        && let Some((_, Err(error))) = tried.pop()
    {
        return Err(error.into());
    }
    output.report(&document(&tried, &session.notices), &page(&tried, app.config().alerts.email.transport))?;
    // A configuration that cannot work is 2, a delivery that failed 1.
    let wrong = tried.iter().filter_map(|(_, result)| result.as_ref().err()).map(AlertError::is_configuration);
    let codes: Vec<Code> = wrong.map(|is_wrong| if is_wrong { Code::Usage } else { Code::Failed }).collect();
    if !codes.is_empty() {
        return Err(CliError::quiet(Code::of_several(codes)));
    }
    // Some recipients were refused: the mail was sent, and these recipients will miss the next alert too.
    let complains = |(_, result): &(Channel, Result<Receipt, AlertError>)| {
        result.as_ref().is_ok_and(|receipt| receipt.complaint.is_some())
    };
    if tried.iter().any(complains) { Err(CliError::quiet(Code::Partial)) } else { Ok(()) }
}

fn channel(word: ChannelWord) -> Channel {
    match word {
        ChannelWord::Mail => Channel::Mail,
        ChannelWord::Webhook => Channel::Webhook,
        ChannelWord::Command => Channel::Command,
    }
}

fn document(tried: &[(Channel, Result<Receipt, AlertError>)], notices: &[String]) -> Value {
    let each = |(channel, result): &(Channel, Result<Receipt, AlertError>)| {
        let (receipt, error) = (result.as_ref().ok(), result.as_ref().err());
        json!({
            "channel": channel,
            "sent": receipt.is_some(),
            "place": receipt.map(|receipt| &receipt.place),
            "complaint": receipt.and_then(|receipt| receipt.complaint.as_ref()),
            "error": error.map(ToString::to_string),
            "hint": error.map(AlertError::hint),
        })
    };
    let all: Vec<Value> = tried.iter().map(each).collect();
    let first = all.first().cloned().unwrap_or_default();
    json!({
        "schema_version": 1,
        "sent": all.iter().all(|one| one["sent"] == true),
        "place": first["place"],
        "complaint": first["complaint"],
        "channels": all,
        "notices": notices,
    })
}

/// `Mail: sent to smtp.example.com:587`; a file is written, not sent.
fn handed_over(receipt: &Receipt, transport: MailTransport) -> String {
    let place = &receipt.place;
    match (receipt.channel, transport) {
        (Channel::Mail, MailTransport::Smtp) => format!("Mail: sent to {place}"),
        (Channel::Mail, MailTransport::Sendmail) => format!("Mail: sent to {place}, which delivers it from here"),
        (Channel::Mail, MailTransport::File) => {
            format!("Mail: written to {place} (transport = \"file\" sends nothing)")
        }
        (Channel::Webhook, _) => format!("Webhook: sent to {place}"),
        (Channel::Command, _) => format!("Command: sent to {place}"),
    }
}

fn page(tried: &[(Channel, Result<Receipt, AlertError>)], transport: MailTransport) -> TextReport {
    let mut page = TextReport::new();
    for (channel, result) in tried {
        page = match result {
            Ok(receipt) => {
                let page = page.line(handed_over(receipt, transport));
                receipt.complaint.iter().fold(page, |page, complaint| page.line(complaint.clone()))
            }
            Err(error) => {
                page.marked(Style::Bad, channel.as_str(), error.to_string()).marked(Style::Hint, "next", error.hint())
            }
        };
    }
    page
}

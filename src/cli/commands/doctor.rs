//! `doctor`: the checks as lines with their remedies, or the IAM policy that is just enough.
//!
//! It works with a broken configuration and without AWS; the exit code is 0 when nothing failed that is needed.

use crate::app::{App, AwsAccount, Check, CheckLevel, Doctor};
use crate::cli::args::GlobalArgs;
use crate::cli::args::meta::DoctorArgs;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session, load_leniently, sources};
use crate::gateway;
use serde_json::{Value, json};

/// `doctor`
pub(crate) fn doctor(arguments: &DoctorArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if arguments.iam_policy {
        // With a configuration that cannot be used, the commercial partition is the best guess.
        let app = App::new(load_leniently(&sources(globals)).0, None).ok();
        let region = app.and_then(|app| AwsAccount::new(&app).selection().region);
        let policy = gateway::iam_policy(arguments.writes, gateway::partition_of(region.as_deref()));
        output.text(&format!("{policy:#}\n"))?;
        if arguments.writes {
            output.talk().note(gateway::MANAGEMENT_ACCOUNT_WORD);
        }
        return Ok(());
    }
    let mut problems = load_leniently(&sources(globals)).1;
    // A sandbox needs no home.
    problems.retain(|problem| !(problem.is_missing_home() && globals.sandbox.is_some()));
    let session = Session::open(globals, Need::Anything, output)?;
    let checks = session.wait(Doctor::new(&session.app).examine(problems))?;
    let lines: Vec<CheckLine> = checks.into_iter().map(CheckLine::from).collect();
    let code = code_of(&lines);
    let document = json!({
        "ok": code == Code::Ok,
        "exit_code": code.number(),
        "checks": lines.iter().map(CheckLine::document).collect::<Value>(),
    });
    output.report(&document, &page(&lines, code))?;
    if code == Code::Ok { Ok(()) } else { Err(CliError::quiet(code)) }
}

/// A check with what to do about it.
struct CheckLine {
    name: String,
    level: CheckLevel,
    message: String,
    details: Vec<String>,
    hint: Option<String>,
    code: Code,
}

impl From<Check> for CheckLine {
    fn from(check: Check) -> CheckLine {
        let Check { name, level, message, hint, fault, is_health } = check;
        let line = CheckLine { name, level, message, details: Vec::new(), hint, code: Code::Ok };
        match (level, fault) {
            (CheckLevel::Fail, Some(fault)) => {
                let fault = CliError::from(fault);
                // A check may know better than the error what to do.
                let (message, hint) = match line.hint {
                    Some(hint) => (line.message, Some(hint)),
                    None => (fault.message, fault.hint),
                };
                CheckLine { message, hint, details: fault.details, code: fault.code, ..line }
            }
            (CheckLevel::Fail, None) => {
                CheckLine { code: if is_health { Code::Critical } else { Code::Failed }, ..line }
            }
            _ => line,
        }
    }
}

impl CheckLine {
    fn document(&self) -> Value {
        let mut document = json!({
            "name": self.name, "level": self.level, "message": self.message, "hint": self.hint,
        });
        if !self.details.is_empty() {
            document["details"] = json!(self.details);
        }
        document
    }
}

fn code_of(lines: &[CheckLine]) -> Code {
    Code::of_several(lines.iter().map(|line| line.code).filter(|code| *code != Code::Ok))
}

fn page(lines: &[CheckLine], code: Code) -> TextReport {
    let page = lines.iter().fold(TextReport::new(), |page, line| {
        let (style, word) = match line.level {
            CheckLevel::Ok => (Style::Good, "ok"),
            CheckLevel::Warn => (Style::Warn, "warn"),
            CheckLevel::Fail => (Style::Bad, "fail"),
            CheckLevel::Skipped => (Style::Faint, "skipped"),
        };
        let page = page.marked(style, word, format!("{}: {}", line.name, line.message));
        let page = line.details.iter().fold(page, |page, detail| page.line(format!("            {detail}")));
        let hints = line.hint.iter().flat_map(|hint| hint.lines());
        hints.fold(page, |page, hint| page.line(format!("          > {hint}")))
    });
    let failed = lines.iter().filter(|line| line.level == CheckLevel::Fail).count();
    let end = match (code, failed) {
        (Code::Ok, _) => match lines.iter().filter(|line| line.level == CheckLevel::Warn).count() {
            0 => "all that is needed is there".to_owned(),
            1 => format!("no check of {} failed, 1 warning", lines.len()),
            n => format!("no check of {} failed, {n} warnings", lines.len()),
        },
        (code, failed) => format!("{failed} of {} checks failed: {}", lines.len(), code.meaning()),
    };
    page.line("").line(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::AppError;
    use crate::gateway::GatewayError;

    fn check(level: CheckLevel, fault: Option<AppError>) -> CheckLine {
        CheckLine::from(Check { name: "n".into(), level, message: "m".into(), hint: None, fault, is_health: false })
    }

    #[test]
    fn warnings_and_skipped_checks_end_with_0() {
        let lines = [check(CheckLevel::Ok, None), check(CheckLevel::Warn, None), check(CheckLevel::Skipped, None)];
        assert_eq!(code_of(&lines), Code::Ok);
        assert!(page(&lines, Code::Ok).text(None, false).contains("no check of 3 failed, 1 warning"));
        assert!(page(&lines[..1], Code::Ok).text(None, false).contains("all that is needed is there"));
    }

    #[test]
    fn an_error_brings_its_own_code_and_remedy() {
        let expired = GatewayError::LoginExpired {
            profile: Some("p".into()),
            detail: "over".into(),
            hint: "log in again: `aws sso login --profile p`".into(),
        };
        let lines = [check(CheckLevel::Fail, None), check(CheckLevel::Fail, Some(expired.into()))];
        assert_eq!(code_of(&lines), Code::Refused);
        let text = page(&lines, Code::Refused).text(Some(40), false);
        assert!(text.contains("> log in again: `aws sso login --profile p`"), "{text}");
        assert!(text.contains("2 of 2 checks failed"), "{text}");
    }
}

//! `jobs install`: has systemd or cron run what is due.
//!
//! The files are shown before the confirmation. A service that could not run, and a file that systemd would refuse,
//! are not written; nothing is started.

mod reach;
mod survey;

use crate::app::{App, JobFiles};
use crate::aws;
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::InstallArgs;
use crate::cli::confirm::ask;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session};
use crate::config::{Format, Job, Sources, paths};
use crate::jobs::{DAEMON, For, InstalledService, SERVICE, ServiceFile, USER, longest, user_units};
use reach::HostUser;
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// By what our line in somebody's crontab is found again.
const MARK: &str = "# awsideman jobs install";

/// The default address of the daemon's page.
const PAGE: &str = "127.0.0.1:9464";

/// Where something is written, and what.
struct InstallPlan {
    files: Vec<(PathBuf, String)>,
    /// A crontab as a whole, for `crontab -`.
    crontab: Option<String>,
    next: Vec<String>,
}

/// `jobs install`
pub(crate) fn install(arguments: &InstallArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Report, output)?;
    if session.app.is_sandbox() {
        return Err(CliError::new(Code::Usage, "the sandbox ends with its command: there is nothing to install")
            .hint("leave out `--sandbox`"));
    }
    let jobs = JobFiles::new(&session.app).all()?;
    let mut notices = session.notices.clone();
    let profiles = profiles(&session.app, &jobs);
    refuse_browser_logins(&profiles, arguments.allow_sso_login, &mut notices)?;
    refuse_mfa(&profiles)?;
    let whom = if arguments.user { For::User } else { For::Host };
    let command = command(arguments, globals, &session.app)?;
    let account = if arguments.user { HostUser::own() } else { HostUser::named(USER) };
    let subject = survey::Subject {
        app: &session.app,
        account: &account,
        whom,
        has_own_tmp: !arguments.cron && !arguments.user,
        program: Path::new(&command[0]),
        files: &paths(&Sources::from_process(globals.config.clone())),
        profiles: &profiles,
        variables_file: variables_file(arguments),
    };
    let survey::Survey { problems, notices: more, path } = subject.survey();
    notices.extend(more);
    let grace = session.app.config().jobs.grace;
    let service = InstalledService { command, longest: longest(&jobs, grace), grace, whom, path };
    let plan = match (arguments.systemd, arguments.daemon) {
        (true, _) => systemd(service.systemd(), &format!("{SERVICE}.timer"), whom, &account)?,
        (_, true) => systemd(vec![service.daemon()], &format!("{DAEMON}.service"), whom, &account)?,
        (false, false) => cron(&service, &account)?,
    };
    let verified = if arguments.cron { None } else { verify(&plan.files, whom, &mut notices)? };

    let document = json!({
        "schema_version": 1,
        "dry_run": arguments.dry_run,
        "files": plan.files.iter().map(|(path, text)| json!({ "path": path, "text": text })).collect::<Vec<_>>(),
        "crontab": plan.crontab,
        "verified": verified,
        "next": plan.next,
        "problems": problems,
        "notices": notices,
    });
    if output.format() == Format::Table {
        for notice in &notices {
            output.talk().note(notice);
        }
    }
    if arguments.dry_run {
        let mut page = next_lines(shown(&plan), &plan).line("Dry run: nothing was done.");
        for problem in &problems {
            page = page.marked(Style::Bad, "problem", problem);
        }
        return output.report(&document, &page);
    }
    if !problems.is_empty() {
        return Err(CliError::new(
            Code::Usage,
            format!("the service could not run as {}; nothing was written", account.name),
        )
        .details(problems)
        .hint(
            "put the program into /usr/local/bin and the configuration into /etc/awsideman, readable for that user",
        ));
    }
    if output.format() == Format::Table {
        output.talk().write(&shown(&plan).text(None, false));
    }
    ask("write this", globals.yes, output)?;
    for (path, text) in &plan.files {
        write(path, text)?;
    }
    if let Some(text) = &plan.crontab {
        set_crontab(text)?;
    }
    let mut page = TextReport::new();
    for (path, _) in &plan.files {
        page = page.line(format!("Written: {}", path.display()));
    }
    if plan.crontab.is_some() {
        page = page.line("Written: your crontab");
    }
    output.report(&document, &next_lines(page, &plan))
}

/// The commands to use after installation.
fn next_lines(page: TextReport, plan: &InstallPlan) -> TextReport {
    plan.next.iter().fold(page, |page, next| page.line(format!("Next: {next}")))
}

fn shown(plan: &InstallPlan) -> TextReport {
    let mut page = TextReport::new();
    for (path, text) in &plan.files {
        page = page.title(path.display().to_string()).line(text.trim_end());
    }
    match &plan.crontab {
        Some(text) => page.title("your crontab").line(text.trim_end()),
        None => page,
    }
}

/// The command to run: this program with the current options.
fn command(arguments: &InstallArgs, globals: &GlobalArgs, app: &App) -> Result<Vec<String>, CliError> {
    let fail = |error| CliError::new(Code::Failed, format!("the path of this program cannot be found: {error}"));
    let mut words = vec![std::env::current_exe().map_err(fail)?.display().to_string()];
    if let Some(path) = &globals.config {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        words.extend(["--config".to_owned(), path.display().to_string()]);
    }
    for (flag, value) in [("--profile", &globals.profile), ("--region", &globals.region)] {
        if let Some(value) = value {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    let more: &[&str] = match (arguments.daemon, app.config().daemon.listen) {
        (false, _) => &["jobs", "run"],
        (true, Some(_)) => &["jobs", "daemon"],
        (true, None) => &["jobs", "daemon", "--listen", PAGE],
    };
    words.extend(more.iter().map(|&word| word.to_owned()));
    Ok(words)
}

/// Every profile that an enabled job uses.
fn profiles(app: &App, jobs: &[Job]) -> Vec<Option<String>> {
    let chosen = app.config().profile.clone();
    let mut profiles: Vec<Option<String>> = Vec::new();
    for job in jobs.iter().filter(|job| job.enabled) {
        let own = job.profiles.iter().cloned().map(Some);
        profiles.extend(if job.profiles.is_empty() { vec![chosen.clone()] } else { own.collect() });
    }
    profiles.sort();
    profiles.dedup();
    profiles
}

/// Where a service's variables go.
fn variables_file(arguments: &InstallArgs) -> &'static str {
    match (arguments.cron, arguments.user) {
        (true, true) => "your crontab, as lines NAME=value above the line",
        (true, false) => "/etc/cron.d/awsideman, as lines NAME=value above the line",
        (false, true) => "~/.config/awsideman/environment (mode 0600)",
        (false, false) => "/etc/awsideman/environment (mode 0600)",
    }
}

/// A service cannot log in with a browser.
fn refuse_browser_logins(
    profiles: &[Option<String>],
    allowed: bool,
    notices: &mut Vec<String>,
) -> Result<(), CliError> {
    let environment = aws::environment();
    let found: Vec<String> =
        profiles.iter().filter_map(|profile| aws::browser_login(profile.as_deref(), &environment)).collect();
    if found.is_empty() {
        return Ok(());
    }
    if allowed {
        notices.push(format!("{}; jobs fail whenever that login is over", found.join("; ")));
        return Ok(());
    }
    Err(CliError::new(Code::Usage, "a service cannot log in with a browser")
        .details(found)
        .hint("name a profile with a role or keys (`--profile`), or accept this with `--allow-sso-login`"))
}

/// A service cannot enter the code of an MFA device.
fn refuse_mfa(profiles: &[Option<String>]) -> Result<(), CliError> {
    let environment = aws::environment();
    let found: Vec<String> =
        profiles.iter().filter_map(|profile| aws::mfa_device(profile.as_deref(), &environment)).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Code::Usage, "a service cannot enter the code of an MFA device")
        .details(found)
        .hint("name a profile whose role needs no MFA (`--profile`), such as an instance role"))
}

/// The command that makes the service user, where there is none.
fn new_user(account: &HostUser) -> Option<String> {
    let make = format!("useradd --system --create-home --home-dir /var/lib/{USER} --shell /usr/sbin/nologin {USER}");
    (account.name == USER && !account.exists()).then_some(make)
}

fn systemd(files: Vec<ServiceFile>, started: &str, whom: For, account: &HostUser) -> Result<InstallPlan, CliError> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let (folder, user) = match whom {
        For::Host => (PathBuf::from("/etc/systemd/system"), ""),
        For::User => {
            let folder = user_units(variable("XDG_CONFIG_HOME"), variable("HOME"));
            (folder.ok_or_else(|| CliError::new(Code::Usage, "HOME is not set"))?, " --user")
        }
    };
    let unit = files.first().map(|file| file.name.clone()).unwrap_or_default();
    let mut next: Vec<String> = new_user(account).into_iter().collect();
    next.push(format!("systemctl{user} daemon-reload && systemctl{user} enable --now {started}"));
    let is_timer = Path::new(started).extension().is_some_and(|kind| kind == "timer");
    next.push(if is_timer {
        format!("systemctl{user} start {unit}    # runs once, now")
    } else {
        format!("systemctl{user} reload {unit}    # reads the configuration again")
    });
    next.push(if is_timer {
        format!("systemctl{user} list-timers {started}")
    } else {
        format!("systemctl{user} status {unit}")
    });
    next.push(format!("journalctl{user} -u {unit} -n 50"));
    let files = files.into_iter().map(|file| (folder.join(file.name), file.text)).collect();
    Ok(InstallPlan { files, crontab: None, next })
}

fn cron(service: &InstalledService, account: &HostUser) -> Result<InstallPlan, CliError> {
    let program = service.command.split_last_chunk::<2>().map_or(service.command.as_slice(), |(program, _)| program);
    let words = program.join(" ");
    let before = if service.whom == For::Host { format!("sudo -u {USER} ") } else { String::new() };
    let mut next: Vec<String> = new_user(account).into_iter().collect();
    next.push(format!("{before}{words} doctor    # as the user that cron runs it as"));
    next.push(format!("{before}{words} jobs run --verbose    # runs once, now"));
    next.push(format!("{before}{words} jobs history -n 5"));
    if service.whom == For::Host {
        let ServiceFile { name, text } = service.cron_file();
        let file = Path::new("/etc/cron.d").join(name);
        next.push(format!("rm {}    # uninstalls it", file.display()));
        return Ok(InstallPlan { files: vec![(file, text)], crontab: None, next });
    }
    next.push("crontab -e    # remove the line to uninstall it".to_owned());
    let present = crontab()?;
    let kept = present.lines().filter(|line| !line.ends_with(MARK));
    let mut lines: Vec<String> = kept.map(str::to_owned).collect();
    // In a crontab a comment stands on a line of its own; behind the command the shell reads it.
    lines.push(format!("{}  {MARK}", service.cron_line()));
    Ok(InstallPlan { files: Vec::new(), crontab: Some(lines.join("\n") + "\n"), next })
}

fn no_cron(error: &std::io::Error) -> CliError {
    CliError::new(Code::Failed, format!("`crontab` cannot be run: {error}"))
        .hint("install cron, or use `--systemd --user`; `--cron` without `--user` writes a file for the host's cron")
}

/// The present crontab of this user; empty when there is none.
fn crontab() -> Result<String, CliError> {
    let listed = Command::new("crontab").arg("-l").stdin(Stdio::null()).output().map_err(|error| no_cron(&error))?;
    Ok(if listed.status.success() { String::from_utf8_lossy(&listed.stdout).into_owned() } else { String::new() })
}

fn set_crontab(text: &str) -> Result<(), CliError> {
    let mut child = Command::new("crontab").arg("-").stdin(Stdio::piped()).spawn().map_err(|error| no_cron(&error))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    match (written, child.wait()) {
        (Ok(()), Ok(status)) if status.success() => Ok(()),
        _ => Err(CliError::new(Code::Failed, "`crontab` rejected the new table; the old one is unchanged")),
    }
}

/// Has systemd read the units before they are where it looks for them; `None` where it is not installed.
fn verify(files: &[(PathBuf, String)], whom: For, notices: &mut Vec<String>) -> Result<Option<bool>, CliError> {
    let fail = |error: std::io::Error| CliError::new(Code::Failed, format!("cannot verify the units: {error}"));
    let folder = tempfile::tempdir().map_err(fail)?;
    let mut paths = Vec::new();
    for (path, text) in files {
        let tried = folder.path().join(path.file_name().unwrap_or_default());
        std::fs::write(&tried, text).map_err(fail)?;
        paths.push(tried);
    }
    let manager = if whom == For::User { "--user" } else { "--system" };
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", manager, "--man=no"]).args(&paths).stdin(Stdio::null());
    let tried = match command.output() {
        Ok(tried) => tried,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            notices.push("systemd-analyze is not here, so the units were not verified".to_owned());
            return Ok(None);
        }
        Err(error) => return Err(fail(error)),
    };
    let said = String::from_utf8_lossy(&tried.stderr).into_owned();
    if tried.status.success() {
        return Ok(Some(true));
    }
    // Without a manager to ask (in a container) it cannot verify anything.
    if said.contains("Failed to initialize manager") || said.contains("Failed to connect") {
        notices.push(format!("systemd-analyze could not verify the units: {}", said.trim()));
        return Ok(None);
    }
    Err(CliError::new(Code::Failed, "systemd rejects these units; nothing was written")
        .details(said.lines().map(str::to_owned).collect::<Vec<_>>())
        .hint("`--dry-run` shows them"))
}

/// Writes a file that services read: for everybody to read, as a whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::Builder::new().prefix(".awsideman-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    });
    written.map_err(|error| {
        CliError::new(Code::Failed, format!("cannot write {}: {error}", path.display()))
            .hint("for the whole host this needs root; `--user` installs it for you alone")
    })
}

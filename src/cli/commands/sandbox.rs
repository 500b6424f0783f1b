//! `sandbox serve` and `sandbox info`: runs a simulated Identity Center.
//!
//! What is needed to reach it is on stdout before the first call can come; a signal to end is no failure.

use crate::cli::args::GlobalArgs;
use crate::cli::args::meta::SandboxCommand;
use crate::cli::args::meta::ServeArgs;
use crate::cli::commands::jobs::run::runtime;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::daemon;
use crate::jobs::Stop;
use crate::sandbox::{self, Counts, Limits, Organization, Regions, SandboxError, Shape};
use serde_json::json;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;

/// The region that the sandbox says it is in.
const REGION: &str = "us-east-1";
/// How long calls under way may take after the signal to end.
const GRACE: Duration = Duration::from_secs(1);

/// `sandbox ...`
pub(crate) fn sandbox(command: &SandboxCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        SandboxCommand::Serve(arguments) => serve(arguments, globals, output),
        SandboxCommand::Info => info(globals, output),
    }
}

fn serve(arguments: &ServeArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if globals.out_file().is_some() {
        return Err(CliError::new(
            Code::Usage,
            "`--out` takes its file when a command has ended, and this one serves on",
        )
        .hint("redirect instead: `awsideman sandbox serve > FILE`"));
    }
    let &ServeArgs { port, seed, users, groups, accounts, permission_sets, latency, tps, ref faults, .. } = arguments;
    let shape = Shape { seed, users, groups, accounts, permission_sets };
    let regions = regions(arguments, globals)?;
    let region = regions.primary.clone().unwrap_or_else(|| REGION.to_owned());
    let organization = Organization::generate(&shape).in_regions(regions);
    let organization = if arguments.account_states { organization.with_account_states() } else { organization };
    let conduct = faults.conduct(Limits { tps: f64::from(tps), latency });
    runtime()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(SandboxError::Listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(SandboxError::Listen)?);
        let stop = Stop::new();
        daemon::stop_on_signals(&stop)?;
        announce((&url, &region), &shape, &organization.counts(), output)?;
        let stopped = stop.clone();
        tokio::select! {
            ended = sandbox::serve(listener, organization, conduct, async move { stopped.wait().await }) => ended?,
            // A caller that keeps its connection open does not keep the sandbox.
            () = async { stop.wait().await; tokio::time::sleep(GRACE).await } => {}
        }
        Ok(())
    })
}

/// Where the instance is: in the region of `--region`, and replicated to those of `--additional-region`.
fn regions(arguments: &ServeArgs, globals: &GlobalArgs) -> Result<Regions, CliError> {
    let regions = Regions { primary: globals.region.clone(), additional: arguments.additional_region.clone() };
    match (&regions.primary, regions.additional.first()) {
        (None, Some(additional)) => {
            let message = format!("`--additional-region {additional}` needs the region of the instance");
            let example = format!("awsideman sandbox serve --region {REGION} --additional-region {additional}");
            Err(CliError::new(Code::Usage, message).hint(format!("name it: `{example}`")))
        }
        _ => Ok(regions),
    }
}

/// Says how it is reached; as text, every line is one that a shell takes.
fn announce((url, region): (&str, &str), shape: &Shape, counts: &Counts, output: &mut Output) -> Result<(), CliError> {
    let variables = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", region),
        ("AWS_ACCESS_KEY_ID", "sandbox"),
        ("AWS_SECRET_ACCESS_KEY", "sandbox"),
    ];
    let environment: serde_json::Map<_, _> = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())).collect();
    let document = json!({
        "url": url, "region": region, "seed": shape.seed, "label": shape.label(), "counts": counts,
        "environment": environment,
    });
    let page = TextReport::new()
        .line(format!("# The sandbox listens on {url} until ctrl-c."))
        .line(format!("# Seed {}: {}.", shape.seed, sizes(counts)))
        .line("# To use it from another shell:");
    let page = variables.iter().fold(page, |page, (name, value)| page.line(format!("export {name}={value}")));
    output.report(&document, &page)
}

fn sizes(counts: &Counts) -> String {
    let Counts { users, groups, accounts, permission_sets, assignments, .. } = counts;
    format!(
        "{users} users, {groups} groups, {accounts} accounts, {permission_sets} permission sets, \
         {assignments} assignments"
    )
}

fn info(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let seed = globals.sandbox.flatten().unwrap_or(Shape::default().seed);
    let shape = Shape { seed, ..Shape::default() };
    let inside = GlobalArgs { sandbox: Some(Some(seed)), ..globals.clone() };
    let session = Session::open(&inside, Need::Anything, output)?;
    session.say_notices();
    let (cache, state) = (session.app.cache_dir(), session.app.state_dir());
    let root = state.parent().unwrap_or(state);
    let organization = Organization::generate(&shape);
    let counts = organization.counts();
    let document = json!({
        "label": shape.label(), "seed": seed, "root": root, "exists": root.is_dir(), "cache_dir": cache,
        "state_dir": state, "instance": organization.instance_arn(), "identity_store": organization.identity_store(),
        "counts": counts,
    });
    let made = if root.is_dir() { "" } else { "  (made by the first command with --sandbox)" };
    let page = TextReport::new()
        .field("Label", shape.label())
        .field("Root", format!("{}{made}", root.display()))
        .field("Instance", organization.instance_arn())
        .field("Identity store", organization.identity_store())
        .title("Contents")
        .field("Users", counts.users.to_string())
        .field("Groups", counts.groups.to_string())
        .field("Memberships", counts.memberships.to_string())
        .field("Permission sets", counts.permission_sets.to_string())
        .field("Accounts", counts.accounts.to_string())
        .field("Organizational units", counts.organizational_units.to_string())
        .field("Assignments", counts.assignments.to_string());
    output.report(&document, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::environment::Environment;

    #[test]
    fn every_line_of_the_announcement_is_one_that_a_shell_takes() {
        let shape = Shape { seed: 7, users: 3, groups: 1, accounts: 1, permission_sets: 1 };
        let counts = Organization::generate(&shape).counts();
        let (environment, stdout, _) = Environment::captured(&[]);
        let mut output = Output::open(&GlobalArgs::default(), environment);
        announce(("http://127.0.0.1:5", REGION), &shape, &counts, &mut output).unwrap();
        let text = stdout.text();
        assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("export AWS_")), "{text}");
        assert!(text.contains("export AWS_ENDPOINT_URL=http://127.0.0.1:5\n"), "{text}");
        assert!(text.contains("Seed 7: 3 users, 1 groups"), "{text}");
    }
}

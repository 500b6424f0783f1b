//! `info`: which profile, region, instance, directories and files are in use, and what chose them.
//!
//! What is remembered costs no call to AWS; what AWS would not tell is said at its place, and the rest is still
//! printed.

use crate::app::{AwsAccount, Caller};
use crate::cli::args::{FreshnessArgs, GlobalArgs};
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::gateway::{CachePolicy, Gateway, GatewayError, GetCall};
use crate::model::Namespace;
use serde_json::{Value, json};

/// What was found out about the instance, and who asked.
struct InstanceInfo {
    space: Result<Namespace, GatewayError>,
    remembered: bool,
    /// `{UserId, Account, Arn}`; null when AWS was not asked.
    caller: Value,
}

/// `info`
pub(crate) fn info(freshness: &FreshnessArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    let app = &session.app;
    let policy = session.policy(freshness)?;
    let reading = app.reading(Caller::COMMAND);
    let found = find(&session, &reading.gateway, &policy)?;

    let (profile, profile_origin) = AwsAccount::new(app).profile();
    let region = AwsAccount::new(app).region();
    let credentials = AwsAccount::new(app).credential_source();
    let selection = AwsAccount::new(app).selection();
    let (version, enabled) = (env!("CARGO_PKG_VERSION"), app.disabled().is_none());
    let backend = if app.is_memory() { "memory" } else { "disk" };
    let files: Vec<&str> =
        app.loaded().files.iter().filter(|(_, found)| *found).filter_map(|(path, _)| path.to_str()).collect();
    let space = found.space.as_ref().ok();
    let failure = found.space.as_ref().err().map(ToString::to_string);
    let document = json!({
        "version": version,
        "profile": profile,
        "profile_origin": profile_origin,
        "region": region.as_ref().map(|(region, _)| region),
        "region_origin": region.as_ref().map(|(_, origin)| origin),
        "credentials": credentials.as_ref().ok(),
        "credentials_error": credentials.as_ref().err(),
        "keys_not_used": AwsAccount::new(app).ignores_keys(),
        "endpoint": selection.endpoint,
        "primary_region": space.map(|space| &space.region),
        "instance": space.map(|space| &space.instance),
        "identity_store": space.map(|space| &space.identity_store),
        "instance_remembered": found.remembered,
        "instance_error": failure,
        "account": found.caller["Account"],
        "caller": found.caller["Arn"],
        "sandbox": app.is_sandbox(),
        "cache_dir": app.cache_dir(),
        "state_dir": app.state_dir(),
        "backend": backend,
        "cache_enabled": enabled,
        "config_files": files,
    });

    let mut page = TextReport::new()
        .field("Version", version)
        .field("Profile", format!("{profile}  ({profile_origin})"))
        .field("Credentials", shown_credentials(credentials, AwsAccount::new(app).ignores_keys()))
        .field("Region", region.map_or("none".to_owned(), |(region, origin)| format!("{region}  ({origin})")));
    if let Some(endpoint) = &selection.endpoint {
        page = page.field("Endpoint", endpoint);
    }
    page = match (space, &failure) {
        (Some(space), _) => {
            let remembered = if found.remembered { "  (remembered)" } else { "" };
            let elsewhere = Some(&space.region).filter(|primary| selection.region.as_ref() != Some(*primary));
            let page = elsewhere.into_iter().fold(page, |page, primary| page.field("Primary region", primary));
            page.field("Instance", format!("{}{remembered}", space.instance))
                .field("Identity store", &space.identity_store)
        }
        (None, failure) => page.field("Instance", format!("not known: {}", failure.clone().unwrap_or_default())),
    };
    if let Some(caller) = found.caller["Arn"].as_str() {
        page = page.field("Caller", caller);
    }
    let files = if files.is_empty() { "none".to_owned() } else { files.join(", ") };
    let page = page
        .field("Cache directory", app.cache_dir().display().to_string())
        .field("State directory", app.state_dir().display().to_string())
        .field("Backend", backend)
        .field("Cache", if enabled { "enabled" } else { "disabled" })
        .field("Configuration", files);
    output.report(&document, &page)?;
    session.close(reading.gateway.take_faults());
    found.space.map(drop).map_err(CliError::from)
}

fn shown_credentials(found: Result<String, String>, ignores_keys: bool) -> String {
    let unused = if ignores_keys { "  (AWS_ACCESS_KEY_ID is set and not used)" } else { "" };
    match found {
        Ok(source) => source + unused,
        Err(reason) => format!("none: {reason}{unused}"),
    }
}

/// The instance, remembered or requested. The caller is shown only when AWS is called anyway: it costs one call.
fn find(session: &Session, gateway: &Gateway, policy: &CachePolicy) -> Result<InstanceInfo, CliError> {
    if policy.read
        && let Some(space) = gateway.remembered()
    {
        return Ok(InstanceInfo { space: Ok(space.clone()), remembered: true, caller: Value::Null });
    }
    session.wait(async {
        let space = gateway.space(policy).await.cloned();
        let caller = if space.is_ok() {
            // Only a courtesy: the instance is what was asked for.
            gateway.source().fetch(None, &GetCall::CallerIdentity).await.unwrap_or_default()
        } else {
            Value::Null
        };
        InstanceInfo { space, remembered: false, caller }
    })
}

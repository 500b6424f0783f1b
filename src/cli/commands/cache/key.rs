//! `cache key`: prints the key of an answer.

use crate::app::NameResolver;
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::config::nearest;
use crate::model::Resource;
use crate::progress::Progress;
use clap::Args;
use serde_json::{Map, Value, json};

/// `cache key`
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// The resource, as in user or permission-set
    pub resource: String,
    /// The operation, as in list or describe
    pub operation: String,
    /// The id or name, or all
    pub identifier: String,
    /// The second id or name, as in `assignment list ACCOUNT PERMISSION_SET`
    #[arg(value_name = "SUB")]
    pub sub_identifier: Option<String>,
    /// A parameter of the request (can be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not a parameter: write NAME=VALUE")),
    }
}

pub(super) fn key(args: &KeyArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let Some(resource) = Resource::parse(&args.resource) else {
        let known = Resource::ALL.map(Resource::as_str);
        let near = nearest(&args.resource, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(CliError::new(Code::Usage, format!("`{}` is not a resource", args.resource))
            .hint(format!("{near}the resources are {}", known.join(", "))));
    };
    let operation = named::known_operation(resource, &args.operation)?;
    let session = open_loudly(globals, output)?;
    let parameters: Map<String, Value> =
        args.parameters.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let identifiers: Vec<String> = std::iter::once(&args.identifier).chain(&args.sub_identifier).cloned().collect();
    let mut notice = |text: &str| session.progress.notice(text);
    let key = named::key_of(&NameResolver::new(&session.app), resource, &operation, &identifiers, &mut notice)?;
    let key = key.params(&Value::Object(parameters));
    output.report(&json!({"key": key.as_str()}), &TextReport::new().line(key.as_str()))
}

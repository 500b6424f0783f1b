//! Writes of groups: create, update, delete.
//!
//! As in AWS: names are unique ignoring case. A deleted group loses its memberships, and its assignments become orphans.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Group;
use crate::records::Id;
use crate::services::identity_store::store;
use crate::state::Organization;
use crate::validation::ids::Form;
use crate::validation::text;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// All that `UpdateGroup` can change.
const PATHS: &[&str] = &["DisplayName", "Description"];
const MOST: usize = 1024;

/// `CreateGroup`
pub(crate) fn create(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let store = Id::from(store(organization, request)?);
    let (display_name, description) = described(request, request.body())?;
    must_be_unique(organization, &display_name, None)?;
    let mut dice = organization.mint.next(&store, "group");
    let group_id = dice.id_in(&store);
    let group = Group {
        identity_store_id: store,
        group_arn: format!("arn:aws:identitystore:::group/{group_id}"),
        group_id,
        revision: dice.decimal(16),
        display_name,
        external_ids: Vec::new(),
        description,
        created_at: now.at,
        updated_at: now.at,
    };
    let answer = named(&group);
    organization.add_group(group);
    Ok(answer)
}

/// `UpdateGroup`
pub(crate) fn update(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let group = group(organization, request)?.clone();
    text::same_revision(request, &group.revision, "group")?;
    let Value::Object(mut attributes) = json!(group) else { return Ok(json!({})) };
    text::operate(request, &mut attributes, PATHS)?;
    let (display_name, description) = described(request, &attributes)?;
    must_be_unique(organization, &display_name, Some(&group.group_id))?;
    let revision = organization.mint.next(&group.identity_store_id, "revision").decimal(16);
    let group = Group { display_name, description, revision, updated_at: now.at, ..group };
    let answer = named(&group);
    organization.replace_group(group);
    Ok(answer)
}

/// `DeleteGroup`
pub(crate) fn delete(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let group = group(organization, request)?;
    text::same_revision(request, &group.revision, "group")?;
    let id = group.group_id.clone();
    organization.remove_group(&id);
    Ok(json!({}))
}

fn group<'a>(organization: &'a Organization, request: &Request) -> Result<&'a Group, Refusal> {
    store(organization, request)?;
    let id = request.id("GroupId", Form::ResourceId)?;
    organization.groups.get(id).ok_or_else(|| Refusal::not_in_store("GROUP", Some(id)))
}

fn named(group: &Group) -> Value {
    json!({
        "IdentityStoreId": group.identity_store_id, "GroupId": group.group_id, "GroupArn": group.group_arn,
        "Revision": group.revision,
    })
}

fn described(request: &Request, from: &Map<String, Value>) -> Result<(String, Option<String>), Refusal> {
    let text = |field: &'static str| match from.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text::bounded(request, field, text, MOST).map(|text| Some(text.to_owned())),
        Some(_) => Err(Refusal::serialization(&format!("{field} can not be converted to a String"))),
    };
    let name = text("DisplayName")?.ok_or_else(|| text::refused(request, "DisplayName is a required attribute"))?;
    text::unreserved(request, "DisplayName", &name)?;
    Ok((name, text("Description")?))
}

fn must_be_unique(organization: &Organization, name: &str, own: Option<&Id>) -> Result<(), Refusal> {
    match organization.index.group_by_name.get(&name.to_lowercase()) {
        Some(found) if Some(found) != own => Err(Refusal::not_unique("Duplicate GroupDisplayName")),
        _ => Ok(()),
    }
}

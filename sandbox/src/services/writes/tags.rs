//! Writes of tags: set, remove, on the instance and on permission sets.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Id;
use crate::records::Tag;
use crate::records::Text;
use crate::services::sso_admin;
use crate::state::Organization;
use crate::validation::text;
use serde_json::Value;
use serde_json::json;

/// The most tags of one resource, as the API model bounds the list.
const MOST: usize = 75;

/// `TagResource`: a key that exists gets the new value.
pub(crate) fn tag(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let resource = Id::from(sso_admin::taggable(organization, request)?);
    if request.value("Tags").is_none() {
        return Err(request.missing("Tags"));
    }
    let given = read(request)?;
    let mut tags = organization.tags.get(&resource).cloned().unwrap_or_default();
    for tag in given {
        match tags.iter_mut().find(|held| held.key == tag.key) {
            Some(held) => held.value = tag.value,
            None => tags.push(tag),
        }
    }
    if tags.len() > MOST {
        return Err(Refusal::over_quota(format!("Cannot have more than {MOST} tags on a resource.")));
    }
    organization.tags.insert(resource, tags);
    Ok(json!({}))
}

/// `UntagResource`: a key that does not exist is no error.
pub(crate) fn untag(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let resource = Id::from(sso_admin::taggable(organization, request)?);
    let keys = match request.value("TagKeys") {
        None => return Err(request.missing("TagKeys")),
        Some(Value::Array(keys)) => keys,
        Some(_) => return Err(Refusal::serialization("TagKeys can not be converted to a list")),
    };
    if !(1..=MOST).contains(&keys.len()) {
        let rule = format!("Member must have length between 1 and {MOST}, inclusive");
        return Err(text::invalid(request, "TagKeys", &rule));
    }
    if let Some(tags) = organization.tags.get_mut(&resource) {
        tags.retain(|tag| !keys.iter().any(|key| key.as_str() == Some(&*tag.key)));
    }
    Ok(json!({}))
}

/// The `Tags` of a call; none when it has none.
pub(crate) fn read(request: &Request) -> Result<Vec<Tag>, Refusal> {
    let given = match request.value("Tags") {
        None => return Ok(Vec::new()),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(Refusal::serialization("Tags can not be converted to a list")),
    };
    let text = |tag: &Value, field: &str| tag.get(field).and_then(Value::as_str).map(str::to_owned);
    given
        .iter()
        .map(|tag| match (text(tag, "Key"), text(tag, "Value")) {
            (Some(key), Some(value)) => {
                text::bounded(request, "Tags.Key", &key, 128)?;
                Ok(Tag { key: Text::from(key), value: Text::from(value) })
            }
            (None, _) => Err(request.missing("Tags.Key")),
            (_, None) => Err(request.missing("Tags.Value")),
        })
        .collect()
}

//! Writes of users: create, update, delete.
//!
//! As in AWS: user names and addresses are unique ignoring case. A deleted user loses its memberships, and its assignments
//! become orphans.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Email;
use crate::records::Id;
use crate::records::More;
use crate::records::Name;
use crate::records::Text;
use crate::records::User;
use crate::services::identity_store::store;
use crate::state::Organization;
use crate::validation::ids::Form;
use crate::validation::text;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// What nobody here can be without.
const REQUIRED: &[&str] = &["UserName", "DisplayName", "Name"];
/// Attributes that are kept as they come.
const PLAIN: &[&str] = &[
    "NickName",
    "ProfileUrl",
    "Addresses",
    "PhoneNumbers",
    "UserType",
    "PreferredLanguage",
    "Locale",
    "Timezone",
    "Photos",
    "Website",
    "Birthdate",
    "Roles",
];
/// Parts of a name beside the two that everybody has.
const NAME_PARTS: &[&str] = &["Formatted", "MiddleName", "HonorificPrefix", "HonorificSuffix"];
/// All that `UpdateUser` can change.
const PATHS: &[&str] = &[
    "UserName",
    "DisplayName",
    "Name",
    "Name.FamilyName",
    "Name.GivenName",
    "Name.Formatted",
    "Name.MiddleName",
    "Name.HonorificPrefix",
    "Name.HonorificSuffix",
    "Emails",
    "Title",
    "NickName",
    "ProfileUrl",
    "Addresses",
    "PhoneNumbers",
    "UserType",
    "PreferredLanguage",
    "Locale",
    "Timezone",
    "Photos",
    "Website",
    "Birthdate",
    "Roles",
];
const MOST: usize = 1024;

/// `CreateUser`
pub(crate) fn create(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let store = Id::from(store(organization, request)?);
    let person = Person::read(request, request.body(), REQUIRED)?;
    person.must_be_unique(organization, None)?;
    let mut dice = organization.mint.next(&store, "user");
    let user_id = dice.id_in(&store);
    let blank = User {
        user_arn: format!("arn:aws:identitystore:::user/{user_id}"),
        identity_store_id: store.clone(),
        user_id: user_id.clone(),
        revision: dice.decimal(16),
        user_name: String::new(),
        external_ids: Vec::new(),
        name: None,
        display_name: None,
        emails: Vec::new(),
        title: None,
        more: None,
        user_status: "ENABLED",
        created_at: now.at,
        updated_at: now.at,
    };
    let user = person.into_user(blank);
    let answer = named(&user);
    organization.add_user(user);
    Ok(answer)
}

/// `UpdateUser`
pub(crate) fn update(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    let user = user(organization, request)?.clone();
    text::same_revision(request, &user.revision, "user")?;
    let Value::Object(mut attributes) = json!(user) else { return Ok(json!({})) };
    // Who came without a name may stay without one.
    let required: Vec<&str> = REQUIRED.iter().copied().filter(|field| attributes.contains_key(*field)).collect();
    text::operate(request, &mut attributes, PATHS)?;
    let person = Person::read(request, &attributes, &required)?;
    person.must_be_unique(organization, Some(&user.user_id))?;
    let revision = organization.mint.next(&user.identity_store_id, "revision").decimal(16);
    let user = person.into_user(User { revision, updated_at: now.at, ..user });
    let answer = named(&user);
    organization.replace_user(user);
    Ok(answer)
}

/// `DeleteUser`
pub(crate) fn delete(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let user = user(organization, request)?;
    text::same_revision(request, &user.revision, "user")?;
    let id = user.user_id.clone();
    organization.remove_user(&id);
    Ok(json!({}))
}

fn user<'a>(organization: &'a Organization, request: &Request) -> Result<&'a User, Refusal> {
    store(organization, request)?;
    let id = request.id("UserId", Form::ResourceId)?;
    organization.users.get(id).ok_or_else(|| Refusal::not_in_store("USER", Some(id)))
}

fn named(user: &User) -> Value {
    json!({
        "IdentityStoreId": user.identity_store_id, "UserId": user.user_id, "UserArn": user.user_arn,
        "Revision": user.revision,
    })
}

/// What a call says of a person.
struct Person {
    user_name: String,
    display_name: Option<String>,
    name: Option<Name>,
    emails: Vec<Email>,
    title: Option<Text>,
    more: More,
}

impl Person {
    fn read(request: &Request, from: &Map<String, Value>, required: &[&str]) -> Result<Person, Refusal> {
        for field in required {
            if from.get(*field).is_none_or(Value::is_null) {
                return Err(text::refused(request, &format!("{field} is a required attribute")));
            }
        }
        let text = |field: &'static str| -> Result<Option<&str>, Refusal> {
            match from.get(field) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) => text::bounded(request, field, text, MOST).map(Some),
                Some(_) => Err(Refusal::serialization(&format!("{field} can not be converted to a String"))),
            }
        };
        let user_name = text::unspaced(request, "UserName", text("UserName")?.unwrap_or_default(), 128)?;
        text::unreserved(request, "UserName", user_name)?;
        let more: Map<String, Value> = kept(from, PLAIN);
        for value in more.values() {
            if let Value::String(text) = value {
                text::bounded(request, "Attribute", text, MOST)?;
            }
        }
        Ok(Person {
            user_name: user_name.to_owned(),
            display_name: text("DisplayName")?.map(str::to_owned),
            name: name(request, from.get("Name"))?,
            emails: emails(request, from.get("Emails"))?,
            title: text("Title")?.map(|title| title.to_owned().into()),
            more: boxed(more),
        })
    }

    /// Refuses a name or address that another person has.
    fn must_be_unique(&self, organization: &Organization, own: Option<&Id>) -> Result<(), Refusal> {
        let index = &organization.index;
        let taken = |found: Option<&Id>| found.is_some_and(|found| Some(found) != own);
        if taken(index.user_by_name.get(&self.user_name.to_lowercase())) {
            return Err(Refusal::not_unique("Duplicate UserName"));
        }
        if self.emails.iter().any(|email| taken(index.user_by_email.get(&email.value.to_lowercase()))) {
            return Err(Refusal::not_unique("Duplicate Email"));
        }
        Ok(())
    }

    fn into_user(self, from: User) -> User {
        let Person { user_name, display_name, name, emails, title, more } = self;
        User { user_name, name, display_name, emails, title, more, ..from }
    }
}

fn name(request: &Request, value: Option<&Value>) -> Result<Option<Name>, Refusal> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let Value::Object(parts) = value else {
        return Err(Refusal::serialization("Name can not be converted to a structure"));
    };
    let part = |field: &str| match parts.get(field) {
        Some(Value::String(text)) => text::bounded(request, &format!("name.{field}"), text, MOST).map(str::to_owned),
        _ => Err(text::refused(request, &format!("Name.{field} is a required attribute"))),
    };
    let more = boxed(kept(parts, NAME_PARTS));
    Ok(Some(Name { family_name: part("FamilyName")?, given_name: part("GivenName")?, more }))
}

fn emails(request: &Request, value: Option<&Value>) -> Result<Vec<Email>, Refusal> {
    let given = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(given)) => given,
        Some(_) => return Err(Refusal::serialization("Emails can not be converted to a list")),
    };
    if given.len() != 1 {
        return Err(text::invalid(request, "Emails", "Member must have length less than or equal to 1"));
    }
    let one = &given[0];
    let text = |field: &str| one.get(field).and_then(Value::as_str);
    let Some(value) = text("Value") else { return Err(request.missing("Emails.Value")) };
    text::bounded(request, "Emails.Value", value, MOST)?;
    Ok(vec![Email {
        value: value.to_owned(),
        kind: text("Type").map(|kind| kind.to_owned().into()),
        primary: one.get("Primary").and_then(Value::as_bool).unwrap_or(false),
    }])
}

fn kept(from: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let there =
        |field: &&str| from.get(*field).filter(|value| !value.is_null()).map(|v| ((*field).to_owned(), v.clone()));
    fields.iter().filter_map(there).collect()
}

fn boxed(more: Map<String, Value>) -> More {
    (!more.is_empty()).then(|| Box::new(more))
}

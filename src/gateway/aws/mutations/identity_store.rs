//! Changes of the identity store: users, groups and who is in which.
//!
//! One function for each operation; an attribute without a value is sent as null, which takes it away.

use crate::gateway::aws::errors::Ask;
use crate::gateway::aws::identity::is_id;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::error::GatewayError;
use crate::gateway::mutation::{Attribute, NewUser};
use aws_sdk_identitystore::Client;
use aws_sdk_identitystore::types::{AttributeOperation, Email, MemberId, Name};
use aws_smithy_types::{Document, Number};
use serde_json::{Value, json};

/// The user or group that a conditional change is about.
pub(crate) struct One<'a> {
    pub(crate) store: &'a str,
    pub(crate) id: &'a str,
    pub(crate) revision: Option<&'a str>,
}

pub(crate) async fn create_user(
    client: &Client,
    store: &str,
    user: &NewUser,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let name = Name::builder().given_name(&user.given_name).family_name(&user.family_name).build();
    let email = user.email.as_ref().map(|address| vec![work_address(address)]);
    let call = client.create_user().identity_store_id(store).user_name(&user.user_name);
    let call = call.display_name(&user.display_name).name(name).set_emails(email);
    let answer = ask.answer(call.send().await)?;
    if !is_id(&answer.user_id) {
        return Err(ask.lacking("UserId"));
    }
    Ok(JsonFields::new()
        .filled("IdentityStoreId", &answer.identity_store_id)
        .filled("UserId", &answer.user_id)
        .filled("UserArn", &answer.user_arn)
        .filled("Revision", &answer.revision)
        .object())
}

pub(crate) async fn update_user(
    client: &Client,
    one: &One<'_>,
    attributes: &[Attribute],
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.update_user().identity_store_id(one.store).user_id(one.id);
    let call = call.set_revision(one.revision.map(str::to_owned));
    let answer = ask.answer(call.set_operations(Some(operations(attributes, ask)?)).send().await)?;
    Ok(JsonFields::new().filled("Revision", &answer.revision).object())
}

pub(crate) async fn delete_user(client: &Client, one: &One<'_>, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.delete_user().identity_store_id(one.store).user_id(one.id);
    ask.answer(call.set_revision(one.revision.map(str::to_owned)).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn create_group(
    client: &Client,
    store: &str,
    name: &str,
    description: Option<&str>,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.create_group().identity_store_id(store).display_name(name);
    let answer = ask.answer(call.set_description(description.map(str::to_owned)).send().await)?;
    if !is_id(&answer.group_id) {
        return Err(ask.lacking("GroupId"));
    }
    Ok(JsonFields::new()
        .filled("IdentityStoreId", &answer.identity_store_id)
        .filled("GroupId", &answer.group_id)
        .filled("GroupArn", &answer.group_arn)
        .filled("Revision", &answer.revision)
        .object())
}

pub(crate) async fn update_group(
    client: &Client,
    one: &One<'_>,
    attributes: &[Attribute],
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.update_group().identity_store_id(one.store).group_id(one.id);
    let call = call.set_revision(one.revision.map(str::to_owned));
    let answer = ask.answer(call.set_operations(Some(operations(attributes, ask)?)).send().await)?;
    Ok(JsonFields::new().filled("Revision", &answer.revision).object())
}

pub(crate) async fn delete_group(client: &Client, one: &One<'_>, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.delete_group().identity_store_id(one.store).group_id(one.id);
    ask.answer(call.set_revision(one.revision.map(str::to_owned)).send().await)?;
    Ok(json!({}))
}

pub(crate) async fn add_member(
    client: &Client,
    store: &str,
    group: &str,
    user: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    let call = client.create_group_membership().identity_store_id(store).group_id(group);
    let answer = ask.answer(call.member_id(MemberId::UserId(user.to_owned())).send().await)?;
    if !is_id(&answer.membership_id) {
        return Err(ask.lacking("MembershipId"));
    }
    Ok(JsonFields::new()
        .filled("IdentityStoreId", &answer.identity_store_id)
        .filled("MembershipId", &answer.membership_id)
        .filled("MembershipArn", &answer.membership_arn)
        .object())
}

pub(crate) async fn remove_member(
    client: &Client,
    store: &str,
    membership: &str,
    ask: &Ask,
) -> Result<Value, GatewayError> {
    ask.answer(client.delete_group_membership().identity_store_id(store).membership_id(membership).send().await)?;
    Ok(json!({}))
}

fn work_address(address: &str) -> Email {
    Email::builder().value(address).r#type("work").primary(true).build()
}

fn operations(attributes: &[Attribute], ask: &Ask) -> Result<Vec<AttributeOperation>, GatewayError> {
    let operation = |attribute: &Attribute| {
        let value = attribute.value.as_ref().map_or(Document::Null, document);
        let built = AttributeOperation::builder().attribute_path(&attribute.path).attribute_value(value).build();
        built.map_err(|error| ask.unusable(&error))
    };
    attributes.iter().map(operation).collect()
}

fn document(value: &Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(flag) => Document::Bool(*flag),
        Value::Number(number) => Document::Number(match (number.as_u64(), number.as_i64()) {
            (Some(n), _) => Number::PosInt(n),
            (None, Some(n)) => Number::NegInt(n),
            (None, None) => Number::Float(number.as_f64().unwrap_or_default()),
        }),
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::Array(items.iter().map(document).collect()),
        Value::Object(map) => {
            Document::Object(map.iter().map(|(name, value)| (name.clone(), document(value))).collect())
        }
    }
}

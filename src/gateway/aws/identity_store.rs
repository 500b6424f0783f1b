//! The identity store: users, groups and who is in which.
//!
//! One function for each operation, objects as `aws identitystore` prints them, pages of 100.

use crate::gateway::api::Page;
use crate::gateway::aws::errors::Ask;
use crate::gateway::aws::json::JsonFields;
use crate::gateway::aws::json::documents;
use crate::gateway::error::GatewayError;
use aws_sdk_identitystore::Client;
use aws_sdk_identitystore::types::{self, AlternateIdentifier, ExternalId, GroupMembership, MemberId, UniqueAttribute};
use aws_smithy_types::Document;
use serde_json::{Value, json};

const PAGE: i32 = 100;

/// `User` and `DescribeUserOutput` have the same fields and share no trait.
macro_rules! user {
    ($user:expr) => {{
        let user = $user;
        JsonFields::new()
            .filled("IdentityStoreId", &user.identity_store_id)
            .filled("UserId", &user.user_id)
            .filled("UserArn", &user.user_arn)
            .filled("Revision", &user.revision)
            .text("UserName", user.user_name.as_deref())
            .list("ExternalIds", user.external_ids.as_ref(), external_id)
            .value("Name", user.name.as_ref().map(name))
            .text("DisplayName", user.display_name.as_deref())
            .text("NickName", user.nick_name.as_deref())
            .text("ProfileUrl", user.profile_url.as_deref())
            .list("Emails", user.emails.as_ref(), email)
            .list("Addresses", user.addresses.as_ref(), address)
            .list("PhoneNumbers", user.phone_numbers.as_ref(), phone_number)
            .text("UserType", user.user_type.as_deref())
            .text("Title", user.title.as_deref())
            .text("PreferredLanguage", user.preferred_language.as_deref())
            .text("Locale", user.locale.as_deref())
            .text("Timezone", user.timezone.as_deref())
            .text("UserStatus", user.user_status.as_ref().map(types::UserStatus::as_str))
            .list("Photos", user.photos.as_ref(), photo)
            .text("Website", user.website.as_deref())
            .text("Birthdate", user.birthdate.as_deref())
            .list("Roles", user.roles.as_ref(), role)
            .time("CreatedAt", user.created_at.as_ref())
            .text("CreatedBy", user.created_by.as_deref())
            .time("UpdatedAt", user.updated_at.as_ref())
            .text("UpdatedBy", user.updated_by.as_deref())
            .value("Extensions", user.extensions.as_ref().map(documents))
            .object()
    }};
}

/// `Group` and `DescribeGroupOutput` likewise.
macro_rules! group {
    ($group:expr) => {{
        let group = $group;
        JsonFields::new()
            .filled("IdentityStoreId", &group.identity_store_id)
            .filled("GroupId", &group.group_id)
            .filled("GroupArn", &group.group_arn)
            .filled("Revision", &group.revision)
            .text("DisplayName", group.display_name.as_deref())
            .list("ExternalIds", group.external_ids.as_ref(), external_id)
            .text("Description", group.description.as_deref())
            .time("CreatedAt", group.created_at.as_ref())
            .text("CreatedBy", group.created_by.as_deref())
            .time("UpdatedAt", group.updated_at.as_ref())
            .text("UpdatedBy", group.updated_by.as_deref())
            .object()
    }};
}

pub(super) async fn users(
    client: &Client,
    store: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_users().identity_store_id(store).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.users.iter().map(|user| user!(user)).collect(), next: answer.next_token })
}

pub(super) async fn groups(
    client: &Client,
    store: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_groups().identity_store_id(store).max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.groups.iter().map(|group| group!(group)).collect(), next: answer.next_token })
}

pub(super) async fn group_memberships(
    client: &Client,
    store: &str,
    group: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let call = client.list_group_memberships().identity_store_id(store).group_id(group);
    let call = call.max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.group_memberships.iter().map(membership).collect(), next: answer.next_token })
}

pub(super) async fn memberships_for_member(
    client: &Client,
    store: &str,
    user: &str,
    token: Option<String>,
    ask: &Ask,
) -> Result<Page, GatewayError> {
    let member = MemberId::UserId(user.to_owned());
    let call = client.list_group_memberships_for_member().identity_store_id(store).member_id(member);
    let call = call.max_results(PAGE).set_next_token(token);
    let answer = ask.answer(call.send().await)?;
    Ok(Page { items: answer.group_memberships.iter().map(membership).collect(), next: answer.next_token })
}

pub(super) async fn user(client: &Client, store: &str, id: &str, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.describe_user().identity_store_id(store).user_id(id);
    let answer = ask.answer(call.send().await)?;
    Ok(user!(&answer))
}

pub(super) async fn group(client: &Client, store: &str, id: &str, ask: &Ask) -> Result<Value, GatewayError> {
    let call = client.describe_group().identity_store_id(store).group_id(id);
    let answer = ask.answer(call.send().await)?;
    Ok(group!(&answer))
}

pub(super) async fn user_id(client: &Client, store: &str, name: &str, ask: &Ask) -> Result<Value, GatewayError> {
    let by = attribute("userName", name, ask)?;
    let call = client.get_user_id().identity_store_id(store).alternate_identifier(by);
    let answer = ask.answer(call.send().await)?;
    Ok(JsonFields::new()
        .filled("IdentityStoreId", &answer.identity_store_id)
        .filled("UserId", &answer.user_id)
        .filled("UserArn", &answer.user_arn)
        .object())
}

pub(super) async fn group_id(client: &Client, store: &str, name: &str, ask: &Ask) -> Result<Value, GatewayError> {
    let by = attribute("displayName", name, ask)?;
    let call = client.get_group_id().identity_store_id(store).alternate_identifier(by);
    let answer = ask.answer(call.send().await)?;
    Ok(JsonFields::new()
        .filled("IdentityStoreId", &answer.identity_store_id)
        .filled("GroupId", &answer.group_id)
        .filled("GroupArn", &answer.group_arn)
        .object())
}

fn attribute(path: &str, value: &str, ask: &Ask) -> Result<AlternateIdentifier, GatewayError> {
    let value = Document::String(value.to_owned());
    let built = UniqueAttribute::builder().attribute_path(path).attribute_value(value).build();
    built.map(AlternateIdentifier::UniqueAttribute).map_err(|error| ask.unusable(&error))
}

fn membership(membership: &GroupMembership) -> Value {
    let member = membership.member_id.as_ref().and_then(|member| member.as_user_id().ok());
    JsonFields::new()
        .filled("IdentityStoreId", &membership.identity_store_id)
        .filled("MembershipId", &membership.membership_id)
        .filled("MembershipArn", &membership.membership_arn)
        .text("GroupId", membership.group_id.as_deref())
        .value("MemberId", member.map(|id| json!({ "UserId": id })))
        .time("CreatedAt", membership.created_at.as_ref())
        .text("CreatedBy", membership.created_by.as_deref())
        .time("UpdatedAt", membership.updated_at.as_ref())
        .text("UpdatedBy", membership.updated_by.as_deref())
        .object()
}

fn external_id(id: &ExternalId) -> Value {
    JsonFields::new().filled("Issuer", &id.issuer).filled("Id", &id.id).object()
}

fn name(name: &types::Name) -> Value {
    JsonFields::new()
        .text("Formatted", name.formatted.as_deref())
        .text("FamilyName", name.family_name.as_deref())
        .text("GivenName", name.given_name.as_deref())
        .text("MiddleName", name.middle_name.as_deref())
        .text("HonorificPrefix", name.honorific_prefix.as_deref())
        .text("HonorificSuffix", name.honorific_suffix.as_deref())
        .object()
}

fn email(email: &types::Email) -> Value {
    let fields = JsonFields::new().text("Value", email.value.as_deref()).text("Type", email.r#type.as_deref());
    fields.flag("Primary", email.primary).object()
}

fn phone_number(phone: &types::PhoneNumber) -> Value {
    let fields = JsonFields::new().text("Value", phone.value.as_deref()).text("Type", phone.r#type.as_deref());
    fields.flag("Primary", phone.primary).object()
}

fn address(address: &types::Address) -> Value {
    JsonFields::new()
        .text("StreetAddress", address.street_address.as_deref())
        .text("Locality", address.locality.as_deref())
        .text("Region", address.region.as_deref())
        .text("PostalCode", address.postal_code.as_deref())
        .text("Country", address.country.as_deref())
        .text("Formatted", address.formatted.as_deref())
        .text("Type", address.r#type.as_deref())
        .flag("Primary", address.primary)
        .object()
}

fn photo(photo: &types::Photo) -> Value {
    JsonFields::new()
        .filled("Value", &photo.value)
        .text("Type", photo.r#type.as_deref())
        .text("Display", photo.display.as_deref())
        .flag("Primary", photo.primary)
        .object()
}

fn role(role: &types::Role) -> Value {
    let fields = JsonFields::new().text("Value", role.value.as_deref()).text("Type", role.r#type.as_deref());
    fields.flag("Primary", role.primary).object()
}

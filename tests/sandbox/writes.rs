//! Every write through the official SDK, and every read that it touches.

use crate::attribute;
use crate::bench;
use aws_sdk_identitystore::types::AttributeOperation;
use aws_sdk_identitystore::types::ConflictExceptionReason;
use aws_sdk_identitystore::types::Email;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_identitystore::types::Name;
use aws_smithy_types::Document;

fn set(path: &str, value: Option<&str>) -> AttributeOperation {
    let value = value.map(|value| Document::String(value.into()));
    AttributeOperation::builder().attribute_path(path).set_attribute_value(value).build().expect("a path is given")
}

#[tokio::test]
async fn people_and_groups_are_created_changed_joined_parted_and_deleted() {
    let bench = bench(0.0);
    let (client, store) = (&bench.store, bench.organisation.identity_store());
    let user = |name: &str| {
        let email = Email::builder().value(format!("{name}@example.com")).r#type("work").primary(true).build();
        client
            .create_user()
            .identity_store_id(store)
            .user_name(name)
            .display_name("Ann Ada")
            .name(Name::builder().given_name("Ann").family_name("Ada").build())
            .emails(email)
    };
    let made = user("ann.ada").send().await.expect("created");
    assert!(made.user_arn.ends_with(&made.user_id) && !made.revision.is_empty());
    let error = user("ANN.ADA").send().await.expect_err("a duplicate").into_service_error();
    let aws_sdk_identitystore::operation::create_user::CreateUserError::ConflictException(conflict) = error else {
        panic!("another error: {error:?}")
    };
    assert_eq!(conflict.reason(), Some(&ConflictExceptionReason::UniquenessConstraintViolation));

    let update = client.update_user().identity_store_id(store).user_id(&made.user_id);
    let update = update.operations(set("userName", Some("ann.b"))).operations(set("title", Some("Engineer")));
    let updated = update.send().await.expect("updated");
    assert_ne!(updated.revision, made.revision);
    let found = client.get_user_id().identity_store_id(store).alternate_identifier(attribute("userName", "Ann.B"));
    assert_eq!(found.send().await.expect("found").user_id, made.user_id);
    let old = client.get_user_id().identity_store_id(store).alternate_identifier(attribute("userName", "ann.ada"));
    assert!(old.send().await.expect_err("renamed").into_service_error().is_resource_not_found_exception());
    let clear = client.update_user().identity_store_id(store).user_id(&made.user_id).operations(set("title", None));
    clear.send().await.expect("updated");
    let read = client.describe_user().identity_store_id(store).user_id(&made.user_id).send().await.expect("there");
    assert_eq!((read.title(), read.user_name()), (None, Some("ann.b")));

    let group = client.create_group().identity_store_id(store).display_name("Ops").description("On call");
    let group = group.send().await.expect("created");
    let rename = client.update_group().identity_store_id(store).group_id(&group.group_id);
    rename.operations(set("displayName", Some("Operations"))).send().await.expect("updated");
    let read = client.describe_group().identity_store_id(store).group_id(&group.group_id).send().await.expect("there");
    assert_eq!((read.display_name(), read.description()), (Some("Operations"), Some("On call")));

    let member = MemberId::UserId(made.user_id.clone());
    let join = client.create_group_membership().identity_store_id(store).group_id(&group.group_id);
    let join = join.member_id(member.clone());
    let membership = join.clone().send().await.expect("joined").membership_id;
    assert!(join.clone().send().await.expect_err("twice").into_service_error().is_conflict_exception());
    let list = client.list_group_memberships().identity_store_id(store).group_id(&group.group_id);
    assert_eq!(list.clone().send().await.expect("listed").group_memberships.len(), 1);
    let part = client.delete_group_membership().identity_store_id(store).membership_id(&membership);
    part.send().await.expect("parted");
    assert!(list.clone().send().await.expect("listed").group_memberships.is_empty());
    join.send().await.expect("joined again");
    client.delete_user().identity_store_id(store).user_id(&made.user_id).send().await.expect("deleted");
    assert!(list.send().await.expect("listed").group_memberships.is_empty(), "who is deleted leaves all groups");
    client.delete_group().identity_store_id(store).group_id(&group.group_id).send().await.expect("deleted");
    let gone = client.describe_group().identity_store_id(store).group_id(&group.group_id).send().await;
    assert!(gone.expect_err("deleted").into_service_error().is_resource_not_found_exception());
}

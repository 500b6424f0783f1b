//! Every write through the official SDK, and every read that it touches.

use super::attribute;
use super::bench;
use aws_sdk_identitystore::types::AttributeOperation;
use aws_sdk_identitystore::types::ConflictExceptionReason;
use aws_sdk_identitystore::types::Email;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_identitystore::types::Name;
use aws_sdk_ssoadmin::types::CustomerManagedPolicyReference;
use aws_sdk_ssoadmin::types::PermissionsBoundary;
use aws_sdk_ssoadmin::types::PrincipalType;
use aws_sdk_ssoadmin::types::ProvisionTargetType;
use aws_sdk_ssoadmin::types::StatusValues;
use aws_sdk_ssoadmin::types::TargetType;
use aws_smithy_types::Document;
use awsideman::sandbox::Faults;

fn set(path: &str, value: Option<&str>) -> AttributeOperation {
    let value = value.map(|value| Document::String(value.into()));
    AttributeOperation::builder().attribute_path(path).set_attribute_value(value).build().expect("a path is given")
}

#[tokio::test]
async fn people_and_groups_are_created_changed_joined_parted_and_deleted() {
    let bench = bench(0.0);
    let (client, store) = (&bench.store, bench.organization.identity_store());
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

#[tokio::test]
async fn permission_sets_and_their_policies_are_written_through_the_sdk() {
    let bench = bench(0.0);
    let (client, arn) = (&bench.admin, bench.organization.instance_arn());
    let create = client.create_permission_set().instance_arn(arn).name("Auditors").session_duration("PT2H");
    let made = create.clone().send().await.expect("created").permission_set.expect("a permission set");
    let set = made.permission_set_arn().expect("an ARN");
    assert!(made.created_date().is_some());
    assert!(create.send().await.expect_err("twice").into_service_error().is_conflict_exception());
    let update = client.update_permission_set().instance_arn(arn).permission_set_arn(set).description("Reads all");
    update.send().await.expect("updated");
    let read = client.describe_permission_set().instance_arn(arn).permission_set_arn(set).send().await;
    let read = read.expect("there").permission_set.expect("a permission set");
    assert_eq!((read.description(), read.session_duration()), (Some("Reads all"), Some("PT2H")));

    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let attach = client.attach_managed_policy_to_permission_set().instance_arn(arn).permission_set_arn(set);
    attach.clone().managed_policy_arn(policy).send().await.expect("attached");
    let twice = attach.managed_policy_arn(policy).send().await.expect_err("twice");
    assert!(twice.into_service_error().is_conflict_exception());
    let reference = CustomerManagedPolicyReference::builder().name("local").build().expect("a name is given");
    let attach = client.attach_customer_managed_policy_reference_to_permission_set();
    let attach = attach.instance_arn(arn).permission_set_arn(set);
    attach.customer_managed_policy_reference(reference.clone()).send().await.expect("attached");
    let inline = "{\"Version\":\"2012-10-17\",\"Statement\":[]}";
    let put = client.put_inline_policy_to_permission_set().instance_arn(arn).permission_set_arn(set);
    put.inline_policy(inline).send().await.expect("put");
    let boundary = PermissionsBoundary::builder().managed_policy_arn(policy).build();
    let put = client.put_permissions_boundary_to_permission_set().instance_arn(arn).permission_set_arn(set);
    put.permissions_boundary(boundary).send().await.expect("put");
    let list = client.list_managed_policies_in_permission_set().instance_arn(arn).permission_set_arn(set);
    assert_eq!(list.clone().send().await.expect("listed").attached_managed_policies()[0].arn(), Some(policy));
    let read = client.get_inline_policy_for_permission_set().instance_arn(arn).permission_set_arn(set);
    assert_eq!(read.clone().send().await.expect("read").inline_policy(), Some(inline));

    let detach = client.detach_managed_policy_from_permission_set().instance_arn(arn).permission_set_arn(set);
    detach.managed_policy_arn(policy).send().await.expect("detached");
    let detach = client.detach_customer_managed_policy_reference_from_permission_set();
    let detach = detach.instance_arn(arn).permission_set_arn(set).customer_managed_policy_reference(reference);
    detach.send().await.expect("detached");
    let delete = client.delete_inline_policy_from_permission_set().instance_arn(arn).permission_set_arn(set);
    delete.send().await.expect("deleted");
    let delete = client.delete_permissions_boundary_from_permission_set().instance_arn(arn).permission_set_arn(set);
    delete.send().await.expect("deleted");
    assert!(list.send().await.expect("listed").attached_managed_policies().is_empty());
    assert_eq!(read.send().await.expect("read").inline_policy(), Some(""));
    client.delete_permission_set().instance_arn(arn).permission_set_arn(set).send().await.expect("deleted");
    let gone = client.describe_permission_set().instance_arn(arn).permission_set_arn(set).send().await;
    assert!(gone.expect_err("deleted").into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn assignments_are_made_and_taken_away_in_their_own_time() {
    let bench = bench(0.0);
    let (client, arn) = (&bench.admin, bench.organization.instance_arn());
    // Nothing ends until the test says so.
    let forever = Faults { async_delay_ms: Some(3_600_000), ..Faults::default() };
    bench.running.set_faults(forever.clone()).expect("known");
    let made = client.create_permission_set().instance_arn(arn).name("Auditors").send().await.expect("created");
    let set = made.permission_set().and_then(|set| set.permission_set_arn()).expect("an ARN");
    let account = bench.organization.management_account();
    let group = bench.store.list_groups().identity_store_id(bench.organization.identity_store()).max_results(1);
    let group = group.send().await.expect("listed").groups.remove(0).group_id;

    let create = client.create_account_assignment().instance_arn(arn).permission_set_arn(set).target_id(account);
    let create = create.target_type(TargetType::AwsAccount).principal_type(PrincipalType::Group).principal_id(&group);
    let begun = create.send().await.expect("taken").account_assignment_creation_status.expect("a status");
    assert_eq!(begun.status(), Some(&StatusValues::InProgress));
    assert!(begun.created_date().is_some());
    let id = begun.request_id().expect("an id");
    let poll = client.describe_account_assignment_creation_status().instance_arn(arn);
    let poll = poll.account_assignment_creation_request_id(id);
    let polled = poll.clone().send().await.expect("found").account_assignment_creation_status.expect("a status");
    assert_eq!(polled.status(), Some(&StatusValues::InProgress));
    let rows = client.list_account_assignments().instance_arn(arn).permission_set_arn(set).account_id(account);
    assert!(rows.clone().send().await.expect("listed").account_assignments().is_empty());
    bench.running.set_faults(Faults::default()).expect("known");
    let polled = poll.send().await.expect("found").account_assignment_creation_status.expect("a status");
    assert_eq!((polled.status(), polled.failure_reason()), (Some(&StatusValues::Succeeded), None));
    assert_eq!(rows.clone().send().await.expect("listed").account_assignments().len(), 1);
    let accounts = client.list_accounts_for_provisioned_permission_set().instance_arn(arn).permission_set_arn(set);
    assert_eq!(accounts.send().await.expect("listed").account_ids(), [account]);

    bench.running.set_faults(forever).expect("known");
    let provision = client.provision_permission_set().instance_arn(arn).permission_set_arn(set);
    let begun = provision.target_type(ProvisionTargetType::AllProvisionedAccounts).send().await.expect("taken");
    let begun = begun.permission_set_provisioning_status.expect("a status");
    let poll = client.describe_permission_set_provisioning_status().instance_arn(arn);
    let poll = poll.provision_permission_set_request_id(begun.request_id().expect("an id"));
    let delete = client.delete_account_assignment().instance_arn(arn).permission_set_arn(set).target_id(account);
    let delete = delete.target_type(TargetType::AwsAccount).principal_type(PrincipalType::Group).principal_id(&group);
    let gone = delete.send().await.expect("taken").account_assignment_deletion_status.expect("a status");
    assert_eq!(rows.clone().send().await.expect("listed").account_assignments().len(), 1);
    bench.running.set_faults(Faults::default()).expect("known");
    let polled = poll.send().await.expect("found").permission_set_provisioning_status.expect("a status");
    assert_eq!(polled.status(), Some(&StatusValues::Succeeded));
    let poll = client.describe_account_assignment_deletion_status().instance_arn(arn);
    let poll = poll.account_assignment_deletion_request_id(gone.request_id().expect("an id"));
    let polled = poll.send().await.expect("found").account_assignment_deletion_status.expect("a status");
    assert_eq!(polled.status(), Some(&StatusValues::Succeeded));
    assert!(rows.send().await.expect("listed").account_assignments().is_empty());

    let lists = client.list_account_assignment_creation_status().instance_arn(arn).send().await.expect("listed");
    assert_eq!(lists.account_assignments_creation_status()[0].request_id(), Some(id));
    let lists = client.list_account_assignment_deletion_status().instance_arn(arn).send().await.expect("listed");
    assert_eq!(lists.account_assignments_deletion_status().len(), 1);
    let lists = client.list_permission_set_provisioning_status().instance_arn(arn).send().await.expect("listed");
    assert_eq!(lists.permission_sets_provisioning_status().len(), 1);
}

//! The sandbox under the official SDKs: what they parse is what AWS would have sent.
//!
//! Promise: every operation that the product reads or writes is asked here once through its real client, over a real
//! socket, and every fault is met by such a client.

mod faults;
mod holds;
mod real_clients;
mod writes;

use aws_credential_types::Credentials;
use aws_sdk_identitystore::config::BehaviorVersion;
use aws_sdk_identitystore::error::ProvideErrorMetadata;
use aws_sdk_identitystore::types::AlternateIdentifier;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_identitystore::types::ResourceType;
use aws_sdk_identitystore::types::UniqueAttribute;
use aws_sdk_ssoadmin::types::InstanceStatus;
use aws_sdk_ssoadmin::types::PrincipalType;
use aws_smithy_types::retry::RetryConfig;
use awsideman::sandbox;
use awsideman::sandbox::Limits;
use awsideman::sandbox::Organization;
use awsideman::sandbox::Running;
use awsideman::sandbox::Shape;
use std::collections::BTreeSet;
use std::time::Duration;

/// A sandbox and a client for each service.
struct Bench {
    running: Running,
    organization: Organization,
    store: aws_sdk_identitystore::Client,
    admin: aws_sdk_ssoadmin::Client,
    organizations: aws_sdk_organizations::Client,
    sts: aws_sdk_sts::Client,
}

macro_rules! client {
    ($service:ident, $url:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region($service::config::Region::new("eu-west-1"))
                .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
                .endpoint_url($url)
                .retry_config(RetryConfig::disabled())
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .build(),
        )
    };
}

fn bench(tps: f64) -> Bench {
    let organization = Organization::generate(&Shape { accounts: 45, ..Shape::default() });
    let running = sandbox::start(organization.clone(), Limits { tps, latency: Duration::ZERO }).expect("a free port");
    Bench {
        store: client!(aws_sdk_identitystore, running.url()),
        admin: client!(aws_sdk_ssoadmin, running.url()),
        organizations: client!(aws_sdk_organizations, running.url()),
        sts: client!(aws_sdk_sts, running.url()),
        running,
        organization,
    }
}

fn attribute(path: &str, value: &str) -> AlternateIdentifier {
    let unique = UniqueAttribute::builder().attribute_path(path).attribute_value(value.into()).build();
    AlternateIdentifier::UniqueAttribute(unique.expect("path and value are given"))
}

#[tokio::test]
async fn the_identity_store_is_read_whole_in_pages() {
    let bench = bench(0.0);
    let store = bench.organization.identity_store();
    let pages = bench.store.list_users().identity_store_id(store).into_paginator().send();
    let users: Vec<_> = pages.try_collect().await.expect("users").into_iter().flat_map(|page| page.users).collect();
    assert_eq!(users.len(), bench.organization.counts().users);
    assert!(users.iter().all(|user| user.created_at.is_some() && user.user_status.is_some()));
    assert!(users.iter().any(|user| user.display_name().is_some_and(|name| name.contains('\u{1b}'))));
    assert_eq!(bench.running.calls().by_operation["AWSIdentityStore.ListUsers"], 3);

    let one = &users[7];
    let described = bench.store.describe_user().identity_store_id(store).user_id(&one.user_id).send().await;
    let described = described.expect("the user exists");
    assert_eq!((described.user_name(), &described.user_arn), (one.user_name(), &one.user_arn));
    assert_eq!(described.created_at, one.created_at);
    let name = one.user_name().expect("a name");
    let found = bench.store.get_user_id().identity_store_id(store).alternate_identifier(attribute("userName", name));
    assert_eq!(found.send().await.expect("found").user_id, one.user_id);

    let pages = bench.store.list_groups().identity_store_id(store).into_paginator().items().send();
    let groups = pages.try_collect().await.expect("groups");
    assert_eq!(groups.len(), bench.organization.counts().groups);
    let mut memberships = 0;
    for group in &groups {
        let list = bench.store.list_group_memberships().identity_store_id(store).group_id(&group.group_id);
        memberships += list.into_paginator().items().send().try_collect().await.expect("members").len();
    }
    assert_eq!(memberships, bench.organization.counts().memberships);
    let staff = attribute("displayName", "All Staff");
    let staff = bench.store.get_group_id().identity_store_id(store).alternate_identifier(staff).send().await;
    let staff = staff.expect("found").group_id;
    let described = bench.store.describe_group().identity_store_id(store).group_id(&staff).send().await;
    assert_eq!(described.expect("exists").display_name(), Some("All Staff"));
    let member = MemberId::UserId(one.user_id.clone());
    let list = bench.store.list_group_memberships_for_member().identity_store_id(store).member_id(member.clone());
    let own = list.into_paginator().items().send().try_collect().await.expect("memberships");
    let test = bench.store.is_member_in_groups().identity_store_id(store).member_id(member).group_ids(&staff);
    let test = test.send().await.expect("tested");
    assert_eq!(test.results()[0].membership_exists, own.iter().any(|m| m.group_id() == Some(&staff)));
}

#[tokio::test]
async fn instances_permission_sets_and_assignments_are_read_whole() {
    let bench = bench(0.0);
    let instances = bench.admin.list_instances().send().await.expect("instances");
    let instance = &instances.instances()[0];
    assert_eq!(instance.identity_store_id(), Some(bench.organization.identity_store()));
    assert_eq!(instance.status(), Some(&InstanceStatus::Active));
    assert!(instance.created_date().is_some());
    let arn = instance.instance_arn().expect("an ARN");
    let described = bench.admin.describe_instance().instance_arn(arn).send().await.expect("described");
    assert_eq!(described.owner_account_id(), Some(bench.organization.management_account()));

    let sets = bench.admin.list_permission_sets().instance_arn(arn).into_paginator().items().send();
    let sets = sets.try_collect().await.expect("permission sets");
    assert_eq!(sets.len(), bench.organization.counts().permission_sets);
    let (mut boundaries, mut relays, mut inline, mut managed, mut customer) = (0, 0, 0, 0, 0);
    let mut rows = BTreeSet::new();
    for set in &sets {
        let found = bench.admin.describe_permission_set().instance_arn(arn).permission_set_arn(set).send().await;
        let found = found.expect("exists").permission_set.expect("a permission set");
        assert!(found.session_duration().is_some_and(|text| text.starts_with("PT")));
        assert!(found.created_date().is_some());
        relays += usize::from(found.relay_state().is_some());
        let ask = bench.admin.list_managed_policies_in_permission_set().instance_arn(arn).permission_set_arn(set);
        managed += ask.into_paginator().items().send().try_collect().await.expect("policies").len();
        let ask = bench.admin.list_customer_managed_policy_references_in_permission_set();
        let ask = ask.instance_arn(arn).permission_set_arn(set).into_paginator().items().send();
        customer += ask.try_collect().await.expect("policies").len();
        let ask = bench.admin.get_inline_policy_for_permission_set().instance_arn(arn).permission_set_arn(set);
        inline += usize::from(ask.send().await.expect("a policy").inline_policy() != Some(""));
        let ask = bench.admin.get_permissions_boundary_for_permission_set().instance_arn(arn).permission_set_arn(set);
        match ask.send().await {
            Ok(found) => boundaries += usize::from(found.permissions_boundary().is_some()),
            Err(error) => assert!(error.into_service_error().is_resource_not_found_exception()),
        }
        let ask = bench.admin.list_accounts_for_provisioned_permission_set().instance_arn(arn).permission_set_arn(set);
        for account in ask.into_paginator().items().send().try_collect().await.expect("accounts") {
            let ask = bench.admin.list_account_assignments().instance_arn(arn).permission_set_arn(set);
            let found = ask.account_id(&account).into_paginator().items().send().try_collect().await.expect("rows");
            assert!(!found.is_empty());
            rows.extend(found.into_iter().map(|row| format!("{row:?}")));
        }
    }
    assert_eq!(rows.len(), bench.organization.counts().assignments);
    assert!(boundaries > 0 && relays > 0 && inline > 0 && managed > 0 && customer > 0);
    let account = bench.organization.management_account();
    let ask = bench.admin.list_permission_sets_provisioned_to_account().instance_arn(arn).account_id(account);
    assert!(!ask.into_paginator().items().send().try_collect().await.expect("permission sets").is_empty());

    let staff = attribute("displayName", "Break Glass");
    let store = bench.organization.identity_store();
    let group = bench.store.get_group_id().identity_store_id(store).alternate_identifier(staff).send().await;
    let ask = bench.admin.list_account_assignments_for_principal().instance_arn(arn);
    let ask = ask.principal_type(PrincipalType::Group).principal_id(group.expect("found").group_id);
    assert!(ask.into_paginator().items().send().try_collect().await.expect("rows").len() >= 44);
    let tags = bench.admin.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    assert_eq!(tags.tags()[0].key(), "Stage");
}

#[tokio::test]
async fn the_organization_is_read_whole() {
    let bench = bench(0.0);
    let pages = bench.organizations.list_accounts().into_paginator().send();
    let pages = pages.try_collect().await.expect("accounts");
    let accounts: Vec<_> = pages.into_iter().flat_map(|page| page.accounts.unwrap_or_default()).collect();
    assert_eq!(accounts.len(), 45);
    assert!(accounts.iter().all(|account| account.joined_timestamp().is_some() && account.state().is_some()));
    assert_eq!(bench.running.calls().by_operation["AWSOrganizationsV20161128.ListAccounts"], 3);
    let id = accounts[3].id().expect("an id");
    let described = bench.organizations.describe_account().account_id(id).send().await.expect("exists");
    assert_eq!(described.account().and_then(|account| account.arn()), accounts[3].arn());
    let organization = bench.organizations.describe_organization().send().await.expect("described").organization;
    let management = bench.organization.management_account();
    assert_eq!(organization.expect("one").master_account_id(), Some(management));

    let roots = bench.organizations.list_roots().send().await.expect("roots");
    let mut open = vec![roots.roots()[0].id().expect("an id").to_owned()];
    let mut found = BTreeSet::new();
    while let Some(parent) = open.pop() {
        let units = bench.organizations.list_organizational_units_for_parent().parent_id(&parent);
        let pages = units.into_paginator().send().try_collect().await.expect("units");
        for unit in pages.into_iter().flat_map(|page| page.organizational_units.unwrap_or_default()) {
            let id = unit.id().expect("an id").to_owned();
            let parents = bench.organizations.list_parents().child_id(&id).send().await.expect("parents");
            assert_eq!(parents.parents()[0].id(), Some(parent.as_str()));
            let described = bench.organizations.describe_organizational_unit().organizational_unit_id(&id);
            assert!(described.send().await.expect("exists").organizational_unit().is_some());
            open.push(id);
        }
        let here = bench.organizations.list_accounts_for_parent().parent_id(&parent);
        let pages = here.into_paginator().send().try_collect().await.expect("accounts");
        let here = pages.into_iter().flat_map(|page| page.accounts.unwrap_or_default());
        found.extend(here.filter_map(|account| account.id));
    }
    assert_eq!(found.len(), 45);
    let caller = bench.sts.get_caller_identity().send().await.expect("an identity");
    assert_eq!(caller.account(), Some(management));
    assert!(caller.arn().is_some_and(|arn| arn.starts_with("arn:aws:sts::")));
}

#[tokio::test]
async fn refusals_are_the_modelled_errors_with_their_fields() {
    let bench = bench(0.0);
    let store = bench.organization.identity_store();
    let gone = "90670123ab-11111111-2222-4333-8444-555555555555";
    let error = bench.store.describe_user().identity_store_id(store).user_id(gone).send().await.expect_err("gone");
    let error = error.into_service_error();
    assert_eq!(error.message(), Some("USER not found."));
    let aws_sdk_identitystore::operation::describe_user::DescribeUserError::ResourceNotFoundException(error) = error
    else {
        panic!("another error: {error:?}")
    };
    assert_eq!((error.resource_type(), error.resource_id()), (Some(&ResourceType::User), Some(gone)));
    assert!(error.request_id().is_some());
    let error = bench.store.list_users().identity_store_id(store).max_results(101).send().await.expect_err("too many");
    assert!(error.into_service_error().is_validation_exception());
    let error = bench.organizations.describe_account().account_id("000000000000").send().await.expect_err("gone");
    assert!(error.into_service_error().is_account_not_found_exception());
    let error = bench.organizations.list_accounts().next_token("nonsense").send().await.expect_err("no token");
    assert!(error.into_service_error().is_invalid_input_exception());
    let error = bench.sts.get_federation_token().name("me").send().await.expect_err("not here");
    assert_eq!(error.into_service_error().code(), Some("InvalidAction"));
    let error = bench.store.describe_identity_store().identity_store_id(store).send().await.expect_err("not here");
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(404));
    assert_eq!(error.into_service_error().code(), Some("UnknownOperationException"));
}

#[tokio::test]
async fn throttles_are_the_modelled_errors_too() {
    // A token in a thousand seconds: the second call is refused however slow this machine is.
    let bench = bench(0.001);
    let store = bench.organization.identity_store();
    bench.store.list_users().identity_store_id(store).send().await.expect("the first");
    let error = bench.store.list_users().identity_store_id(store).send().await.expect_err("the second");
    let aws_sdk_identitystore::operation::list_users::ListUsersError::ThrottlingException(error) =
        error.into_service_error()
    else {
        panic!("another error")
    };
    assert!((900..=1_000).contains(&error.retry_after_seconds()));
    bench.store.list_groups().identity_store_id(store).send().await.expect("another operation, another bucket");
    bench.admin.list_instances().send().await.expect("the first");
    let arn = bench.organization.instance_arn();
    let error = bench.admin.list_permission_sets().instance_arn(arn).send().await.expect_err("one bucket for all");
    assert!(error.into_service_error().is_throttling_exception());
    bench.organizations.list_accounts().send().await.expect("the first");
    let error = bench.organizations.list_roots().send().await.expect_err("one bucket for all");
    assert!(error.into_service_error().is_too_many_requests_exception());
    let calls = bench.running.calls();
    assert_eq!((calls.total, calls.throttled), (7, 3));
}

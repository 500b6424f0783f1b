//! AWS itself, behind [`IdentityCenterApi`]: the only folder that names the service crates.
//!
//! Making an [`AwsApi`] costs nothing; configuration and each service's client come with the first call that needs
//! them. One call here is one request on the wire: nothing is retried.

mod answer;
mod errors;
mod identity;
mod identity_store;
mod json;
mod mutations;
mod operation_status;
mod organizations;
mod sso_admin;
mod sts;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

use super::api::{Api, GetCall, IdentityCenterApi, InstanceTarget, ListCall, Page, api_of};
use super::error::GatewayError;
use super::mutation::Mutation;
use crate::aws::{self, AwsAccess, AwsService, AwsSettings, CredentialFacts, SdkConfig};
use async_trait::async_trait;
use aws_sdk_sts::config::Region;
use errors::Ask;
use serde_json::Value;
use tokio::sync::OnceCell;

/// The real services, or whatever the endpoint settings name in their place.
#[derive(Debug)]
pub struct AwsApi {
    settings: AwsSettings,
    access: OnceCell<AwsAccess>,
    identity_store: OnceCell<aws_sdk_identitystore::Client>,
    sso_admin: OnceCell<aws_sdk_ssoadmin::Client>,
    organizations: OnceCell<aws_sdk_organizations::Client>,
    sts: OnceCell<aws_sdk_sts::Client>,
    large_bodies: answer::LargeBodies,
}

impl AwsApi {
    /// Nothing happens until the first call.
    pub fn new(settings: AwsSettings) -> Self {
        Self {
            settings,
            access: OnceCell::new(),
            identity_store: OnceCell::new(),
            sso_admin: OnceCell::new(),
            organizations: OnceCell::new(),
            sts: OnceCell::new(),
            large_bodies: answer::LargeBodies::default(),
        }
    }

    /// Where the credentials come from and until when they hold; makes no call to the services above.
    pub async fn credentials(&self) -> Result<CredentialFacts, GatewayError> {
        let profile = self.settings.profile.as_deref();
        let found = self.access().await?.credentials().await;
        found.map_err(|fault| errors::no_credentials(fault, profile))
    }

    async fn access(&self) -> Result<&AwsAccess, GatewayError> {
        let profile = self.settings.profile.as_deref();
        let loaded = self.access.get_or_try_init(|| async { aws::load(&self.settings) }).await;
        loaded.map_err(|fault| errors::no_credentials(fault, profile))
    }

    async fn config(&self, service: AwsService) -> Result<SdkConfig, GatewayError> {
        let config = self.access().await?.config(service);
        let client = config.http_client().map(|client| answer::checked(client, &self.large_bodies));
        let mut builder = config.into_builder();
        builder.set_http_client(client);
        Ok(builder.build())
    }

    /// The client for the region of the target, or for that of the configuration.
    async fn identity_store(
        &self,
        target: Option<&InstanceTarget>,
    ) -> Result<aws_sdk_identitystore::Client, GatewayError> {
        let make =
            || async { self.config(AwsService::IdentityStore).await.map(|c| aws_sdk_identitystore::Client::new(&c)) };
        let client = self.identity_store.get_or_try_init(make).await?;
        let Some(region) = elsewhere(target, client.config().region()) else { return Ok(client.clone()) };
        Ok(aws_sdk_identitystore::Client::from_conf(client.config().to_builder().region(region).build()))
    }

    /// The same for sso-admin, which serves permission sets and assignments in the primary region only.
    async fn sso_admin(&self, target: Option<&InstanceTarget>) -> Result<aws_sdk_ssoadmin::Client, GatewayError> {
        let make = || async { self.config(AwsService::SsoAdmin).await.map(|c| aws_sdk_ssoadmin::Client::new(&c)) };
        let client = self.sso_admin.get_or_try_init(make).await?;
        let Some(region) = elsewhere(target, client.config().region()) else { return Ok(client.clone()) };
        Ok(aws_sdk_ssoadmin::Client::from_conf(client.config().to_builder().region(region).build()))
    }

    async fn organizations(&self) -> Result<&aws_sdk_organizations::Client, GatewayError> {
        let make =
            || async { self.config(AwsService::Organizations).await.map(|c| aws_sdk_organizations::Client::new(&c)) };
        self.organizations.get_or_try_init(make).await
    }

    async fn sts(&self) -> Result<&aws_sdk_sts::Client, GatewayError> {
        let make = || async { self.config(AwsService::Sts).await.map(|c| aws_sdk_sts::Client::new(&c)) };
        self.sts.get_or_try_init(make).await
    }
}

/// The primary region of the target, where it is another than that of the client.
fn elsewhere(target: Option<&InstanceTarget>, region: Option<&Region>) -> Option<Region> {
    let primary = target.map(|target| target.region.as_str()).filter(|primary| !primary.is_empty())?;
    (region.map(AsRef::as_ref) != Some(primary)).then(|| Region::new(primary.to_owned()))
}

fn chosen<'a>(target: Option<&'a InstanceTarget>, ask: &Ask) -> Result<&'a InstanceTarget, GatewayError> {
    target.ok_or_else(|| ask.without_instance())
}

#[async_trait]
impl IdentityCenterApi for AwsApi {
    async fn ready(&self, operation: &str) -> Result<(), GatewayError> {
        match api_of(operation) {
            Api::IdentityStore => _ = self.identity_store(None).await?,
            Api::SsoAdmin => _ = self.sso_admin(None).await?,
            Api::Organizations => _ = self.organizations().await?,
            Api::Sts => _ = self.sts().await?,
        }
        self.credentials().await.map(drop)
    }

    async fn page(
        &self,
        target: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        let ask = &Ask::listing(listing, target, self.settings.profile.as_deref());
        let token = token.map(str::to_owned);
        let instance = || chosen(target, ask).map(|target| target.instance.as_str());
        let store = || chosen(target, ask).map(|target| target.identity_store.as_str());
        let page = match listing {
            ListCall::Users => identity_store::users(&self.identity_store(target).await?, store()?, token, ask).await,
            ListCall::Groups => identity_store::groups(&self.identity_store(target).await?, store()?, token, ask).await,
            ListCall::GroupMemberships(group) => {
                identity_store::group_memberships(&self.identity_store(target).await?, store()?, group, token, ask)
                    .await
            }
            ListCall::MembershipsForMember(user) => {
                identity_store::memberships_for_member(&self.identity_store(target).await?, store()?, user, token, ask)
                    .await
            }
            ListCall::Instances => sso_admin::instances(&self.sso_admin(target).await?, token, ask).await,
            ListCall::PermissionSets => {
                sso_admin::permission_sets(&self.sso_admin(target).await?, instance()?, token, ask).await
            }
            ListCall::ManagedPolicies(arn) => {
                sso_admin::managed_policies(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            ListCall::CustomerManagedPolicies(arn) => {
                sso_admin::customer_managed_policies(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            ListCall::ProvisionedAccounts(arn) => {
                sso_admin::provisioned_accounts(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            ListCall::ProvisionedPermissionSets(account) => {
                sso_admin::provisioned_permission_sets(&self.sso_admin(target).await?, instance()?, account, token, ask)
                    .await
            }
            ListCall::Assignments { account, permission_set } => {
                let pair = (account.as_str(), permission_set.as_str());
                sso_admin::assignments(&self.sso_admin(target).await?, instance()?, pair, token, ask).await
            }
            ListCall::AssignmentsForPrincipal { kind, id } => {
                let principal = (*kind, id.as_str());
                sso_admin::assignments_for_principal(&self.sso_admin(target).await?, instance()?, principal, token, ask)
                    .await
            }
            ListCall::Accounts => organizations::accounts(self.organizations().await?, token, ask).await,
            ListCall::Roots => organizations::roots(self.organizations().await?, token, ask).await,
            ListCall::OrganizationalUnits(parent) => {
                organizations::organizational_units(self.organizations().await?, parent, token, ask).await
            }
            ListCall::AccountsForParent(parent) => {
                organizations::accounts_for_parent(self.organizations().await?, parent, token, ask).await
            }
            ListCall::AccountTags(account) => {
                organizations::tags(self.organizations().await?, account, token, ask).await
            }
        };
        identity::page(page?, listing, target, ask)
    }

    async fn fetch(&self, target: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        let ask = &Ask::single(single, self.settings.profile.as_deref());
        let instance = || chosen(target, ask).map(|target| target.instance.as_str());
        let store = || chosen(target, ask).map(|target| target.identity_store.as_str());
        let found = match single {
            GetCall::User(id) => identity_store::user(&self.identity_store(target).await?, store()?, id, ask).await,
            GetCall::UserIdByName(name) => {
                identity_store::user_id(&self.identity_store(target).await?, store()?, name, ask).await
            }
            GetCall::Group(id) => identity_store::group(&self.identity_store(target).await?, store()?, id, ask).await,
            GetCall::GroupIdByName(name) => {
                identity_store::group_id(&self.identity_store(target).await?, store()?, name, ask).await
            }
            GetCall::PermissionSet(arn) => {
                sso_admin::permission_set(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            GetCall::InlinePolicy(arn) => {
                sso_admin::inline_policy(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            GetCall::PermissionsBoundary(arn) => {
                sso_admin::permissions_boundary(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            GetCall::Account(id) => organizations::describe_account(self.organizations().await?, id, ask).await,
            GetCall::MembershipId { group, user } => {
                operation_status::membership_id(&self.identity_store(target).await?, store()?, (group, user), ask).await
            }
            GetCall::Status(pending, id) => {
                operation_status::of_request(&self.sso_admin(target).await?, instance()?, (*pending, id), ask).await
            }
            GetCall::CallerIdentity => sts::caller_identity(self.sts().await?, ask).await,
        };
        identity::single(found?, single, target, ask)
    }

    async fn change(&self, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        mutations::make(self, target, change).await
    }
}

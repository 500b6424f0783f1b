//! AWS itself, behind [`Source`]: the only folder that names the service crates.
//!
//! Neighbours: `crate::aws` loads the configuration, `pace.rs` stands in front. Promise: making an [`Aws`] costs
//! nothing; configuration and each service's client come with the first call that needs them. One call here is one
//! request on the wire: nothing is retried.

mod answer;
mod changes;
mod errors;
mod fields;
mod identity;
mod identitystore;
mod organizations;
#[cfg(test)]
mod server;
mod ssoadmin;
mod status;
mod sts;
#[cfg(test)]
mod tests;

use super::{Api, Change, GatewayError, Listing, Page, Single, Source, Target, api_of};
use crate::aws::{self, AwsAccess, AwsSettings, CredentialFacts, SdkConfig, Service};
use async_trait::async_trait;
use aws_sdk_sts::config::Region;
use errors::Ask;
use serde_json::Value;
use tokio::sync::OnceCell;

/// The real services, or whatever the endpoint settings name in their place.
#[derive(Debug)]
pub struct Aws {
    settings: AwsSettings,
    access: OnceCell<AwsAccess>,
    identity_store: OnceCell<aws_sdk_identitystore::Client>,
    sso_admin: OnceCell<aws_sdk_ssoadmin::Client>,
    organizations: OnceCell<aws_sdk_organizations::Client>,
    sts: OnceCell<aws_sdk_sts::Client>,
    large_bodies: answer::LargeBodies,
}

impl Aws {
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

    async fn config(&self, service: Service) -> Result<SdkConfig, GatewayError> {
        let config = self.access().await?.config(service);
        let client = config.http_client().map(|client| answer::checked(client, &self.large_bodies));
        let mut builder = config.into_builder();
        builder.set_http_client(client);
        Ok(builder.build())
    }

    /// The client for the region of the target, or for that of the configuration.
    async fn identity_store(&self, target: Option<&Target>) -> Result<aws_sdk_identitystore::Client, GatewayError> {
        let make =
            || async { self.config(Service::IdentityStore).await.map(|c| aws_sdk_identitystore::Client::new(&c)) };
        let client = self.identity_store.get_or_try_init(make).await?;
        let Some(region) = elsewhere(target, client.config().region()) else { return Ok(client.clone()) };
        Ok(aws_sdk_identitystore::Client::from_conf(client.config().to_builder().region(region).build()))
    }

    /// The same for sso-admin, which serves permission sets and assignments in the primary region only.
    async fn sso_admin(&self, target: Option<&Target>) -> Result<aws_sdk_ssoadmin::Client, GatewayError> {
        let make = || async { self.config(Service::SsoAdmin).await.map(|c| aws_sdk_ssoadmin::Client::new(&c)) };
        let client = self.sso_admin.get_or_try_init(make).await?;
        let Some(region) = elsewhere(target, client.config().region()) else { return Ok(client.clone()) };
        Ok(aws_sdk_ssoadmin::Client::from_conf(client.config().to_builder().region(region).build()))
    }

    async fn organizations(&self) -> Result<&aws_sdk_organizations::Client, GatewayError> {
        let make =
            || async { self.config(Service::Organizations).await.map(|c| aws_sdk_organizations::Client::new(&c)) };
        self.organizations.get_or_try_init(make).await
    }

    async fn sts(&self) -> Result<&aws_sdk_sts::Client, GatewayError> {
        let make = || async { self.config(Service::Sts).await.map(|c| aws_sdk_sts::Client::new(&c)) };
        self.sts.get_or_try_init(make).await
    }
}

/// The primary region of the target, where it is another than that of the client.
fn elsewhere(target: Option<&Target>, region: Option<&Region>) -> Option<Region> {
    let primary = target.map(|target| target.region.as_str()).filter(|primary| !primary.is_empty())?;
    (region.map(AsRef::as_ref) != Some(primary)).then(|| Region::new(primary.to_owned()))
}

fn chosen<'a>(target: Option<&'a Target>, ask: &Ask) -> Result<&'a Target, GatewayError> {
    target.ok_or_else(|| ask.without_instance())
}

#[async_trait]
impl Source for Aws {
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
        target: Option<&Target>,
        listing: &Listing,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        let ask = &Ask::listing(listing, target, self.settings.profile.as_deref());
        let token = token.map(str::to_owned);
        let instance = || chosen(target, ask).map(|target| target.instance.as_str());
        let store = || chosen(target, ask).map(|target| target.identity_store.as_str());
        let page = match listing {
            Listing::Users => identitystore::users(&self.identity_store(target).await?, store()?, token, ask).await,
            Listing::Groups => identitystore::groups(&self.identity_store(target).await?, store()?, token, ask).await,
            Listing::GroupMemberships(group) => {
                identitystore::group_memberships(&self.identity_store(target).await?, store()?, group, token, ask).await
            }
            Listing::MembershipsForMember(user) => {
                identitystore::memberships_for_member(&self.identity_store(target).await?, store()?, user, token, ask)
                    .await
            }
            Listing::Instances => ssoadmin::instances(&self.sso_admin(target).await?, token, ask).await,
            Listing::PermissionSets => {
                ssoadmin::permission_sets(&self.sso_admin(target).await?, instance()?, token, ask).await
            }
            Listing::ManagedPolicies(arn) => {
                ssoadmin::managed_policies(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            Listing::CustomerManagedPolicies(arn) => {
                ssoadmin::customer_managed_policies(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            Listing::ProvisionedAccounts(arn) => {
                ssoadmin::provisioned_accounts(&self.sso_admin(target).await?, instance()?, arn, token, ask).await
            }
            Listing::ProvisionedPermissionSets(account) => {
                ssoadmin::provisioned_permission_sets(&self.sso_admin(target).await?, instance()?, account, token, ask)
                    .await
            }
            Listing::Assignments { account, permission_set } => {
                let pair = (account.as_str(), permission_set.as_str());
                ssoadmin::assignments(&self.sso_admin(target).await?, instance()?, pair, token, ask).await
            }
            Listing::AssignmentsForPrincipal { kind, id } => {
                let principal = (*kind, id.as_str());
                ssoadmin::assignments_for_principal(&self.sso_admin(target).await?, instance()?, principal, token, ask)
                    .await
            }
            Listing::Accounts => organizations::accounts(self.organizations().await?, token, ask).await,
            Listing::Roots => organizations::roots(self.organizations().await?, token, ask).await,
            Listing::OrganizationalUnits(parent) => {
                organizations::organizational_units(self.organizations().await?, parent, token, ask).await
            }
            Listing::AccountsForParent(parent) => {
                organizations::accounts_for_parent(self.organizations().await?, parent, token, ask).await
            }
            Listing::AccountTags(account) => {
                organizations::tags(self.organizations().await?, account, token, ask).await
            }
        };
        identity::page(page?, listing, target, ask)
    }

    async fn fetch(&self, target: Option<&Target>, single: &Single) -> Result<Value, GatewayError> {
        let ask = &Ask::single(single, self.settings.profile.as_deref());
        let instance = || chosen(target, ask).map(|target| target.instance.as_str());
        let store = || chosen(target, ask).map(|target| target.identity_store.as_str());
        let found = match single {
            Single::User(id) => identitystore::user(&self.identity_store(target).await?, store()?, id, ask).await,
            Single::UserIdByName(name) => {
                identitystore::user_id(&self.identity_store(target).await?, store()?, name, ask).await
            }
            Single::Group(id) => identitystore::group(&self.identity_store(target).await?, store()?, id, ask).await,
            Single::GroupIdByName(name) => {
                identitystore::group_id(&self.identity_store(target).await?, store()?, name, ask).await
            }
            Single::PermissionSet(arn) => {
                ssoadmin::permission_set(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            Single::InlinePolicy(arn) => {
                ssoadmin::inline_policy(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            Single::PermissionsBoundary(arn) => {
                ssoadmin::permissions_boundary(&self.sso_admin(target).await?, instance()?, arn, ask).await
            }
            Single::Account(id) => organizations::describe_account(self.organizations().await?, id, ask).await,
            Single::MembershipId { group, user } => {
                status::membership_id(&self.identity_store(target).await?, store()?, (group, user), ask).await
            }
            Single::Status(pending, id) => {
                status::of_request(&self.sso_admin(target).await?, instance()?, (*pending, id), ask).await
            }
            Single::CallerIdentity => sts::caller_identity(self.sts().await?, ask).await,
        };
        identity::single(found?, single, target, ask)
    }

    async fn change(&self, target: &Target, change: &Change) -> Result<Value, GatewayError> {
        changes::make(self, target, change).await
    }
}

//! The account that the credentials belong to, as far as the settings show it without a call to AWS.

use super::AwsSettings;
use super::plan::{BaseSource, plan};
use crate::aws::profile::AwsEnvironment;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The owner of the credentials, in a form that two hosts can compare: the account id if the settings show it, else a
/// digest of the access key id; `None` if neither is known without a call.
pub fn credential_owner(settings: &AwsSettings, environment: &AwsEnvironment) -> Option<String> {
    if let Some((key, _)) = &settings.static_credentials {
        return Some(owner_of_key(key));
    }
    let resolved = super::resolve(settings, environment);
    if resolved.problem().is_some() {
        return None;
    }
    // Only the source in use counts: the settings may name further accounts.
    let plan = plan(&resolved).ok()?;
    if let Some(role) = plan.roles.last() {
        return account_of_arn(&role.arn);
    }
    match &plan.base {
        BaseSource::Keys(keys) => Some(owner_of_key(keys.access_key_id())),
        BaseSource::WebIdentity { role_arn, .. } => account_of_arn(role_arn),
        BaseSource::Sso { account, .. } => Some(account.clone()),
        BaseSource::Login { session } => account_of_arn(session),
        BaseSource::Process { .. } | BaseSource::Container | BaseSource::Metadata => None,
    }
}

fn account_of_arn(arn: &str) -> Option<String> {
    arn.split(':').nth(4).filter(|account| is_account(account)).map(str::to_owned)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn owner_of_key(id: &str) -> String {
    account_of_key(id).unwrap_or_else(|| {
        let digest = Sha256::digest(id.trim().as_bytes());
        digest.iter().take(8).fold("key:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    })
}

/// The account inside an access key id. AWS encodes it in ids created since 2019: 16 characters in base 32 follow the
/// prefix of four, and bits 1 to 40 of them are the account. An older id decodes to a number that is no account: a
/// comparison of two fails, and the caller asks AWS.
fn account_of_key(id: &str) -> Option<String> {
    let id = id.trim();
    if id.len() != 20 || !["AKIA", "ASIA"].contains(&id.get(..4)?) {
        return None;
    }
    // Ten characters have 50 bits: one to skip, 40 of the account.
    let bits = id[4..14].bytes().try_fold(0_u64, |bits, byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some(bits << 5 | u64::from(digit))
    })?;
    let account = format!("{:012}", (bits >> 9) & 0xff_ffff_ffff);
    is_account(&account).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(profile: Option<&str>) -> AwsSettings {
        AwsSettings { profile: profile.map(str::to_owned), ..AwsSettings::default() }
    }

    #[test]
    fn an_access_key_id_holds_its_account() {
        // The published example of this encoding.
        assert_eq!(account_of_key("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        for other in ["AKIAFIRST", "AIDAQNZGKIQY56JQ7WML", "AKIAqnzgkiqy56jq7wml", "AKIA\u{fc}NZGKIQY56JQ7WM"] {
            assert_eq!(account_of_key(other), None, "{other}");
        }
        assert_eq!(owner_of_key("AKIAFIRST"), owner_of_key(" AKIAFIRST\n"));
        assert_ne!(owner_of_key("AKIAFIRST"), owner_of_key("AKIASECOND"));
    }

    #[test]
    fn the_owner_is_read_off_what_selects_the_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let text = "[profile keys]\naws_access_key_id = AKIAFIRST\naws_secret_access_key = s\n\
            [profile role]\nrole_arn = arn:aws:iam::111111111111:role/Reader\nsource_profile = keys\n\
            [profile sso]\nsso_account_id = 222222222222\nsso_role_name = R\nsso_start_url = https://x\nsso_region = us-east-1\n\
            [profile program]\ncredential_process = x\naws_access_key_id = AKIAFIRST\naws_secret_access_key = s\n";
        std::fs::write(&config, text).unwrap();
        let mut environment: AwsEnvironment =
            [("AWS_CONFIG_FILE".to_owned(), config.display().to_string())].into_iter().collect();
        let owner = |profile, environment: &AwsEnvironment| credential_owner(&settings(profile), environment);
        assert_eq!(owner(Some("role"), &environment).as_deref(), Some("111111111111"));
        assert_eq!(owner(Some("sso"), &environment).as_deref(), Some("222222222222"));
        assert_eq!(owner(Some("program"), &environment), None);
        assert_eq!(owner(None, &environment), None);
        environment.insert("AWS_ROLE_ARN".into(), "arn:aws:iam::333333333333:role/Pod".into());
        assert_eq!(owner(Some("program"), &environment), None, "the variable belongs to a web identity");
        assert_eq!(owner(None, &environment), None, "without a token file it names no source");
        environment.insert("AWS_WEB_IDENTITY_TOKEN_FILE".into(), "/token".into());
        assert_eq!(owner(None, &environment).as_deref(), Some("333333333333"));
        assert_eq!(owner(Some("program"), &environment), None);
        environment.insert("AWS_PROFILE".into(), "sso".into());
        assert_eq!(owner(None, &environment).as_deref(), Some("333333333333"), "a web identity comes before the login");
        environment.insert("AWS_ACCESS_KEY_ID".into(), "ASIAQNZGKIQY56JQ7WML".into());
        environment.insert("AWS_SECRET_ACCESS_KEY".into(), "s".into());
        assert_eq!(owner(None, &environment).as_deref(), Some("029608264753"));
        assert_eq!(owner(Some("sso"), &environment).as_deref(), Some("222222222222"), "a named profile wins");
    }
}

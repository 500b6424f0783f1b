//! Checks the files in which the AWS CLI stores logins before the SDK reads them: the SDK would block on a pipe and
//! read a file of any size.

use crate::aws::profile::AwsEnvironment;
use crate::secure_fs::bounded;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The file of an SSO session, or of a start URL if the profile has no session.
pub(super) fn sso_token(environment: &AwsEnvironment, name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(filled(environment, "HOME")?).join(".aws/sso/cache");
    Some(folder.join(file_name(&Sha1::digest(name.as_bytes()))))
}

/// The file of an `aws login`.
pub(super) fn sign_in_token(environment: &AwsEnvironment, session: &str) -> Option<PathBuf> {
    let chosen = filled(environment, "AWS_LOGIN_CACHE_DIRECTORY").map(PathBuf::from);
    let in_home = || Some(PathBuf::from(filled(environment, "HOME")?).join(".aws/login/cache"));
    Some(chosen.or_else(in_home)?.join(file_name(&Sha256::digest(session.trim().as_bytes()))))
}

fn filled<'a>(environment: &'a AwsEnvironment, name: &str) -> Option<&'a String> {
    environment.get(name).filter(|value| !value.is_empty())
}

fn file_name(digest: &[u8]) -> String {
    let mut name = digest.iter().fold(String::with_capacity(69), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    name.push_str(".json");
    name
}

/// A provider that reads a login file, and the file.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) file: Option<PathBuf>,
    pub(super) provider: SharedCredentialsProvider,
}

impl Checked {
    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        if let Some(file) = &self.file
            && let Err(error) = bounded::check(file, bounded::LOGIN_FILE)
            && error.kind() != ErrorKind::NotFound
        {
            let text = format!("the login file {} cannot be read: {error}", file.display());
            return Err(CredentialsError::invalid_configuration(text));
        }
        self.provider.provide_credentials().await
    }
}

impl ProvideCredentials for Checked {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_named_as_the_aws_cli_names_them() {
        let environment = AwsEnvironment::from([("HOME".to_owned(), "/home/a".to_owned())]);
        let path = |path: Option<PathBuf>| path.unwrap().display().to_string();
        assert_eq!(
            path(sso_token(&environment, "test")),
            "/home/a/.aws/sso/cache/a94a8fe5ccb19ba61c4c0873d391e987982fbbd3.json"
        );
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(path(sign_in_token(&environment, "test")), format!("/home/a/.aws/login/cache/{hash}.json"));
        assert_eq!(sso_token(&AwsEnvironment::default(), "test"), None);
    }
}

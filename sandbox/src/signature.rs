//! What the signature of a call (`SigV4`) names: the access key and the region. Signatures themselves are not checked.

use axum::http::HeaderMap;
use axum::http::header;

/// The key and region of a call's signature, if it names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signed<'a> {
    pub(crate) access_key: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
}

impl<'a> Signed<'a> {
    /// Reads the credential scope: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
    pub(crate) fn read(headers: &'a HeaderMap) -> Signed<'a> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scope = value.split_once("Credential=").map_or("", |(_, rest)| rest);
        let mut parts = scope.split(',').next().unwrap_or_default().trim().split('/');
        let (key, _, region) = (parts.next(), parts.next(), parts.next());
        let named = |part: Option<&'a str>| part.filter(|part| !part.is_empty());
        Signed { access_key: named(key), region: named(region) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_scope_names_key_and_region() {
        let mut headers = HeaderMap::new();
        assert_eq!(Signed::read(&headers), Signed::default());
        let value =
            "AWS4-HMAC-SHA256 Credential=AKID/20261130/eu-west-1/sso/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        assert_eq!(Signed::read(&headers), Signed { access_key: Some("AKID"), region: Some("eu-west-1") });
        headers.insert(header::AUTHORIZATION, "Bearer x".parse().expect("a header"));
        assert_eq!(Signed::read(&headers), Signed::default());
    }
}

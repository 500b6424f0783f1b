//! The namespace of an entry: the identity directory that it belongs to.
//!
//! Guarantee: two different instances, regions or endpoints never have the same text.

use std::fmt;

/// Partition, region, instance, identity store, and the endpoint if it is not an AWS endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace {
    /// `aws`, `aws-us-gov`, `aws-cn`.
    pub partition: String,
    /// The region of the instance.
    pub region: String,
    /// The ARN of the Identity Center instance.
    pub instance: String,
    /// The identity store behind it (`d-1234567890`).
    pub identity_store: String,
    /// The endpoint, if it is not an AWS endpoint.
    pub endpoint: Option<String>,
}

impl Namespace {
    /// The text that is stored. A `|` or `%` inside a part is percent-encoded, so that the mapping is injective.
    pub fn text(&self) -> String {
        let parts = [
            self.partition.as_str(),
            &self.region,
            &self.instance,
            &self.identity_store,
            self.endpoint.as_deref().unwrap_or_default(),
        ];
        parts.map(|part| part.replace('%', "%25").replace('|', "%7C")).join("|")
    }

    /// Reads back what [`Namespace::text`] wrote; `None` for any other text.
    pub fn parse(text: &str) -> Option<Namespace> {
        let parts: Vec<String> = text.split('|').map(|part| part.replace("%7C", "|").replace("%25", "%")).collect();
        let [partition, region, instance, identity_store, endpoint] = parts.try_into().ok()?;
        let endpoint = (!endpoint.is_empty()).then_some(endpoint);
        Some(Namespace { partition, region, instance, identity_store, endpoint })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instance = self.instance.rsplit('/').next().unwrap_or(&self.instance);
        write!(f, "{instance} ({}, {})", self.identity_store, self.region)?;
        self.endpoint.as_ref().map_or(Ok(()), |endpoint| write!(f, " at {endpoint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(region: &str, endpoint: Option<&str>) -> Namespace {
        Namespace {
            partition: "aws".into(),
            region: region.into(),
            instance: "arn:aws:sso:::instance/ssoins-1".into(),
            identity_store: "d-1".into(),
            endpoint: endpoint.map(str::to_owned),
        }
    }

    #[test]
    fn the_text_is_injective_and_reads_back() {
        for s in [space("eu-west-1", None), space("a|b", Some("%7C")), space("a", Some("b|%25")), space("%", None)] {
            assert_eq!(Namespace::parse(&s.text()), Some(s));
        }
        assert_ne!(space("a", Some("b")).text(), space("a|b", None).text());
    }
}

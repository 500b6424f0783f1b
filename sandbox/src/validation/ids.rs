//! What ids and ARNs must look like, as AWS's API models state it.
//!
//! A text is refused here exactly when the model's pattern refuses it; whether the thing exists is another
//! question.

/// A form that an argument must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `d-` and ten hexadecimal digits, or a UUID.
    IdentityStoreId,
    /// The id of a user, group or membership: a UUID, after ten hexadecimal digits in older stores.
    ResourceId,
    /// The id of an asynchronous operation: a UUID.
    RequestId,
    /// `arn:aws:sso:::instance/ssoins-...`
    InstanceArn,
    /// `arn:aws:sso:::permissionSet/ssoins-.../ps-...`
    PermissionSetArn,
    /// Twelve digits.
    AccountId,
    /// A root or an organizational unit.
    ParentId,
    /// An organizational unit.
    OuId,
    /// An account or an organizational unit.
    ChildId,
    /// What Organizations can tag.
    OrganizationsTaggable,
    /// What sso-admin can tag.
    SsoTaggable,
}

impl Form {
    /// Whether `text` has this form.
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            Form::IdentityStoreId => text.strip_prefix("d-").is_some_and(|rest| hex(rest, 10)) || uuid(text),
            Form::ResourceId => uuid(text) || text.split_once('-').is_some_and(|(head, id)| hex(head, 10) && uuid(id)),
            Form::RequestId => uuid(text),
            Form::InstanceArn => resource(text, "instance/").is_some_and(instance_id),
            Form::PermissionSetArn => resource(text, "permissionSet/")
                .and_then(|rest| rest.split_once('/'))
                .is_some_and(|(instance, id)| instance_id(instance) && id.strip_prefix("ps-").is_some_and(mixed)),
            Form::AccountId => text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
            Form::ParentId => root_id(text) || Form::OuId.fits(text),
            Form::OuId => text
                .strip_prefix("ou-")
                .and_then(|rest| rest.split_once('-'))
                .is_some_and(|(root, own)| base36(root, 4) && base36(own, 8)),
            Form::ChildId => Form::AccountId.fits(text) || Form::OuId.fits(text),
            Form::OrganizationsTaggable => Form::ParentId.fits(text) || Form::AccountId.fits(text),
            Form::SsoTaggable => Form::InstanceArn.fits(text) || Form::PermissionSetArn.fits(text),
        }
    }

    /// The form as AWS's messages put it.
    pub(crate) fn pattern(self) -> &'static str {
        match self {
            Form::IdentityStoreId => "^d-[0-9a-f]{10}$|^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            Form::ResourceId => {
                "^([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$"
            }
            Form::RequestId => "\\b[0-9a-f]{8}\\b-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-\\b[0-9a-f]{12}\\b",
            Form::InstanceArn => "^arn:aws(-[a-z]{1,5}){0,3}:sso:::instance/(sso)?ins-[a-zA-Z0-9-.]{16}$",
            Form::PermissionSetArn => {
                "^arn:aws(-[a-z]{1,5}){0,3}:sso:::permissionSet/(sso)?ins-[a-zA-Z0-9-.]{16}/ps-[a-zA-Z0-9-./]{16}$"
            }
            Form::AccountId => "^\\d{12}$",
            Form::ParentId => "^(r-[0-9a-z]{4,32})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$",
            Form::OuId => "^ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}$",
            Form::ChildId => "^(\\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$",
            Form::OrganizationsTaggable => "^(r-[0-9a-z]{4,32})|(\\d{12})|(ou-[0-9a-z]{4,32}-[a-z0-9]{8,32})$",
            Form::SsoTaggable => "^arn:aws(-[a-z]{1,5}){0,3}:sso:::(instance/(sso)?ins-|permissionSet/(sso)?ins-).*$",
        }
    }
}

fn hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn uuid(text: &str) -> bool {
    let mut parts = text.split('-');
    [8, 4, 4, 4, 12].into_iter().all(|digits| parts.next().is_some_and(|part| hex(part, digits)))
        && parts.next().is_none()
}

fn base36(text: &str, least: usize) -> bool {
    (least..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
}

fn root_id(text: &str) -> bool {
    text.strip_prefix("r-").is_some_and(|rest| base36(rest, 4))
}

/// What follows `kind` in an ARN of sso.
fn resource<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(':')?;
    let known = partition == "aws" || partition.starts_with("aws-");
    if known { rest.strip_prefix("sso:::")?.strip_prefix(kind) } else { None }
}

fn instance_id(text: &str) -> bool {
    text.strip_prefix("sso").unwrap_or(text).strip_prefix("ins-").is_some_and(mixed)
}

fn mixed(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_takes_its_own_and_refuses_the_rest() {
        let good = [
            (Form::IdentityStoreId, "d-90670123ab"),
            (Form::ResourceId, "90670123ab-11111111-2222-4333-8444-555555555555"),
            (Form::ResourceId, "11111111-2222-4333-8444-555555555555"),
            (Form::InstanceArn, "arn:aws:sso:::instance/ssoins-0123456789abcdef"),
            (Form::PermissionSetArn, "arn:aws-us-gov:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef"),
            (Form::AccountId, "012345678901"),
            (Form::ParentId, "r-ab12"),
            (Form::ParentId, "ou-ab12-cdefgh34"),
        ];
        for (form, text) in good {
            assert!(form.fits(text), "{form:?} must take {text}");
        }
        let bad = [
            (Form::IdentityStoreId, "d-xyz"),
            (Form::ResourceId, "alice"),
            (Form::ResourceId, "11111111-2222-4333-8444-555555555555-6"),
            (Form::InstanceArn, "arn:aws:iam:::instance/ssoins-0123456789abcdef"),
            (Form::PermissionSetArn, "arn:aws:sso:::instance/ssoins-0123456789abcdef/ps-0123456789abcdef"),
            (Form::AccountId, "12345678901"),
            (Form::AccountId, "12345678901a"),
            (Form::OuId, "r-ab12"),
            (Form::OuId, "ou-ab12-c"),
        ];
        for (form, text) in bad {
            assert!(!form.fits(text), "{form:?} must refuse {text}");
        }
    }
}

//! Writes of permission sets: create, update, delete.
//!
//! As in AWS: names are unique. A permission set with an assignment, also an ongoing one, cannot be deleted. After an update
//! its accounts are outdated until it is provisioned.

use crate::aws_json::Answer;
use crate::aws_json::Refusal;
use crate::aws_json::Request;
use crate::clock::Now;
use crate::records::Id;
use crate::records::PermissionSet;
use crate::records::Policies;
use crate::records::Text;
use crate::services::sso_admin;
use crate::services::writes::tags;
use crate::state::Organization;
use crate::validation::text;
use serde_json::json;

/// AWS's quota of permission sets.
const MOST: usize = 3_500;

const DURATION: &str = "Member must satisfy regular expression pattern: \
    (-?)P(?=\\d|T\\d)(?:(\\d+)Y)?(?:(\\d+)M)?(?:(\\d+)([DW]))?(?:T(?:(\\d+)H)?(?:(\\d+)M)?(?:(\\d+(?:\\.\\d+)?)S)?)?";

/// `CreatePermissionSet`
pub(crate) fn create(organization: &mut Organization, request: &Request, now: Now) -> Answer {
    sso_admin::instance(organization, request)?;
    let name = name(request)?.to_owned();
    let described = Described::read(request)?;
    let tags = tags::read(request)?;
    if organization.permission_sets.values().any(|set| set.name == name) {
        return Err(Refusal::conflict(format!("PermissionSet with name {name} already exists.")));
    }
    if organization.permission_sets.len() >= MOST {
        return Err(Refusal::over_quota(
            "You have exceeded AWS SSO limits. Cannot create more than allowed permission sets.",
        ));
    }
    let instance = organization.identity.instance_arn.clone();
    let id = organization.mint.next(&instance, "permission set").hex(16);
    let arn = Id::from(format!("{}/ps-{id}", instance.replace(":instance/", ":permissionSet/")));
    let blank = PermissionSet {
        name,
        permission_set_arn: arn.clone(),
        description: None,
        created_date: now.at,
        session_duration: "PT1H".into(),
        relay_state: None,
    };
    let permission_set = described.onto(blank);
    let answer = json!({"PermissionSet": permission_set});
    organization.add_permission_set(permission_set, Policies::default());
    if !tags.is_empty() {
        organization.tags.insert(arn, tags);
    }
    Ok(answer)
}

/// `UpdatePermissionSet`: what is left out stays as it is.
pub(crate) fn update(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let (arn, _) = sso_admin::permission_set(organization, request)?;
    let described = Described::read(request)?;
    let arn = Id::from(arn);
    if let Some(set) = organization.permission_sets.get(&arn).cloned() {
        organization.permission_sets.insert(arn.clone(), described.onto(set));
    }
    organization.outdate(&arn);
    Ok(json!({}))
}

/// `DeletePermissionSet`
pub(crate) fn delete(organization: &mut Organization, request: &Request, _: Now) -> Answer {
    let (arn, _) = sso_admin::permission_set(organization, request)?;
    let arn = Id::from(arn);
    let under_way = organization.progressing.under_way().any(|task| *task.work.permission_set() == arn);
    if under_way || !organization.accounts_with(&arn).is_empty() {
        let message = "Could not delete because PermissionSet has ApplicationProfile associated with it";
        return Err(Refusal::conflict(message));
    }
    organization.permission_sets.remove(&arn);
    organization.policies.remove(&arn);
    organization.tags.remove(&arn);
    Ok(json!({}))
}

/// What a call says of a permission set beside its name.
struct Described {
    description: Option<String>,
    session_duration: Option<Text>,
    relay_state: Option<Text>,
}

impl Described {
    fn read(request: &Request) -> Result<Described, Refusal> {
        let text = |field: &'static str, most: usize| match request.optional_text(field)? {
            Some(text) => text::bounded(request, field, text, most).map(|text| Some(text.to_owned())),
            None => Ok(None),
        };
        let session_duration = text("SessionDuration", 100)?;
        if let Some(duration) = &session_duration {
            match seconds(duration) {
                None => return Err(text::invalid(request, "SessionDuration", DURATION)),
                Some(3_600..=43_200) => {}
                Some(_) => return Err(text::refused(request, "SessionDuration must be between 1 hour and 12 hours")),
            }
        }
        Ok(Described {
            description: text("Description", 700)?,
            session_duration: session_duration.map(Text::from),
            relay_state: text("RelayState", 240)?.map(Text::from),
        })
    }

    fn onto(self, set: PermissionSet) -> PermissionSet {
        PermissionSet {
            description: self.description.or(set.description),
            session_duration: self.session_duration.unwrap_or(set.session_duration),
            relay_state: self.relay_state.or(set.relay_state),
            ..set
        }
    }
}

fn name(request: &Request) -> Result<&str, Refusal> {
    let name = request.optional_text("Name")?.ok_or_else(|| request.missing("Name"))?;
    text::bounded(request, "Name", name, 32)?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
        Ok(name)
    } else {
        Err(text::invalid(request, "Name", "Member must satisfy regular expression pattern: [\\w+=,.@-]+"))
    }
}

/// The seconds of an ISO 8601 duration in days, hours, minutes and seconds; `None` when it is none.
fn seconds(text: &str) -> Option<u64> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    if time.is_empty() && (days.is_empty() || rest.contains('T')) {
        return None;
    }
    Some(sum(days, &[('D', 86_400)])? + sum(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)
}

/// Numbers with units, each once at the most and in this order.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total: u64 = 0;
    for (unit, seconds) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_durations_are_read_as_aws_writes_them() {
        let cases =
            [("PT1H", 3_600), ("PT12H", 43_200), ("PT1H30M", 5_400), ("PT90M", 5_400), ("P1D", 86_400), ("PT5S", 5)];
        for (text, expected) in cases {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "P", "PT", "1H", "PT1", "PTH", "PT1M1H", "PT-1H", "P1DT", "PT1.5H", "one hour"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}

//! Checks the form of a region name.
//!
//! Guarantee: every well-formed region is accepted, including unknown ones.

/// The regions for suggestions.
const KNOWN: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
];

/// The problem of a region name, and the closest known name.
pub(super) fn wrong(region: &str) -> Option<String> {
    if is_well_formed(region) {
        return None;
    }
    let meant = nearest(region).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    Some(format!("unknown region `{}`{meant}", crate::model::visible(region)))
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`: words of lower-case letters, then a number.
fn is_well_formed(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    let is_word = |word: &&str| word.len() >= 2 && word.chars().all(|c| c.is_ascii_lowercase());
    let is_number = !number.is_empty() && number.len() <= 2 && number.chars().all(|c| c.is_ascii_digit());
    words.len() >= 2 && words.iter().all(is_word) && is_number
}

fn nearest(region: &str) -> Option<&'static str> {
    let plain = region.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    // An availability zone is a region and a letter.
    let plain =
        plain.strip_suffix(|c: char| c.is_ascii_lowercase()).filter(|rest| is_well_formed(rest)).unwrap_or(&plain);
    let distance = |known: &&&str| strsim::damerau_levenshtein(known, plain);
    KNOWN.iter().min_by_key(distance).filter(|known| distance(known) <= 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_of_the_right_form_passes() {
        for region in KNOWN.iter().chain(&["ap-southeast-12", "us-isof-south-1", "eu-nowhere-9"]) {
            assert_eq!(wrong(region), None, "{region}");
        }
    }

    #[test]
    fn a_wrong_name_is_compared_with_the_right_ones() {
        for (given, meant) in [
            ("us-east1", "us-east-1"),
            ("US-EAST-1", "us-east-1"),
            ("us-east-1a", "us-east-1"),
            ("eu_west_1", "eu-west-1"),
            ("useast-1", "us-east-1"),
            ("eu-west-", "eu-west-1"),
            ("us-gov-west1", "us-gov-west-1"),
        ] {
            assert_eq!(wrong(given), Some(format!("unknown region `{given}`; did you mean `{meant}`?")));
        }
        for given in ["", "frankfurt", "https://us-east-1.example.com", "-", "us-east-1\n.evil", "global"] {
            assert!(wrong(given).is_some_and(|text| text.starts_with("unknown region")), "{given}");
        }
    }
}

//! Folds texts so that two spellings of one name compare equal: Unicode normalization and case folding.
//!
//! Identity providers deliver names composed (NFC) or decomposed (NFD), and users type either.

use caseless::Caseless;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// The text as it is compared where case and composition do not matter (Unicode's canonical caseless matching).
///
/// The result is composed, so that one visible character is one character for `?` in a glob.
pub fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if has_upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
    }
    Cow::Owned(text.nfd().default_case_fold().nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_fold_to_one_text() {
        for (one, other) in [
            ("Zo\u{eb}", "zoe\u{308}"),
            ("STRASSE", "stra\u{df}e"),
            ("\u{130}pek", "i\u{307}pek"),
            ("\u{39f}\u{3a3}", "\u{3bf}\u{3c2}"),
            ("\u{1100}\u{1161}", "\u{ac00}"),
            ("ALICE", "alice"),
            ("", ""),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("zoe"), folded("zo\u{eb}"), "an accent is part of a name");
        assert_eq!(folded("e\u{301}").chars().count(), 1);
    }
}

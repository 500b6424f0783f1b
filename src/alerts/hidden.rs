//! Redacts secrets in text from elsewhere: a server or a program may repeat its input.

use crate::model::one_line;

/// The most characters of a foreign message that are shown.
const SHOWN: usize = 300;
/// Shorter texts occur in any sentence by chance.
const SHORTEST: usize = 4;

/// Secrets to redact.
#[derive(Clone, Default)]
pub(super) struct Hidden(Vec<String>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Hidden {
    /// The texts and their percent-decoded forms.
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Hidden {
        let decoded = |text: &String| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let mut all: Vec<String> = secrets.into_iter().flat_map(|text| [decoded(&text), text]).collect();
        all.retain(|text| text.chars().count() >= SHORTEST);
        // A secret that contains another one is replaced first.
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        all.dedup();
        Hidden(all)
    }

    /// All of a URL but its scheme and host.
    pub(super) fn of_url(url: &str) -> Hidden {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        let pieces = path.split(['/', '?', '#', '&', '=', ';']).chain(user.split(':')).map(str::to_owned);
        Hidden::new(
            [url.to_owned(), path.to_owned(), path.replace('/', "\\/"), user.to_owned()].into_iter().chain(pieces),
        )
    }

    /// The start of `text` as one line, with `***` for every secret, ignoring case.
    pub(super) fn excerpt(&self, text: &str) -> String {
        let mut shown = one_line(text).split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in &self.0 {
            shown = without(&shown, secret);
        }
        if shown.chars().count() > SHOWN {
            shown = shown.chars().take(SHOWN).collect::<String>() + "…";
        }
        shown
    }
}

fn without(text: &str, secret: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(&wanted) {
        shown.push_str(&text[from..from + at]);
        shown.push_str("***");
        from += at + wanted.len();
    }
    shown + &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_of_a_url_but_its_host_is_shown() {
        let url = "https://ann:pass%2Fword@hooks.example.com/services/T0AB/b%20cd?token=Abc123&x=1";
        let hidden = Hidden::of_url(url);
        for text in [
            url,
            "POST /services/T0AB/b%20cd?token=Abc123&x=1 not found",
            r#"{"path":"\/services\/T0AB\/b%20cd","query":"token=abc123"}"#,
            "no such hook: T0AB of b cd, user ann:pass/word",
        ] {
            let shown = hidden.excerpt(text);
            for secret in ["T0AB", "b%20cd", "b cd", "bc123", "pass"] {
                assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "{secret}: {shown}");
            }
        }
        assert_eq!(hidden.excerpt("hooks.example.com: busy"), "hooks.example.com: busy");
        assert_eq!(hidden.excerpt("\u{1b}[31mé\r\n x"), "[31mé x");
        assert_eq!(hidden.excerpt(&"é".repeat(5_000)).chars().count(), SHOWN + 1);
    }
}

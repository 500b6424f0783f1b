//! Globs over keys: `*`, `?` and `[...]` as SQLite's GLOB has them, `*` crossing `:`.
//!
//! The same verdict as SQLite for every pattern and text (property-tested in `tests/modules/glob.rs`), in time linear in
//! the text for patterns with one star.

/// Whether `text` as a whole matches `pattern`.
///
/// The rules are SQLite's (<https://sqlite.org/lang_expr.html#glob>): case matters, `*` is any run of characters,
/// `?` is one character, `[a-z]` a set, `[^a-z]` its complement, `]` first in a set is itself, and a set that is
/// not closed matches nothing.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern, p, text[t]) {
            GlobStep::Star => {
                star = Some((p + 1, t));
                p += 1;
            }
            GlobStep::One(next) => {
                p = next;
                t += 1;
            }
            GlobStep::No => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

enum GlobStep {
    Star,
    One(usize),
    No,
}

fn step(pattern: &[char], p: usize, c: char) -> GlobStep {
    match pattern.get(p) {
        Some('*') => GlobStep::Star,
        Some('?') => GlobStep::One(p + 1),
        Some('[') => set(pattern, p + 1, c).map_or(GlobStep::No, GlobStep::One),
        Some(other) if *other == c => GlobStep::One(p + 1),
        _ => GlobStep::No,
    }
}

/// The position after the set that opens at `p`, when `c` is in it.
fn set(pattern: &[char], mut p: usize, c: char) -> Option<usize> {
    let inverted = pattern.get(p) == Some(&'^');
    if inverted {
        p += 1;
    }
    let mut seen = false;
    let mut prior: Option<char> = None;
    if pattern.get(p) == Some(&']') {
        seen = c == ']';
        p += 1;
    }
    loop {
        let here = *pattern.get(p)?;
        if here == ']' {
            return (seen != inverted).then_some(p + 1);
        }
        let next = pattern.get(p + 1).copied();
        match (here, prior, next) {
            ('-', Some(low), Some(high)) if high != ']' => {
                seen |= low <= c && c <= high;
                prior = None;
                p += 2;
            }
            _ => {
                seen |= here == c;
                prior = Some(here);
                p += 1;
            }
        }
    }
}

/// The part of a pattern before its first wildcard: every match begins with it.
pub fn literal_prefix(pattern: &str) -> &str {
    pattern.find(['*', '?', '[']).map_or(pattern, |end| &pattern[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_cross_colons_and_sets_work() {
        for (pattern, text, expected) in [
            ("user:*", "user:list:all", true),
            ("*:list:*", "group:list:all", true),
            ("*:list:*", "group:describe:1", false),
            ("user:list:all", "user:list:all", true),
            ("user:l?st:*", "user:list:", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "a", false),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn the_literal_prefix_ends_at_the_first_wildcard() {
        assert_eq!(literal_prefix("user:l*"), "user:l");
        assert_eq!(literal_prefix("user"), "user");
        assert_eq!(literal_prefix("*x"), "");
    }
}

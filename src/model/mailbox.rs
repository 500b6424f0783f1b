//! Mail addresses: the one parser for configuration files, variables and the sender of mails.
//!
//! A mailbox that parses here can be sent to: its domain is ASCII (punycode), and nothing in it begins a header.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::net::IpAddr;

/// The longest part before the `@` (RFC 5321).
const LONGEST_LOCAL: usize = 64;
/// Characters of an unquoted local part besides letters and digits (RFC 5322, `atext`).
const ATOM: &str = "!#$%&'*+-/=?^_`{|}~.";

/// `"Müller, Ops" <ops@example.com>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, without its quotes.
    pub name: Option<String>,
    /// The part before the `@`.
    pub local: String,
    /// The domain in ASCII, or an address in brackets.
    pub domain: String,
}

/// Why a text is not a mailbox, and what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxError {
    /// The problem, as a clause.
    pub problem: &'static str,
    /// The correction.
    pub hint: &'static str,
}

const PLAIN: &str = "write one such as ops@example.com or \"Ops <ops@example.com>\"";
const QUOTES: &str = r#"put the name in quotes, as in "Müller, Ops" <ops@example.com>"#;
const COMMAS: &str = "separate addresses with commas, or write a list";

impl Mailbox {
    /// Parses one mailbox.
    pub fn parse(text: &str) -> Result<Mailbox, MailboxError> {
        let wrong = |problem, hint| Err(MailboxError { problem, hint });
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return wrong("it has a control character", PLAIN);
        }
        let (name, address) = match text.strip_suffix('>') {
            None => (None, text),
            Some(rest) => match last_bracket(rest) {
                None => return wrong("`>` has no `<`", PLAIN),
                Some(at) => (Some(rest[..at].trim()), rest[at + 1..].trim()),
            },
        };
        let name = match name {
            None | Some("") => None,
            Some(name) => match unquoted(name) {
                Some(name) => Some(name),
                None => return wrong("its name has a character that needs quotes", QUOTES),
            },
        };
        let Some((local, domain)) = address.rsplit_once('@') else {
            let hint = "write one such as ops@example.com; a name with a comma needs quotes, as in \
                        \"Müller, Ops\" <ops@example.com>";
            return wrong("it has no `@`", hint);
        };
        if address.contains(';') {
            return wrong("`;` separates nothing", COMMAS);
        }
        if name.is_none() && address.contains([',', '<']) && !local.starts_with('"') {
            return wrong("it is more than one address", COMMAS);
        }
        if !is_local(local) {
            return wrong("the part before `@` has a character that is not allowed", PLAIN);
        }
        match ascii(domain) {
            Some(domain) => Ok(Mailbox { name, local: local.to_owned(), domain }),
            None => wrong("the part after `@` is not a domain", PLAIN),
        }
    }

    /// The texts between the commas that are in no quotes and no angle brackets; empty ones are left out.
    pub fn split(text: &str) -> Vec<&str> {
        let (mut parts, mut from, mut is_quoted, mut is_escaped, mut is_inside) = (Vec::new(), 0, false, false, false);
        for (at, c) in text.char_indices() {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                '<' | '>' if !is_quoted => is_inside = c == '<',
                ',' if !is_quoted && !is_inside => {
                    parts.push(&text[from..at]);
                    from = at + 1;
                }
                _ => {}
            }
        }
        parts.push(&text[from..]);
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
    }
}

/// The `<` that begins the address, outside of quotes.
fn last_bracket(text: &str) -> Option<usize> {
    let (mut found, mut is_quoted, mut is_escaped) = (None, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '<' if !is_quoted => found = Some(at),
            _ => {}
        }
    }
    found
}

/// A name without its quotes; `None` when it needs quotes that it does not have.
fn unquoted(name: &str) -> Option<String> {
    let Some(inner) = name.strip_prefix('"') else {
        return (!name.contains(['"', ',', ';', ':', '<', '>', '(', ')', '[', ']', '@', '\\']))
            .then(|| name.to_owned());
    };
    let (mut plain, mut characters) = (String::new(), inner.chars());
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.push(characters.next()?),
            '"' => return characters.as_str().is_empty().then(|| plain.trim().to_owned()),
            c => plain.push(c),
        }
    }
    None
}

fn is_local(local: &str) -> bool {
    if local.is_empty() || local.len() > LONGEST_LOCAL {
        return false;
    }
    if let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return !inner.is_empty() && !inner.contains(['"', '\\']);
    }
    let is_atom = |c: char| c.is_alphanumeric() || ATOM.contains(c);
    local.chars().all(is_atom) && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..")
}

fn ascii(domain: &str) -> Option<String> {
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse::<IpAddr>().is_ok().then(|| domain.to_owned());
    }
    let (deny, hyphens) = (AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    Uts46::new().to_ascii(domain.as_bytes(), deny, hyphens, DnsLength::Verify).ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_its_name_its_local_part_and_an_ascii_domain() {
        for (text, name, address) in [
            ("ops@example.com", None, "ops@example.com"),
            (" Ops <ops@example.com> ", Some("Ops"), "ops@example.com"),
            ("<ops@example.com>", None, "ops@example.com"),
            ("\"Müller, Ops\" <a@b>", Some("Müller, Ops"), "a@b"),
            (r#""Dr. \"B\" <x>, on call" <b@example.com>"#, Some("Dr. \"B\" <x>, on call"), "b@example.com"),
            ("Dr. B <b@example.com>", Some("Dr. B"), "b@example.com"),
            ("ops@bücher.example", None, "ops@xn--bcher-kva.example"),
            ("Ops <ops@MÜNCHEN.example>", Some("Ops"), "ops@xn--mnchen-3ya.example"),
            ("zoë@example.com", None, "zoë@example.com"),
            ("a+b@[192.0.2.1]", None, "a+b@[192.0.2.1]"),
            ("root@localhost", None, "root@localhost"),
        ] {
            let found = Mailbox::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let whole = format!("{}@{}", found.local, found.domain);
            assert_eq!((found.name.as_deref(), whole.as_str()), (name, address), "{text}");
        }
    }

    #[test]
    fn an_invalid_mailbox_is_refused_with_what_to_write() {
        for (text, words) in [
            ("Müller, Ops <a@b>", "in quotes"),
            ("ops@team <a@b>", "in quotes"),
            ("\"open <a@b>", "`<`"),
            ("a@x;b@x", "separate addresses with commas"),
            ("a@x, b@x", "separate addresses with commas"),
            ("Müller", "a name with a comma needs quotes"),
            ("ops@", "ops@example.com"),
            ("@example.com", "ops@example.com"),
            ("a b@example.com", "ops@example.com"),
            ("a..b@example.com", "ops@example.com"),
            ("a@-x.example", "ops@example.com"),
            ("a@x y.example", "ops@example.com"),
            ("a@exa_mple.com", "ops@example.com"),
            ("a@example.com\r\nBcc: b@example.com", "control character"),
            ("", "no `@`"),
        ] {
            let error = Mailbox::parse(text).expect_err(text);
            assert!(format!("{} {}", error.problem, error.hint).contains(words), "{text}: {error:?}");
        }
    }

    #[test]
    fn commas_split_outside_of_quotes_and_brackets_alone() {
        for (text, parts) in [
            ("a@x, b@x", &["a@x", "b@x"][..]),
            ("\"Müller, Ops\" <a@b>,b@x", &["\"Müller, Ops\" <a@b>", "b@x"]),
            ("Müller, Ops <a@b>", &["Müller", "Ops <a@b>"]),
            (r#""a\", b" <a@b>, c@d"#, &[r#""a\", b" <a@b>"#, "c@d"]),
            (" , ", &[]),
        ] {
            assert_eq!(Mailbox::split(text), parts, "{text}");
        }
    }
}

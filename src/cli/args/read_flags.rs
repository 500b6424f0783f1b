//! The flags that commands share: how fresh an answer must be, which part of it is printed, whether to try only.
//!
//! A filter or sort that cannot be understood is refused before anything is read.

use crate::model::{folded, parse_duration};
use clap::Args;
use std::time::Duration;

/// How fresh the answer must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Freshness")]
pub struct FreshnessArgs {
    /// Ask AWS; neither use nor fill the cache
    #[arg(long, conflicts_with_all = ["refresh", "cache_only", "max_age"])]
    pub no_cache: bool,
    /// Ask AWS and put the answer into the cache
    #[arg(long, conflicts_with_all = ["cache_only", "max_age"])]
    pub refresh: bool,
    /// Take nothing from the cache that is older than this, as in 90, 15m or 2h
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
    /// Never ask AWS; fail if the cache does not have the answer
    #[arg(long)]
    pub cache_only: bool,
}

/// What every command that reads takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ReadArgs {
    /// How fresh the answer must be.
    #[command(flatten)]
    pub freshness: FreshnessArgs,
    /// Say where the answer is from and how old it is: around the data in JSON, otherwise on stderr
    #[arg(long, help_heading = "Freshness")]
    pub meta: bool,
    /// Print these fields, in this order
    #[arg(long, value_name = "FIELD,...", value_delimiter = ',', help_heading = "Selection")]
    pub columns: Vec<String>,
}

/// What every command that lists takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ListArgs {
    /// How fresh, and which fields.
    #[command(flatten)]
    pub read: ReadArgs,
    /// Print only what matches: FIELD=GLOB, FIELD!=GLOB or FIELD~PART, whatever the case (can be repeated)
    #[arg(long, value_name = "FILTER", value_parser = ColumnFilter::parse, help_heading = "Selection")]
    pub filter: Vec<ColumnFilter>,
    /// Sort by this field; `:desc` turns the order round
    #[arg(long, value_name = "FIELD[:desc]", value_parser = Sort::parse, help_heading = "Selection")]
    pub sort: Option<Sort>,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
        help_heading = "Selection")]
    pub limit: Option<u64>,
}

/// Parses a count of at least 1.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("write a whole number of at least 1".into()),
    }
}

/// Parses a duration that is longer than 0.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("it must be longer than 0, as in 30m".into()),
        duration => Ok(duration),
    }
}

/// What every command that changes something takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ChangeArgs {
    /// Ask AWS; neither use nor fill the cache
    #[arg(long, help_heading = "Freshness")]
    pub no_cache: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOperator {
    /// `=`: the glob matches.
    Matches,
    /// `!=`: the glob does not match.
    Differs,
    /// `~`: the text is part of it.
    Contains,
}

/// One `--filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFilter {
    /// The field, as written.
    pub field: String,
    /// How it is compared.
    pub comparison: FilterOperator,
    /// The glob or part, case-folded like the compared texts.
    pub pattern: String,
}

impl ColumnFilter {
    /// Reads `UserName=ali*`, `Status!=ACTIVE`, `DisplayName~smith`.
    pub fn parse(text: &str) -> Result<ColumnFilter, String> {
        let wrong = || format!("`{text}` is not a filter: write FIELD=GLOB, FIELD!=GLOB or FIELD~PART");
        let at = text.find(['=', '!', '~']).ok_or_else(wrong)?;
        let (field, rest) = text.split_at(at);
        let (comparison, pattern) = if let Some(pattern) = rest.strip_prefix("!=") {
            (FilterOperator::Differs, pattern)
        } else if let Some(pattern) = rest.strip_prefix('=') {
            (FilterOperator::Matches, pattern)
        } else if let Some(pattern) = rest.strip_prefix('~') {
            (FilterOperator::Contains, pattern)
        } else {
            return Err(wrong());
        };
        if field.trim().is_empty() {
            return Err(wrong());
        }
        Ok(ColumnFilter { field: field.trim().to_owned(), comparison, pattern: folded(pattern).into_owned() })
    }

    /// Whether a field that reads `text` passes.
    pub fn admits(&self, text: &str) -> bool {
        let text = folded(text);
        match self.comparison {
            FilterOperator::Matches => crate::model::matches(&self.pattern, &text),
            FilterOperator::Differs => !crate::model::matches(&self.pattern, &text),
            FilterOperator::Contains => text.contains(self.pattern.as_str()),
        }
    }
}

/// `--sort`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The field, as written.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    /// Reads `UserName`, `UserName:asc`, `UserName:desc`.
    pub fn parse(text: &str) -> Result<Sort, String> {
        let (field, order) = text.rsplit_once(':').unwrap_or((text, "asc"));
        let descending = match order {
            "asc" => false,
            "desc" => true,
            other => return Err(format!("`{other}` is not an order: write asc or desc")),
        };
        if field.trim().is_empty() {
            return Err(format!("`{text}` names no field: write FIELD, FIELD:asc or FIELD:desc"));
        }
        Ok(Sort { field: field.trim().to_owned(), descending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_as_field_comparison_pattern() {
        let filter = ColumnFilter::parse("UserName=ALI*").unwrap();
        assert_eq!((filter.field.as_str(), filter.comparison), ("UserName", FilterOperator::Matches));
        assert!(filter.admits("alice") && filter.admits("Ali") && !filter.admits("bob"));
        let filter = ColumnFilter::parse("Status!=active").unwrap();
        assert!(!filter.admits("ACTIVE") && filter.admits("SUSPENDED"));
        let filter = ColumnFilter::parse("Name~a=b").unwrap();
        assert!(filter.admits("xA=By"), "what follows the first comparison is the pattern");
        for text in ["UserName", "=x", "!x", "a!b", ""] {
            assert!(ColumnFilter::parse(text).unwrap_err().contains("FIELD=GLOB"), "{text:?}");
        }
    }

    #[test]
    fn sorts_read_as_field_and_order() {
        assert_eq!(Sort::parse("Name").unwrap(), Sort { field: "Name".into(), descending: false });
        assert_eq!(Sort::parse("Name:desc").unwrap(), Sort { field: "Name".into(), descending: true });
        assert!(Sort::parse("Name:down").unwrap_err().contains("asc or desc"));
        assert!(Sort::parse(":desc").is_err());
    }
}

//! Which part of an answer is printed: the fields it has, and what the reader chose of them.
//!
//! A field that does not exist is refused with the names of those that do, before anything is read.

use crate::cli::args::{ColumnFilter, FilterOperator, ListArgs, ReadArgs, Sort};
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::model::folded;
use serde_json::Value;

/// One field that an answer has.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name: the header, and the word for `--columns`, `--filter` and `--sort`.
    pub name: &'static str,
    source: RowSource,
    /// Whether it is printed unless columns are chosen.
    shown: bool,
}

#[derive(Debug, Clone, Copy)]
enum RowSource {
    Path(&'static str),
    Made(fn(&Value) -> String),
    Formatted(&'static str, fn(&Value) -> String),
}

impl Column {
    /// The field of that name.
    pub const fn new(name: &'static str) -> Column {
        Column::at(name, name)
    }

    /// The value at a dotted path (`Name.GivenName`, `Emails.0.Value`); the empty path is the whole value.
    pub const fn at(name: &'static str, path: &'static str) -> Column {
        Column { name, source: RowSource::Path(path), shown: true }
    }

    /// What a function makes of the object.
    pub const fn made(name: &'static str, make: fn(&Value) -> String) -> Column {
        Column { name, source: RowSource::Made(make), shown: true }
    }

    /// The field of that name; a function formats the object for tables. JSON keeps the field.
    pub const fn formatted(name: &'static str, format: fn(&Value) -> String) -> Column {
        Column { name, source: RowSource::Formatted(name, format), shown: true }
    }

    /// The same column, printed only when it is chosen.
    #[must_use]
    pub const fn extra(self) -> Column {
        Column { shown: false, ..self }
    }

    /// Its value in one object; absent is null.
    pub fn value(&self, of: &Value) -> Value {
        match self.source {
            RowSource::Path("") => of.clone(),
            RowSource::Path(path) | RowSource::Formatted(path, _) => {
                of.pointer(&format!("/{}", path.replace('.', "/"))).cloned().unwrap_or(Value::Null)
            }
            RowSource::Made(make) => Value::String(make(of)),
        }
    }

    /// Its value in one object, as text.
    pub fn text(&self, of: &Value) -> String {
        match self.source {
            RowSource::Formatted(_, format) => format(of),
            RowSource::Path(_) | RowSource::Made(_) => text(&self.value(of)),
        }
    }
}

/// A value as the text of a cell: nothing for null, lists of plain values joined by commas, the rest as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The fields of an answer and what is printed of it.
#[derive(Debug, Clone)]
pub struct Projection<'a> {
    what: &'a str,
    columns: &'a [Column],
    chosen: Option<Vec<usize>>,
    filters: Vec<(usize, ColumnFilter)>,
    sort: Option<(usize, bool)>,
    limit: Option<u64>,
    search: Option<ColumnFilter>,
}

impl<'a> Projection<'a> {
    /// All of it. `what` is the plural for people (`users`); `columns` must not be empty.
    pub fn new(what: &'a str, columns: &'a [Column]) -> Projection<'a> {
        Projection { what, columns, chosen: None, filters: Vec::new(), sort: None, limit: None, search: None }
    }

    /// What the flags of a listing choose.
    pub fn of_list(mut self, list: &ListArgs) -> Result<Projection<'a>, CliError> {
        self = self.of_read(&list.read)?;
        for filter in &list.filter {
            self.filters.push((self.find("--filter", &filter.field)?, filter.clone()));
        }
        if let Some(Sort { field, descending }) = &list.sort {
            self.sort = Some((self.find("--sort", field)?, *descending));
        }
        self.limit = list.limit;
        Ok(self)
    }

    /// What the flags of a single thing choose.
    pub fn of_read(mut self, read: &ReadArgs) -> Result<Projection<'a>, CliError> {
        if !read.columns.is_empty() {
            let chosen: Result<Vec<usize>, CliError> =
                read.columns.iter().map(|name| self.find("--columns", name)).collect();
            self.chosen = Some(chosen?);
        }
        Ok(self)
    }

    /// Only what has `text` in one of its fields; a glob must match the whole field.
    #[must_use]
    pub fn searching(mut self, text: &str) -> Projection<'a> {
        let pattern = folded(text).into_owned();
        let comparison =
            if pattern.contains(['*', '?', '[']) { FilterOperator::Matches } else { FilterOperator::Contains };
        self.search = Some(ColumnFilter { field: String::new(), comparison, pattern });
        self
    }

    /// The same under another plural.
    #[must_use]
    pub fn called(self, what: &'a str) -> Projection<'a> {
        Projection { what, ..self }
    }

    /// The plural for people.
    pub fn what(&self) -> &str {
        self.what
    }

    /// Whether nothing is left out, so that JSON can be passed on as it is.
    pub fn is_whole(&self) -> bool {
        self.chosen.is_none() && !self.is_filtered() && self.sort.is_none() && self.limit.is_none()
    }

    /// The columns that are printed.
    pub fn printed(&self) -> Vec<Column> {
        match &self.chosen {
            Some(chosen) => chosen.iter().map(|index| self.columns[*index]).collect(),
            None => self.columns.iter().copied().filter(|column| column.shown).collect(),
        }
    }

    /// Whether columns were chosen, so that every format prints only those.
    pub fn is_projected(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether the filters must see each object.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty() || self.search.is_some()
    }

    /// Whether an object passes all filters.
    pub fn admits(&self, value: &Value) -> bool {
        self.filters.iter().all(|(column, filter)| filter.admits(&self.columns[*column].text(value)))
            && self.search.as_ref().is_none_or(|search| self.columns.iter().any(|c| search.admits(&c.text(value))))
    }

    /// The column to sort by, and whether the largest comes first.
    pub fn sort(&self) -> Option<(Column, bool)> {
        self.sort.map(|(column, descending)| (self.columns[column], descending))
    }

    /// At most this many are printed.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    fn find(&self, flag: &str, name: &str) -> Result<usize, CliError> {
        let wanted = plain(name);
        self.columns.iter().position(|column| plain(column.name) == wanted).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
            CliError::new(Code::Usage, format!("{flag}: {} have no field `{}`", self.what, name.trim()))
                .hint(format!("the fields are {}", known.join(", ")))
        })
    }
}

/// Case, dashes and underscores do not count: `user-name` is `UserName`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COLUMNS: &[Column] = &[
        Column::new("UserName"),
        Column::at("GivenName", "Name.GivenName").extra(),
        Column::at("Email", "Emails.0.Value"),
        Column::made("Length", |value| value["UserName"].as_str().map_or(0, str::len).to_string()),
    ];

    #[test]
    fn columns_reach_into_objects_and_lists() {
        let user = json!({"UserName": "al", "Name": {"GivenName": "Al"}, "Emails": [{"Value": "a@b"}]});
        let texts: Vec<String> = COLUMNS.iter().map(|column| column.text(&user)).collect();
        assert_eq!(texts, ["al", "Al", "a@b", "2"]);
        assert_eq!(COLUMNS[2].text(&json!({})), "");
        assert_eq!(Column::at("Arn", "").text(&json!("arn:x")), "arn:x");
        let formatted = Column::formatted("UserName", |_| "for tables".into());
        assert_eq!((formatted.value(&json!({})), formatted.text(&json!({}))), (Value::Null, "for tables".into()));
        assert_eq!(text(&json!(["a", 1])), "a, 1");
        assert_eq!(text(&json!([{"a": 1}])), r#"[{"a":1}]"#);
    }

    #[test]
    fn fields_are_found_whatever_their_spelling_and_unknown_ones_refused() {
        let read =
            |names: &[&str]| ReadArgs { columns: names.iter().map(|&n| n.into()).collect(), ..Default::default() };
        let view = Projection::new("users", COLUMNS).of_read(&read(&["given_name", "USERNAME"])).unwrap();
        assert_eq!(view.printed().iter().map(|column| column.name).collect::<Vec<_>>(), ["GivenName", "UserName"]);
        let failure = Projection::new("users", COLUMNS).of_read(&read(&["Nme"])).unwrap_err();
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.message.contains("--columns") && failure.message.contains("`Nme`"), "{failure:?}");
        assert!(failure.hint.unwrap().contains("UserName, GivenName, Email, Length"));
        let list = ListArgs { sort: Some(Sort::parse("x").unwrap()), ..Default::default() };
        assert!(Projection::new("users", COLUMNS).of_list(&list).unwrap_err().message.contains("--sort"));
    }

    #[test]
    fn extra_columns_are_printed_only_when_chosen() {
        let names: Vec<&str> = Projection::new("users", COLUMNS).printed().iter().map(|column| column.name).collect();
        assert_eq!(names, ["UserName", "Email", "Length"]);
        assert!(Projection::new("users", COLUMNS).is_whole());
    }
}

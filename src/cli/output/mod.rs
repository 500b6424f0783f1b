//! The only printer: data to stdout or `--out FILE`, talk to stderr.
//!
//! Stdout carries the answer and nothing else, and under `--output json` exactly one document; what was written to
//! `--out` appears whole or not at all.

mod destination;
mod details;
pub mod escape;
mod projection;
mod render;
mod report;
mod spooling_writer;
mod stderr;
pub(crate) mod stdout_path;
mod stream;
mod table;

pub use projection::Column;
pub use projection::Projection;
pub use projection::text;
pub use report::TextReport;
pub use spooling_writer::SpillingWriter;
pub use stderr::Stderr;
pub use stderr::Style;
pub use stdout_path::is_stdout;

use super::args::{ColorChoice, GlobalArgs};
use super::environment::Environment;
use super::interrupts::Interrupts;
use super::invocation;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::config::Format;
use crate::secure_fs;
use destination::Destination;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A pushed answer larger than this waits on disk until it is printed.
const HELD_IN_MEMORY: usize = 1024 * 1024;

/// The printer of one run.
pub struct Output {
    target: Destination,
    talk: Stderr,
    format: Format,
    is_format_given: bool,
    color: bool,
    has_reported: bool,
    interrupts: Interrupts,
}

impl Output {
    /// The printer for these flags in this environment.
    pub fn open(globals: &GlobalArgs, environment: Environment) -> Output {
        let dumb = environment.variable("TERM") == Some("dumb");
        let plain = dumb || environment.variable("NO_COLOR").is_some();
        let colored = |terminal: bool| match globals.color() {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !plain,
        };
        let format = globals.format();
        let color = colored(environment.stdout.width().is_some() && globals.out_file().is_none());
        // A dumb terminal cannot redraw a line: it gets no bars either.
        let on_terminal = environment.stderr_is_terminal && !dumb;
        let mut talk = Stderr::new(environment.stderr, on_terminal, colored(on_terminal));
        talk.set_quiet(globals.quiet);
        talk.set_invocation(invocation::of(globals));
        let target = match globals.out_file() {
            Some(path) => Destination::file(path.to_owned()),
            None => Destination::Stdout(environment.stdout),
        };
        let mut output = Output {
            target,
            talk,
            format: Format::Table,
            is_format_given: format.is_some(),
            color,
            has_reported: false,
            interrupts: environment.interrupts,
        };
        output.choose(format.unwrap_or(Format::Table));
        output
    }

    /// Whether a whole report was printed: `--out` keeps it, however the run ends.
    pub fn has_reported(&self) -> bool {
        self.has_reported
    }

    /// The format in force.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Takes the configured format, unless a flag gave one.
    pub fn set_default_format(&mut self, format: Format) {
        if !self.is_format_given {
            self.choose(format);
        }
    }

    /// Whether the answer and its notices go to one terminal.
    pub fn ends_on_terminal(&self) -> bool {
        self.target.width().is_some() && self.talk.is_terminal() && !self.talk.is_quiet()
    }

    /// Where talk goes; clones share it.
    pub fn talk(&self) -> &Stderr {
        &self.talk
    }

    /// Prints AWS-shaped JSON that can be read: a list or one thing. Gives the number of elements of a list.
    pub fn answer(&mut self, from: &mut dyn Read, view: &Projection<'_>) -> Result<Option<u64>, CliError> {
        self.answer_within(from, view, None)
    }

    /// The same; JSON is printed as `{"meta": ..., "data": ...}` when there is a `meta`.
    pub fn answer_within(
        &mut self,
        from: &mut dyn Read,
        view: &Projection<'_>,
        meta: Option<&Value>,
    ) -> Result<Option<u64>, CliError> {
        let meta = meta.filter(|_| self.format == Format::Json);
        if let Some(meta) = meta {
            let out = self.target.writer()?;
            out.write_all(head(meta).as_bytes()).map_err(|error| CliError::writing(&error))?;
        }
        let printed = self.body(from, view)?;
        if meta.is_some() {
            self.text("}\n")?;
        }
        Ok(printed)
    }

    fn body(&mut self, from: &mut dyn Read, view: &Projection<'_>) -> Result<Option<u64>, CliError> {
        let look = render::OutputStyle { format: self.format, width: self.target.width() };
        let printed = if self.format == Format::Json && view.is_whole() {
            let mut out = Whole { out: BufWriter::with_capacity(64 * 1024, self.target.writer()?), last: None };
            copy(from, &mut out)?;
            out.end().map_err(|error| CliError::writing(&error))?;
            None
        } else {
            let mut out = BufWriter::with_capacity(64 * 1024, self.target.writer()?);
            let printed = render::answer(from, &mut out, look, view)?;
            out.flush().map_err(|error| CliError::writing(&error))?;
            printed
        };
        if printed == Some(0) && self.format == Format::Table {
            self.talk.note(&format!("no {}", view.what()));
        }
        Ok(printed)
    }

    /// A writer for AWS-shaped JSON that another module pushes, perhaps from within a transaction: it never waits long
    /// for the reader of stdout. What must wait does so in `folder`. Nothing is complete before [`Answer::finish`].
    pub fn pushed<'a>(&'a mut self, view: &'a Projection<'a>, folder: &'a Path) -> Result<Answer<'a>, CliError> {
        let passes = self.format == Format::Json && view.is_whole();
        let inner = if passes {
            Pushed::Passed(SpillingWriter::new(self.target.writer()?, folder))
        } else {
            Pushed::Held { output: self, view, folder, memory: Vec::new(), file: None }
        };
        Ok(Answer { inner, meta: None })
    }

    /// Prints a report: as a page for people, as one document otherwise.
    pub fn report(&mut self, document: &impl Serialize, page: &TextReport) -> Result<(), CliError> {
        self.has_reported = true;
        if self.format == Format::Table {
            let text = page.copyable(self.talk.invocation()).text(self.target.width(), self.color);
            return self.text(&text);
        }
        let mut value = serde_json::to_value(document)
            .map_err(|error| CliError::new(Code::Failed, format!("cannot print as JSON: {error}")))?;
        self.talk.invocation().copyable_in(&mut value);
        let text = match self.format {
            Format::Yaml => render::yaml(&value)?,
            Format::Csv => csv_of(&value, self.target.width().is_some())?,
            Format::Jsonl => match &value {
                Value::Array(items) => items.iter().fold(String::new(), |text, item| text + &item.to_string() + "\n"),
                other => format!("{other}\n"),
            },
            Format::Json | Format::Table => format!("{value:#}\n"),
        };
        self.text(&text)
    }

    /// Prints text as it is: a manual page, a script, a path.
    pub fn text(&mut self, text: &str) -> Result<(), CliError> {
        let out = self.target.writer()?;
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| CliError::writing(&error))
    }

    /// Where bytes go that are no text; a terminal does not get `what` they are.
    pub fn bytes(&mut self, what: &str) -> Result<&mut dyn Write, CliError> {
        if self.target.width().is_some() {
            return Err(CliError::new(Code::Usage, format!("cannot write {what} to a terminal"))
                .hint("name a file, or redirect the output"));
        }
        let out: &mut dyn Write = self.target.writer()?;
        Ok(out)
    }

    /// The text in a color, when stdout shows colors.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.color { style.apply(text) } else { text.to_owned() }
    }

    /// Ends the run's data: the file of `--out` takes its place now. Not called after a failure, so that none appears.
    pub fn finish(self) -> Result<(), CliError> {
        self.target.finish()
    }

    /// The signals that end the run.
    pub(super) fn interrupts(&self) -> &Interrupts {
        &self.interrupts
    }

    fn choose(&mut self, format: Format) {
        self.format = format;
        self.talk.set_json(matches!(format, Format::Json | Format::Jsonl));
        self.interrupts.set_talk(&self.talk);
    }
}

/// AWS-shaped JSON on its way to the reader.
pub struct Answer<'a> {
    inner: Pushed<'a>,
    meta: Option<Value>,
}

enum Pushed<'a> {
    Passed(SpillingWriter<'a>),
    Held { output: &'a mut Output, view: &'a Projection<'a>, folder: &'a Path, memory: Vec<u8>, file: Option<File> },
}

impl Answer<'_> {
    /// Before the body: JSON is printed as `{"meta": ..., "data": ...}`, the body as it is.
    pub fn surround(&mut self, meta: &Value) -> io::Result<()> {
        self.meta = Some(meta.clone());
        match &mut self.inner {
            Pushed::Passed(writer) => writer.write_all(head(meta).as_bytes()),
            Pushed::Held { .. } => Ok(()),
        }
    }

    /// Takes all of a body.
    pub fn take(&mut self, body: &mut dyn Read) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => self.write_all(&buffer[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Prints what is still held. Gives the number of elements, when they were counted.
    pub fn finish(self) -> Result<Option<u64>, CliError> {
        let meta = self.meta.as_ref();
        match self.inner {
            Pushed::Passed(mut writer) => {
                let closed = if meta.is_some() { writer.write_all(b"}") } else { Ok(()) };
                closed.and_then(|()| writer.finish()).map(|()| None).map_err(|error| CliError::writing(&error))
            }
            Pushed::Held { output, view, memory, file: None, .. } => {
                output.answer_within(&mut memory.as_slice(), view, meta)
            }
            Pushed::Held { output, view, file: Some(mut file), .. } => {
                file.seek(SeekFrom::Start(0)).map_err(|error| CliError::writing(&error))?;
                output.answer_within(&mut file, view, meta)
            }
        }
    }
}

impl Write for Answer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.inner {
            Pushed::Passed(writer) => writer.write(bytes),
            Pushed::Held { file: Some(file), .. } => file.write(bytes),
            Pushed::Held { folder, memory, file, .. } => {
                if memory.len() + bytes.len() > HELD_IN_MEMORY {
                    // Without a place on disk it stays in memory: slower hosts, the same answer.
                    if let Ok(mut unnamed) = secure_fs::unnamed(folder)
                        && unnamed.write_all(memory).and_then(|()| unnamed.write_all(bytes)).is_ok()
                    {
                        *memory = Vec::new();
                        *file = Some(unnamed);
                        return Ok(bytes.len());
                    }
                }
                memory.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text before the data of an answer with `meta`.
fn head(meta: &Value) -> String {
    format!("{{\"meta\":{meta},\"data\":")
}

/// Bytes passed on, with a line end at the end.
struct Whole<W: Write> {
    out: W,
    last: Option<u8>,
}

impl<W: Write> Whole<W> {
    fn end(mut self) -> io::Result<()> {
        if self.last.is_some_and(|last| last != b'\n') {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }
}

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.last = written.checked_sub(1).map(|last| bytes[last]).or(self.last);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Copies, and distinguishes a fault of the source from one of the reader.
fn copy(from: &mut dyn Read, out: &mut dyn Write) -> Result<(), CliError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => out.write_all(&buffer[..read]).map_err(|error| CliError::writing(&error))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CliError::new(Code::Failed, format!("cannot read the answer: {error}"))),
        }
    }
}

/// A report as CSV: a list of objects as rows, anything else as dotted fields with their values.
fn csv_of(value: &Value, on_terminal: bool) -> Result<String, CliError> {
    let mut records = Vec::new();
    if let Value::Array(items) = value {
        let empty = Map::new();
        let mut names: Vec<&String> = Vec::new();
        for item in items {
            for name in item.as_object().unwrap_or(&empty).keys() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        records.push(names.iter().map(|name| (*name).clone()).collect());
        let row = |item: &Value| names.iter().map(|name| text(&item[name.as_str()])).collect();
        records.extend(items.iter().map(row));
    } else {
        records.push(vec!["field".to_owned(), "value".to_owned()]);
        dotted(value, String::new(), &mut records);
    }
    records.iter().map(|cells: &Vec<String>| render::record(cells, on_terminal)).collect()
}

fn dotted(value: &Value, path: String, records: &mut Vec<Vec<String>>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| dotted(value, below(name), records)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| dotted(value, below(&index.to_string()), records));
        }
        plain => records.push(vec![path, text(plain)]),
    }
}

/// The path that `--out` named, for messages.
pub(super) fn shown(path: &Path) -> String {
    escape::visible(&PathBuf::from(path).to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests;

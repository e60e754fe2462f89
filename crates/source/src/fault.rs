//! What is wrong with a text, and at which place.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, SourceCode};

use crate::text::{AROUND, Source};

/// One thing that is wrong with a text, shown with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    source: Source,
    line: usize,
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Fault {
    /// A fault of a text at `span`, in bytes: of its first line only, and as much as is shown of it.
    pub fn new(source: &Source, span: Range<usize>, message: String) -> Self {
        let text = source.text();
        let start = text.floor_char_boundary(span.start);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = text.floor_char_boundary(span.end.clamp(start, line_end.min(start + AROUND)));
        let line = 1 + text[..start].matches('\n').count();
        Self { source: source.clone(), line, span: start..end, message, help: None }
    }

    pub(crate) fn with_help(self, help: String) -> Self {
        Self { help: Some(help), ..self }
    }

    /// What is wrong, with the key.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Line of the fault, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source.label(), self.line, self.message)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = LabeledSpan::at(self.span.clone(), "here");
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong with a text, at least one fault.
///
/// Renders as its first fault, with the others below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    shown: Vec<Fault>,
    total: usize,
}

/// Faults that are kept of one text: nobody reads more.
const MOST: usize = 20;

impl Faults {
    /// Those that were found; none where nothing is wrong.
    pub fn new(mut all: Vec<Fault>) -> Option<Self> {
        let total = all.len();
        all.sort_by_key(|fault| fault.span.start);
        all.truncate(MOST);
        (total > 0).then_some(Self { shown: all, total })
    }

    /// The faults in their order in the text, as many as are worth reading.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.shown.iter()
    }

    /// How many there are, those included that [`Faults::iter`] leaves out.
    pub fn total(&self) -> usize {
        self.total
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { shown: vec![fault], total: 1 }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shown[0])?;
        match self.total - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Faults {}

impl Diagnostic for Faults {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.shown[0].help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.shown[0].source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.shown[0].labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let others = self.shown[1..].iter().map(|fault| fault as &dyn Diagnostic);
        (self.total > 1).then(|| Box::new(others) as Box<dyn Iterator<Item = _>>)
    }
}

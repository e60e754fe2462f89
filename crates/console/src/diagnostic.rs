//! Errors, rendered so that nothing in them acts on a terminal.

use std::error::Error;
use std::fmt;

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};
use vram_source::escape;

/// An error as it is rendered: its texts, those that came from files included, hold nothing that a
/// terminal acts on. What the renderer itself adds (colours) is not touched.
#[derive(Debug)]
pub(crate) struct Shown {
    message: String,
    help: Option<String>,
    snippet: Option<Snippet>,
    labels: Vec<LabeledSpan>,
    cause: Option<Box<Shown>>,
    /// Whether the cause is rendered as an error of its own, or as a line.
    cause_is_diagnostic: bool,
    related: Vec<Shown>,
}

impl Shown {
    pub(crate) fn diagnostic(error: &dyn Diagnostic) -> Self {
        let cause = match error.diagnostic_source() {
            Some(cause) => Some(Self::diagnostic(cause)),
            None => error.source().map(Self::error),
        };
        let labels: Vec<LabeledSpan> = error.labels().into_iter().flatten().collect();
        let snippet = error.source_code().and_then(|code| Snippet::new(code, &labels));
        let (snippet, labels) = snippet.unzip();
        Self {
            message: escape::line(&error.to_string()).into_owned(),
            help: error.help().map(|help| escape::lines(&help.to_string()).into_owned()),
            snippet,
            labels: labels.unwrap_or_default(),
            cause: cause.map(Box::new),
            cause_is_diagnostic: error.diagnostic_source().is_some(),
            related: error.related().into_iter().flatten().map(Self::diagnostic).collect(),
        }
    }

    fn error(error: &dyn Error) -> Self {
        Self {
            message: escape::line(&error.to_string()).into_owned(),
            help: None,
            snippet: None,
            labels: Vec::new(),
            cause: error.source().map(|cause| Box::new(Self::error(cause))),
            cause_is_diagnostic: false,
            related: Vec::new(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Shown {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.snippet.as_ref().map(|snippet| snippet as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as _)
    }

    fn diagnostic_source(&self) -> Option<&dyn Diagnostic> {
        self.cause.as_deref().filter(|_| self.cause_is_diagnostic).map(|cause| cause as _)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        (!self.related.is_empty())
            .then(|| Box::new(self.related.iter().map(|r| r as &dyn Diagnostic)) as _)
    }
}

/// The lines around a place in a file, escaped.
#[derive(Debug)]
struct Snippet {
    name: String,
    text: String,
    /// Line and column of its first character, counted from 0.
    line: usize,
    column: usize,
}

impl Snippet {
    /// The excerpt that holds every label, and the labels in it.
    fn new(code: &dyn SourceCode, labels: &[LabeledSpan]) -> Option<(Self, Vec<LabeledSpan>)> {
        let start = labels.iter().map(LabeledSpan::offset).min()?;
        let end = labels.iter().map(|l| l.offset() + l.len()).max()?;
        let contents = code.read_span(&(start, end - start).into(), 1, 1).ok()?;
        let raw = std::str::from_utf8(contents.data()).ok()?;
        // Where a place of the file lies in the escaped text.
        let place = |at: usize| {
            let at = raw.floor_char_boundary(at.saturating_sub(contents.span().offset()));
            escape::lines(&raw[..at]).len()
        };
        let moved = labels.iter().map(|label| {
            let (from, to) = (place(label.offset()), place(label.offset() + label.len()));
            LabeledSpan::new(label.label().map(str::to_owned), from, to - from)
        });
        let snippet = Self {
            name: escape::line(contents.name().unwrap_or_default()).into_owned(),
            text: escape::lines(raw).into_owned(),
            line: contents.line(),
            column: contents.column(),
        };
        let labels = moved.collect();
        Some((snippet, labels))
    }
}

impl SourceCode for Snippet {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        // With lines before it is drawn; without, its heading names the place of the label.
        let start = if lines_before == 0 { span.offset() } else { 0 };
        let (before, shown) = self.text.split_at_checked(start).ok_or(MietteError::OutOfBounds)?;
        let column = match before.rfind('\n') {
            Some(at) => start - at - 1,
            None => self.column + start,
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            shown.as_bytes(),
            (start, shown.len()).into(),
            self.line + before.matches('\n').count(),
            column,
            shown.lines().count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miette::{GraphicalReportHandler, GraphicalTheme};
    use vram_presets::library::Library;

    fn render(error: &dyn Diagnostic) -> String {
        let mut out = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        handler.render_report(&mut out, error).unwrap();
        out
    }

    /// The excerpt is the same where there is nothing to escape, and points to the same place where
    /// there is.
    #[test]
    fn an_error_is_shown_as_it_is_without_what_a_terminal_acts_on() {
        let plain = Library::built_in().ant("{\n \"a\": 1, \"ring_len\": \"x\"}").unwrap_err();
        assert_eq!(render(&Shown::diagnostic(&plain)), render(&plain));
        let hostile = "{\"\u{9b}2J\": 1}";
        let shown = render(&Shown::diagnostic(&Library::built_in().ant(hostile).unwrap_err()));
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains("unknown key `\\u009b2J`"), "{shown}");
    }
}

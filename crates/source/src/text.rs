//! A text, where it came from, and the excerpts that are shown of it.

use std::path::Path;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::file::{ReadError, read_text};

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// TOML, as presets are.
    Toml,
    /// JSON, as the original harness writes it.
    Json,
}

/// A text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    label: Arc<str>,
    text: Arc<str>,
    syntax: Syntax,
}

/// Bytes that an excerpt shows on either side of a fault: a line may be as long as a file.
pub(crate) const AROUND: usize = 120;

impl Source {
    /// Text that was given as such.
    pub fn inline(text: &str, syntax: Syntax) -> Self {
        let label = match syntax {
            Syntax::Toml => "inline TOML",
            Syntax::Json => "inline JSON",
        };
        Self { label: label.into(), text: text.into(), syntax }
    }

    /// TOML, or JSON where the label ends so.
    pub fn labelled(label: &str, text: &str) -> Self {
        let json = Path::new(label).extension().is_some_and(|e| e == "json");
        let syntax = if json { Syntax::Json } else { Syntax::Toml };
        Self { label: label.into(), text: text.into(), syntax }
    }

    /// The text of a file.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Ok(Self::labelled(&path.display().to_string(), &read_text(path)?))
    }

    /// The file, or where inline text came from.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is written in.
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }
}

/// Where an excerpt begins that ends with `before`: lines that are too long to be shown are cut.
fn begin(before: &str, lines: usize) -> usize {
    let mut start = before.rfind('\n').map_or(0, |at| at + 1);
    if before.len() - start > AROUND {
        return before.floor_char_boundary(before.len() - AROUND);
    }
    for _ in 0..lines {
        let Some(end) = start.checked_sub(1) else { break };
        let line = before[..end].rfind('\n').map_or(0, |at| at + 1);
        if end - line > 2 * AROUND {
            break;
        }
        start = line;
    }
    start
}

/// How far an excerpt goes on into `after`.
fn reach(after: &str, lines: usize) -> usize {
    let mut end = after.find('\n').unwrap_or(after.len());
    if end > AROUND {
        return after.floor_char_boundary(AROUND);
    }
    for _ in 0..lines {
        let Some(rest) = after.get(end + 1..) else { break };
        let line = rest.find('\n').unwrap_or(rest.len());
        if line > 2 * AROUND {
            break;
        }
        end += 1 + line;
    }
    end
}

/// An excerpt is the lines around a fault, as far as they are near it.
impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.text;
        let (from, to) = (span.offset(), span.offset() + span.len());
        if !text.is_char_boundary(from) || !text.is_char_boundary(to) {
            return Err(MietteError::OutOfBounds);
        }
        // A heading, which shows no lines, names the column of the span itself.
        let start = if lines_before == 0 { from } else { begin(&text[..from], lines_before) };
        let end = to + reach(&text[to..], lines_after);
        let line = text[..start].matches('\n').count();
        let column = start - text[..start].rfind('\n').map_or(0, |at| at + 1);
        let shown = &text[start..end];
        Ok(Box::new(MietteSpanContents::new_named(
            self.label.to_string(),
            shown.as_bytes(),
            (start, shown.len()).into(),
            line,
            column,
            shown.lines().count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at: &str) -> (String, usize, usize) {
        let source = Source::inline(text, Syntax::Toml);
        let span = (text.find(at).unwrap(), at.len()).into();
        let contents = source.read_span(&span, 1, 1).unwrap();
        let lines = String::from_utf8(contents.data().to_vec()).unwrap();
        (lines, contents.line(), contents.column())
    }

    #[test]
    fn an_excerpt_is_whole_lines_where_they_are_short() {
        assert_eq!(shown("a\nb\nc here\nd\ne", "here"), ("b\nc here\nd".to_owned(), 1, 0));
        assert_eq!(shown("here", "here"), ("here".to_owned(), 0, 0));
    }

    #[test]
    fn an_excerpt_of_a_long_line_is_what_is_near() {
        let long = "ö".repeat(100_000);
        let (text, line, column) = shown(&format!("a\n{long}here{long}\nb"), "here");
        assert!(text.len() <= 2 * AROUND + 4 && text.contains("öhereö"), "{}", text.len());
        assert_eq!((line, column), (1, 200_000 - AROUND));
        let (text, ..) = shown(&format!("{long}\nhere\n{long}"), "here");
        assert_eq!(text, "here");
    }
}

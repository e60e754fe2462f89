//! A paragraph of a report: written once, with what is put into it kept apart.

use maud::{Markup, PreEscaped, html};
use vram_source::escape;

/// A paragraph. Its words are this project's and may hold `*emphasis*` and `` `code` ``; what takes the
/// place of `{}` in them comes from files and is text.
#[derive(Debug)]
pub(super) struct Prose {
    words: String,
    values: Vec<String>,
}

impl Prose {
    pub fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), values: Vec::new() }
    }

    /// The same with this in the next place.
    pub fn with(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Without a newline at its end.
    pub fn markdown(&self) -> String {
        self.filled(&self.words, &|value| escape::markdown(value))
    }

    pub fn html(&self) -> Markup {
        let mut words = html! { (self.words) }.into_string();
        for (sign, element) in [('*', "em"), ('`', "code")] {
            let parts: Vec<&str> = words.split(sign).collect();
            let opened = parts.iter().enumerate().map(|(i, part)| match i % 2 {
                0 => (*part).to_owned(),
                _ => format!("<{element}>{part}</{element}>"),
            });
            words = opened.collect();
        }
        PreEscaped(self.filled(&words, &|value| html! { (escape::line(value)) }.into_string()))
    }

    fn filled(&self, words: &str, show: &dyn Fn(&str) -> String) -> String {
        let mut parts = words.split("{}");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for (value, part) in self.values.iter().zip(parts) {
            text += &show(value);
            text += part;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_up_and_values_are_text() {
        let prose = Prose::new("Each differs from {} in *one* size; see `a < b` & {}.");
        let prose = prose.with("<i>*x*|{}").with("y");
        assert_eq!(
            prose.markdown(),
            "Each differs from \\<i>*x*\\|{} in *one* size; see `a < b` & y."
        );
        assert_eq!(
            prose.html().into_string(),
            "Each differs from &lt;i&gt;*x*|{} in <em>one</em> size; see <code>a &lt; b</code> &amp; y."
        );
    }
}

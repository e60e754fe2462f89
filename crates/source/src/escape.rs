//! Text from files, made fit for what shows it: one function per medium.

use std::borrow::Cow;
use std::fmt::Write;

/// What moves a cursor, colours, breaks a line, reverses the order of letters or has no place in XML.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// As JSON writes them, so that JSON stays what it says.
fn escaped(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let to_escape = |c: char| acts(c) && !keep(c);
    if !text.contains(to_escape) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' if to_escape(c) => shown.push_str("\\n"),
            '\r' if to_escape(c) => shown.push_str("\\r"),
            '\t' if to_escape(c) => shown.push_str("\\t"),
            c if to_escape(c) => {
                // Writing to memory does not fail; what is escaped has four hexadecimal digits.
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A name or a note for a line of the terminal: it does nothing, and ends no line.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A whole reply for the terminal: nothing in it does more than end a line.
pub fn lines(text: &str) -> Cow<'_, str> {
    // A file of Windows' that is shown as it is ends its lines so.
    match text.contains("\r\n") {
        true => Cow::Owned(escaped(&text.replace("\r\n", "\n"), |c| c == '\n' || c == '\t').into()),
        false => escaped(text, |c| c == '\n' || c == '\t'),
    }
}

/// A cell of a Markdown table, or an item of a list.
pub fn markdown(text: &str) -> String {
    // The backslash first: the others' are no text.
    line(&text.replace('\\', "\\\\"))
        .replace('|', "\\|")
        .replace('`', "\\`")
        .replace('<', "\\<")
        // A link, and an image that is fetched.
        .replace("](", "]\\(")
}

/// JSON within an element `script` of HTML: no text in it ends the element.
pub fn script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A whole drawing or page, its markup escaped: XML has no place for control characters, not even
/// escaped.
pub fn markup(whole: &str) -> Cow<'_, str> {
    lines(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_the_rest_is_left() {
        assert_eq!(line("größe 1 | \u{1f41c}"), "größe 1 | \u{1f41c}");
        assert_eq!(line("a\u{1b}[31m\nb\tc\r\0\u{7f}"), "a\\u001b[31m\\nb\\tc\\r\\u0000\\u007f");
        assert_eq!(line("\u{9b}2J \u{202e}"), "\\u009b2J \\u202e");
        assert_eq!(lines("a\r\nb\n\tc\u{7}\rd"), "a\nb\n\tc\\u0007\\rd");
        assert_eq!(markup("<text>\u{1}\u{ffff}</text>\n"), "<text>\\u0001\\uffff</text>\n");
    }

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(markdown("a|b\nc"), "a\\|b\\nc");
        assert_eq!(markdown("\\|"), "\\\\\\|");
        assert_eq!(markdown("<b>`x` ![](y)"), "\\<b>\\`x\\` ![]\\(y)");
        assert_eq!(markdown("1.0 [0.9, 1.1] **no**"), "1.0 [0.9, 1.1] **no**");
    }

    #[test]
    fn no_text_ends_a_script() {
        let json = script(&serde_json::json!("</script><!--").to_string());
        assert_eq!(json, "\"\\u003c/script>\\u003c!--\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "</script><!--");
    }

    /// A JSON string that holds what JSON itself need not escape reads as before.
    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({ "name": "\u{9b}31m\u{202e}\u{7f}" });
        let shown = lines(&value.to_string()).into_owned();
        assert!(!shown.contains(acts));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}

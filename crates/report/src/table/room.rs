//! Text in a terminal of some width: between words, never in one.

/// The width of the terminal that stdout is; none in a pipe.
pub(crate) fn width() -> Option<usize> {
    comfy_table::Table::new().width().map(usize::from)
}

/// The text as wide as the terminal; in a pipe it is one line.
pub(crate) fn lines(text: &str) -> String {
    width().map_or_else(|| text.to_owned(), |width| wrapped(text, width))
}

/// The text with its spaces made line ends where a line would be wider than `room`. A word that is wider
/// alone stays whole.
pub(crate) fn wrapped(text: &str, room: usize) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut at = 0;
    for (i, word) in text.split(' ').enumerate() {
        let wide = word.chars().count();
        if at > 0 && at + 1 + wide > room {
            lines.push('\n');
            at = 0;
        } else if i > 0 {
            lines.push(' ');
            at += 1;
        }
        lines.push_str(word);
        at += wide;
    }
    lines
}

/// The text, or so much of its beginning that with an ellipsis it has `most` characters.
pub(super) fn cut_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("one two three", 3), "one\ntwo\nthree");
        assert_eq!(wrapped("published k_ring", 9), "published\nk_ring");
        assert_eq!(wrapped("", 3), "");
    }

    proptest! {
        #[test]
        fn no_word_is_cut_and_no_line_is_wider_but_for_one_word(text in "[a-z ]{0,80}", room in 1..30usize) {
            let lines = wrapped(&text, room);
            prop_assert_eq!(lines.replace('\n', " "), text);
            for line in lines.lines() {
                prop_assert!(line.len() <= room || !line.trim().contains(' '), "{line:?}");
            }
        }
    }
}

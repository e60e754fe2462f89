//! How much room text takes, at the most: which font a viewer has is not known here.

/// Width in pixels of letters of a size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    size * text.chars().map(letter).sum::<f64>()
}

/// Widths of a wide sans-serif font, in parts of its size.
fn letter(c: char) -> f64 {
    match c {
        'f' | 'i' | 'j' | 'l' | 'r' | 't' | 'I' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|'
        | '!' | '-' | '/' | '(' | ')' | '[' | ']' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 1.0,
        '+' | '=' | '<' | '>' | '#' | '~' | '^' => 0.84,
        'A'..='Z' | '&' => 0.8,
        c if c.is_ascii() => 0.64,
        // A pictograph.
        '\u{1f000}'.. => 1.5,
        _ => 1.1,
    }
}

/// The text, or so much of its beginning that with an ellipsis it has room.
pub(crate) fn cut(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut left = room - width("…", size);
    let fits = |c: &char| {
        left -= size * letter(*c);
        left >= 0.0
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_room_is_left() {
        assert_eq!(cut("small (2048 x 256)", 12.0, 300.0), "small (2048 x 256)");
        assert_eq!(cut("small (2048 x 256)", 12.0, 54.0), "small…");
    }

    proptest! {
        #[test]
        fn what_is_cut_has_room(text in "\\PC{0,60}", room in 20.0..200.0) {
            prop_assert!(width(&cut(&text, 11.0, room), 11.0) <= room);
        }
    }
}

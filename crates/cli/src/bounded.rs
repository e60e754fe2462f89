//! Text of what may have no end, such as standard input.

use std::io::{self, Read};

/// What is there, of `most` bytes at most.
///
/// # Errors
///
/// What the system says; what is no UTF-8 text, or more than `most` bytes.
pub(crate) fn text(from: impl Read, most: u64) -> io::Result<String> {
    let mut text = String::new();
    if from.take(most + 1).read_to_string(&mut text)? as u64 > most {
        let most = most >> 20;
        return Err(io::Error::other(format!(
            "it is larger than {most} MiB, the most that is read"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_or_has_no_end_is_refused() {
        let read = |from: &mut dyn Read| text(from, 8 << 20);
        assert!(read(&mut &b"\xff"[..]).is_err());
        let endless = read(&mut io::repeat(b'x')).unwrap_err();
        assert!(endless.to_string().contains("larger than 8 MiB"));
        assert_eq!(read(&mut &b"a = 1"[..]).unwrap(), "a = 1");
    }
}

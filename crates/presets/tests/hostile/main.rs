//! Presets that nobody meant: whatever the text, it is accepted and sound or refused with an error
//! that can be shown, never a panic.

mod sound;
mod texts;

use proptest::prelude::*;
use sound::read_as_everything;
use texts::{other_value, real, with_other_value};

#[test]
fn real_presets_are_taken() {
    for text in real() {
        assert!(read_as_everything(&text) > 0, "{text}");
    }
}

/// Deeper than any stack, in everything that can nest.
#[test]
fn nesting_is_refused_before_the_stack_ends() {
    let deep = |part: &str| part.repeat(100_000);
    for text in [
        deep("["),
        deep("{\"a\":"),
        format!("{{\"ant_spec\":{}", deep("[")),
        format!("a = {}{}", deep("["), deep("]")),
        format!("a = {}", deep("{a=")),
        format!("{}a = 1", deep("a.")),
        format!("[{}a]", deep("a.")),
        format!("[[{}a]]", deep("a.")),
        format!("a = {{{}a = 1}}", deep("a.")),
    ] {
        assert_eq!(read_as_everything(&text), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_preset(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(read_as_everything(&String::from_utf8_lossy(&bytes)), 0);
    }

    /// Texts of the characters that TOML and JSON are made of.
    #[test]
    fn arbitrary_punctuation_is_no_preset(text in "[\\[\\]{}=:,.\"'\\\\#\n\t 0-9a-e_+\u{1f41c}-]{0,200}") {
        prop_assert_eq!(read_as_everything(&text), 0);
    }

    #[test]
    fn flipped_bytes_never_panic(
        text in prop::sample::select(real()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = text.into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_as_everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn truncated_presets_never_panic(text in prop::sample::select(real()), part in 0.0..1.0f64) {
        let cut = (text.len() as f64 * part) as usize;
        // JSON says where it ends; half a TOML file may be whole.
        let is_json = text.starts_with('{');
        let taken = read_as_everything(text.get(..cut).unwrap_or_default());
        prop_assert!(taken == 0 || !is_json);
    }

    #[test]
    fn other_values_never_panic(
        text in prop::sample::select(real()),
        at in any::<prop::sample::Index>(),
        value in other_value(),
    ) {
        read_as_everything(&with_other_value(&text, at, &value));
    }
}

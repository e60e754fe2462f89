//! Calibrations that nobody fitted: whatever the text, it is refused, or every prediction from it is
//! a number of bytes or an error, never a panic.

mod sound;

use proptest::prelude::*;
use sound::calibration_is_sound;
use vram_fit::calibration::Calibration;
use vram_fit::error::FitError;

const REAL: [&str; 3] = [
    include_str!("../../../../presets/calibrations/h200.toml"),
    include_str!("../../../../presets/calibrations/rtx4070tisuper_published.toml"),
    include_str!("../../../../docs/results/cpu/calibration.toml"),
];

/// Values that are out of range somewhere, or of no type that is asked for.
const ODD: &str = "18446744073709551615 18446744073709551616 9223372036854775807 \
    9223372036854775808 -9223372036854775808 4611686018427387904 -1 0 -0.0 1e308 -1e308 5e-324 1e400 \
    nan -nan inf -inf true \"\" [] {} [nan] [inf,1.0,1.0] [1e308,1e308,1e308] [1e308,-1e308,0.0] \
    [-1.0] [1e400] 1979-05-27 \"small\" \"real\"";

/// Reads the text, and predicts with the terms in every order of their ring; whether it was taken.
fn read_and_predict(text: &str, terms: &[u64]) -> bool {
    let Ok(calibration) = Calibration::from_toml(text) else { return false };
    calibration_is_sound(&calibration, terms);
    true
}

fn terms() -> impl Strategy<Value = Vec<u64>> {
    let term = prop_oneof![Just(0), Just(u64::MAX), any::<u64>(), 1u64..1 << 40];
    prop::collection::vec(term, 1..5)
}

/// Mostly what a constant may be: a test of refusals alone would predict nothing.
fn coefficient() -> impl Strategy<Value = f64> {
    prop_oneof![8 => any::<f64>().prop_map(f64::abs), 1 => any::<f64>()]
}

fn bytes() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..=i64::MAX, 1 => any::<i64>()]
}

fn other_value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(ODD.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_owned),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        prop::collection::vec(any::<f64>(), 1..4).prop_map(|xs| format!("{xs:?}")),
        (1usize..400).prop_map(|n| "[".repeat(n) + &"]".repeat(n)),
        (1usize..400).prop_map(|n| "{a=".repeat(n) + "1" + &"}".repeat(n)),
    ]
}

#[test]
fn real_calibrations_are_taken() {
    for text in REAL {
        assert!(read_and_predict(text, &[0, 1, 4 << 30, u64::MAX]), "{text}");
    }
}

#[test]
fn nesting_is_refused_before_the_stack_ends() {
    let deep = |part: &str| part.repeat(100_000);
    for text in [
        format!("a = {}{}", deep("["), deep("]")),
        format!("a = {}", deep("{a=")),
        format!("{}a = 1", deep("a.")),
        format!("[{}a]", deep("a.")),
        format!("[[{}a]]", deep("a.")),
        format!("a = {{{}a = 1}}", deep("a.")),
    ] {
        assert!(matches!(Calibration::from_toml(&text), Err(FitError::Parse(_))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_calibration(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!read_and_predict(&String::from_utf8_lossy(&bytes), &[1]));
    }

    #[test]
    fn flipped_bytes_never_panic(
        text in prop::sample::select(REAL.as_slice()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        terms in terms(),
    ) {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_and_predict(&String::from_utf8_lossy(&bytes), &terms);
    }

    #[test]
    fn truncated_calibrations_never_panic(
        text in prop::sample::select(REAL.as_slice()),
        part in 0.0..1.0f64,
        terms in terms(),
    ) {
        let cut = (text.len() as f64 * part) as usize;
        read_and_predict(text.get(..cut).unwrap_or_default(), &terms);
    }

    /// Numbers of any size, NaN, infinities and nonsense in the place of any value.
    #[test]
    fn other_values_never_panic(
        text in prop::sample::select(REAL.as_slice()),
        at in any::<prop::sample::Index>(),
        value in other_value(),
        terms in terms(),
    ) {
        let at = at.index(text.matches(" = ").count());
        let changed: Vec<String> = text.split_inclusive('\n').scan(0, |seen, line| {
            let Some((key, _)) = line.split_once(" = ") else { return Some(line.to_owned()) };
            *seen += 1;
            Some(if *seen == at + 1 { format!("{key} = {value}\n") } else { line.to_owned() })
        }).collect();
        read_and_predict(&changed.concat(), &terms);
    }

    /// Constants as large as they can be written: no sum of them is taken for a number of bytes.
    #[test]
    fn any_constants_predict_bytes_or_an_error(
        coefficients in [coefficient(), coefficient()],
        base in bytes(),
        overhead in bytes(),
        granule in 1..=i64::MAX,
        terms in terms(),
    ) {
        let text = format!(
            "format = \"vram_calibration_v1\"\nsource = \"-\"\nterms = [\"a\", \"b\"]\n[[tier]]\n\
             name = \"t\"\npoints = 1\ncoefficients = {coefficients:?}\nbase_bytes = {base}\n\
             overhead_bytes = {overhead}\ngranule_bytes = {granule}\n[tier.attributes]\n"
        ).replace("NaN", "nan");
        let sizes = coefficients.iter().all(|c| c.is_finite() && *c >= 0.0);
        prop_assert_eq!(read_and_predict(&text, &terms), sizes && base >= 0 && overhead >= 0);
    }
}

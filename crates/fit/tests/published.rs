//! The published VRA-34 table from its published constants.

use vram_fit::calibration::Calibration;
use vram_fit::error::FitError;

const TEXT: &str = include_str!("../../../presets/calibrations/rtx4070tisuper_published.toml");

/// id, tier, ring bytes in GiB (fp16), predicted and measured reserved in GiB, error in percent.
#[rustfmt::skip]
const TABLE: [(&str, &str, f64, f64, f64, f64); 8] = [
    ("DP1", "small",  4.0,   8.215,  8.215,  0.00),
    ("DP9", "small",  6.0,  12.294, 12.296, -0.00),
    ("DP2", "small",  8.0,  16.374, 16.369,  0.03),
    ("DP8", "real",   2.25,  4.635,  4.610,  0.55),
    ("DP3", "real",   4.5,   9.171,  9.162,  0.09),
    ("DP4", "real",   6.75, 13.706, 13.715, -0.06),
    ("DP5", "real",   4.5,   9.171,  9.229, -0.63),
    ("DP6", "stress", 6.0,  12.201, 12.201,  0.00),
];

const GIB: f64 = (1u64 << 30) as f64;

#[test]
fn the_published_constants_give_the_published_table() {
    let calibration = Calibration::from_toml(TEXT).unwrap();
    for (id, tier, ring, predicted, measured, error) in TABLE {
        let tier = calibration.tiers.iter().find(|t| t.name == tier).unwrap();
        let got = tier.predict(&[(ring * GIB) as u64]).unwrap().reserved_bytes as f64 / GIB;
        assert!((got - predicted).abs() < 0.001, "{id}: {got} GiB, published {predicted}");
        let got = 100.0 * (got - measured) / measured;
        // The published figures are rounded: see the note in their own file.
        assert!((got - error).abs() < 0.03, "{id}: {got} %, published {error}");
    }
}

#[test]
fn a_calibration_survives_its_own_toml() {
    let calibration = Calibration::from_toml(TEXT).unwrap();
    let again = Calibration::from_toml(&calibration.to_toml().unwrap()).unwrap();
    assert_eq!(again, calibration);
}

fn broken(from: &str, to: &str) -> FitError {
    assert!(TEXT.contains(from));
    Calibration::from_toml(&TEXT.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn what_is_wrong_with_a_calibration_is_said() {
    let newer = broken("vram_calibration_v1", "vram_calibration_v2");
    assert!(newer.to_string().contains("`vram_calibration_v2` is not `vram_calibration_v1`"));
    assert!(
        matches!(broken("[2.0398]", "[nan]"), FitError::Constants { tier, .. } if tier == "small")
    );
    assert!(matches!(broken("[2.0398]", "[2.0, 1.0]"), FitError::Constants { .. }));
    let constants = |error: FitError| match error {
        FitError::Constants { tier, reason } => (tier, reason),
        other => panic!("{other}"),
    };
    let twice = constants(broken("name = \"real\"", "name = \"small\""));
    assert_eq!(twice, ("small".to_owned(), "is there twice"));
    let nobody = constants(broken("borrowed_from = \"real\"", "borrowed_from = \"reel\""));
    assert_eq!(nobody, ("stress".to_owned(), "borrows from a tier that is not there"));
    assert_eq!(broken("terms = [\"ring\"]", "terms = []"), FitError::NoTerms);
    for (from, to, said) in [
        ("[2.0398]", "[-2.0398]", "calibration tier small: the coefficient of ring is -2.0398"),
        ("base_bytes = 31457280", "base_bytes = -3", "calibration tier small: base_bytes is -3"),
        ("overhead_bytes = 44040192", "overhead_bytes = -1", "tier real: overhead_bytes is -1"),
    ] {
        let error = broken(from, to);
        assert!(matches!(error, FitError::Negative { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(broken("points", "pionts").to_string().contains("pionts"));
    assert!(matches!(broken("points = 3", "points = -3"), FitError::Parse(_)));
    assert!(matches!(Calibration::from_toml("format = "), Err(FitError::Parse(_))));
}

/// Too few terms would predict too little, and too much would not fit: neither is a number.
#[test]
fn a_prediction_is_right_or_an_error() {
    let calibration = Calibration::from_toml(TEXT).unwrap();
    let small = &calibration.tiers[0];
    for terms in [&[][..], &[1, 2], &[u64::MAX]] {
        assert!(matches!(small.predict(terms), Err(FitError::Constants { .. })), "{terms:?}");
    }
}

//! What holds for every fit.

use proptest::prelude::*;
use vram_fit::error::FitError;
use vram_fit::fit::fit;
use vram_fit::missing::Missing;
use vram_fit::model::{Model, Observation, Pooling, Reserve};

fn model(terms: usize, pooling: Pooling) -> Model {
    let terms = (0..terms).map(|i| format!("t{i}")).collect();
    Model { terms, pooling, reserve: Reserve::Granule }
}

fn row(i: usize, tier: &str, terms: Vec<u64>, allocated: u64, over: u64) -> Observation {
    Observation {
        id: i.to_string(),
        tier: tier.to_owned(),
        unit_bytes: 1 << 20,
        terms,
        element_bytes: 4,
        allocated_bytes: allocated,
        reserved_bytes: allocated + over,
        granule_bytes: None,
    }
}

/// Medians of an even count are the mean of the middle two: 10, 20, 40, 90 -> 30.
#[test]
fn the_overhead_is_a_median() {
    let rows: Vec<Observation> = [90, 10, 40, 20]
        .into_iter()
        .enumerate()
        .map(|(i, over)| row(i, "a", vec![100 + i as u64], 1000, over))
        .collect();
    let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
    assert_eq!(fitted.tiers[0].overhead_bytes, 30.0);
}

#[test]
fn a_single_tier_of_one_point_has_nothing_to_borrow() {
    let fitted = fit(&model(1, Pooling::PerTier), &[row(0, "a", vec![5], 100, 1)]).unwrap();
    let tier = &fitted.tiers[0];
    assert!(tier.anchored && tier.coefficients[0].value.is_none() && tier.base.value.is_none());
    assert_eq!(fitted.rows[0].pred_reserved_bytes, None);
}

/// Units 1, 3 and 9: tier b is a factor of three from either neighbour, and slopes are 2 and 3.
/// The larger lends, whichever row comes first.
#[test]
fn the_larger_of_two_equally_near_tiers_lends() {
    let at = |tier: &str, unit_bytes, x: u64, allocated| Observation {
        unit_bytes,
        ..row(0, tier, vec![x], allocated, 1)
    };
    let mut rows = vec![
        at("a", 1, 10, 120),
        at("a", 1, 20, 140),
        at("b", 3, 15, 200),
        at("c", 9, 10, 130),
        at("c", 9, 20, 160),
    ];
    for _ in 0..2 {
        let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
        let b = fitted.tiers.iter().find(|t| t.tier == "b").unwrap();
        assert_eq!(b.borrowed_from.as_deref(), Some("c"));
        // 200 - 3 * 15.
        assert!((b.base.value.unwrap() - 155.0).abs() < 1e-9);
        rows.reverse();
    }
}

/// 2 bytes for each of 10 and 20 bytes in elements of two: 4 an element. The same elements counted
/// with four bytes are 20 bytes, of which each takes 1, and 60 - 20 are left.
#[test]
fn a_slope_is_borrowed_per_element() {
    let half =
        |x, allocated| Observation { element_bytes: 2, ..row(0, "half", vec![x], allocated, 1) };
    let single = |x, allocated| row(0, "single", vec![x], allocated, 1);
    let rows = [half(10, 60), half(20, 80), single(20, 60)];
    let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
    let tier = &fitted.tiers[1];
    assert_eq!(tier.borrowed_from.as_deref(), Some("half"));
    assert!((tier.coefficients[0].value.unwrap() - 1.0).abs() < 1e-9);
    assert!((tier.base.value.unwrap() - 40.0).abs() < 1e-6);
    assert_eq!(tier.predict(&[40]).unwrap().allocated_bytes, 80);
    let mixed = [half(10, 60), Observation { element_bytes: 4, ..half(20, 80) }];
    let refused = fit(&model(1, Pooling::PerTier), &mixed);
    assert!(matches!(refused, Err(FitError::Impossible { .. })), "{refused:?}");
}

/// Slope 3 through (10, 20) and (20, 50) leaves -10; (10, 50) and (20, 20) fall. Neither is lent, and
/// what is lent may leave nothing of the point either.
#[test]
fn constants_below_zero_are_no_constants() {
    let at = |tier: &str, x, allocated| row(0, tier, vec![x], allocated, 1);
    let why = |rows: &[Observation]| {
        let fitted = fit(&model(1, Pooling::PerTier), rows).unwrap();
        let tier = fitted.tiers.last().unwrap().clone();
        assert_eq!(
            (tier.coefficients[0].value, tier.base.value, tier.predict(&[10])),
            (None, None, None)
        );
        assert_eq!(tier.coefficients[0].why_null, tier.base.why_null);
        tier.base.why_null.unwrap()
    };
    let base = why(&[at("a", 10, 20), at("a", 20, 50)]);
    assert!(matches!(base, Missing::NegativeBase { bytes } if (bytes + 10.0).abs() < 1e-6));
    assert_eq!(
        base.to_string(),
        "the base would be -10 bytes, below zero: the model does not hold"
    );
    let falls = why(&[at("a", 10, 50), at("a", 20, 20)]);
    assert_eq!(falls.to_string(), "k_t0 would be -3.0000, below zero: the model does not hold");
    let nobody_lends = why(&[at("a", 10, 20), at("a", 20, 50), at("b", 10, 90)]);
    assert_eq!(nobody_lends, Missing::NothingToBorrow);
    let nothing_left = why(&[at("a", 10, 60), at("a", 20, 90), at("b", 10, 20)]);
    assert!(matches!(nothing_left, Missing::NegativeBase { bytes } if (bytes + 10.0).abs() < 1e-6));
}

/// Three rows of 40 bytes whatever the term: sixteen digits do not make a negative slope of nothing.
#[test]
fn rounding_is_not_below_zero() {
    for shift in 0..40 {
        let at = |x: u64| row(0, "a", vec![(x << shift) + 1], 40 << 30, 1);
        let fitted = fit(&model(1, Pooling::PerTier), &[at(3), at(5), at(11)]).unwrap();
        assert!(fitted.tiers[0].coefficients[0].value.unwrap() >= 0.0);
        let through_zero = |x: u64| row(0, "a", vec![x << shift], (2 * x) << shift, 1);
        let rows = [through_zero(3), through_zero(5), through_zero(11)];
        let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
        assert!(fitted.tiers[0].base.value.unwrap() >= 0.0);
    }
}

#[test]
fn two_points_have_a_slope_and_no_interval() {
    let rows = [row(0, "a", vec![10], 120, 1), row(1, "a", vec![20], 140, 1)];
    let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
    let slope = &fitted.tiers[0].coefficients[0];
    assert!((slope.value.unwrap() - 2.0).abs() < 1e-9);
    assert_eq!((slope.ci95, slope.std_err), (None, None));
    assert!(slope.why_null.is_some());
    // One point is left when the other is taken out: nothing to predict it with.
    assert_eq!(fitted.rows[0].loo_err_percent, None);
}

#[test]
fn impossible_observations_are_refused() {
    let per_tier = model(1, Pooling::PerTier);
    let mut wrong = row(0, "a", vec![1, 2], 5, 1);
    assert!(matches!(fit(&per_tier, &[wrong.clone()]), Err(FitError::Terms { found: 2, .. })));
    wrong.terms.pop();
    wrong.reserved_bytes = 4;
    assert!(matches!(fit(&per_tier, &[wrong]), Err(FitError::Impossible { .. })));
    assert_eq!(fit(&model(0, Pooling::Pooled), &[]), Err(FitError::NoTerms));
    assert!(fit(&per_tier, &[]).unwrap().tiers.is_empty());
    assert!(fit(&model(2, Pooling::Pooled), &[]).unwrap().tiers.is_empty());
}

proptest! {
    /// Rows made from known constants give them back, in whatever order they come.
    #[test]
    fn exact_rows_give_exact_constants(
        slopes in [1u64..8, 1u64..8],
        bases in [0u64..1 << 28, 0u64..1 << 28],
        points in prop::collection::btree_set((1u64..64, 1u64..64), 6..12),
        turn in 0usize..12,
    ) {
        // Scaled like tapes and states; the two terms must not lie on one line through the origin.
        let points: Vec<(u64, u64)> = points.into_iter().collect();
        let spread = |tier: usize| {
            let own: Vec<_> = points.iter().skip(tier).step_by(2).collect();
            let (x, y) = *own[0];
            own.iter().any(|(a, b)| {
                let (dx, dy) = (a.abs_diff(x), b.abs_diff(y));
                own.iter().any(|(c, d)| dx * d.abs_diff(y) != dy * c.abs_diff(x))
            })
        };
        prop_assume!(spread(0) && spread(1));
        let mut rows: Vec<Observation> = points
            .iter()
            .enumerate()
            .map(|(i, (x, y))| {
                let (ring, state) = (x << 28, y << 22);
                let allocated = bases[i % 2] + slopes[0] * ring + slopes[1] * state;
                row(i, ["a", "b"][i % 2], vec![ring, state], allocated, 7)
            })
            .collect();
        let fitted = fit(&model(2, Pooling::Pooled), &rows).unwrap();
        for (tier, key) in [(0, "a"), (1, "b")] {
            let found = fitted.tiers.iter().find(|t| t.tier == key).unwrap();
            prop_assert!((found.coefficients[0].value.unwrap() - slopes[0] as f64).abs() < 1e-6);
            prop_assert!((found.coefficients[1].value.unwrap() - slopes[1] as f64).abs() < 1e-3);
            prop_assert!((found.base.value.unwrap() - bases[tier] as f64).abs() < 1e4);
        }
        let turn = turn % rows.len();
        rows.rotate_left(turn);
        let turned = fit(&model(2, Pooling::Pooled), &rows).unwrap();
        for row in &fitted.rows {
            let other = turned.rows.iter().find(|r| r.id == row.id).unwrap();
            let (a, b) = (row.pred_reserved_bytes.unwrap(), other.pred_reserved_bytes.unwrap());
            prop_assert!(a.abs_diff(b) <= 64, "{a} {b}");
        }
    }

    /// Bytes added to every row move the base and nothing else.
    #[test]
    fn a_constant_moves_only_the_base(xs in prop::collection::btree_set(1u64..1000, 3..8), more in 0u64..1 << 30) {
        let rows = |extra: u64| -> Vec<Observation> {
            let noisy = |x: u64| x * x % 977;
            let each = xs.iter().enumerate();
            each.map(|(i, x)| row(i, "a", vec![x << 20], extra + ((2 * x) << 20) + noisy(*x), 5)).collect()
        };
        // Enough that the noise leaves no base below zero.
        let plain = fit(&model(1, Pooling::PerTier), &rows(1 << 22)).unwrap();
        let moved = fit(&model(1, Pooling::PerTier), &rows((1 << 22) + more)).unwrap();
        let (a, b) = (&plain.tiers[0], &moved.tiers[0]);
        prop_assert!((a.coefficients[0].value.unwrap() - b.coefficients[0].value.unwrap()).abs() < 1e-9);
        prop_assert!((b.base.value.unwrap() - a.base.value.unwrap() - more as f64).abs() < 1.0);
    }

    /// Any bytes at all: an answer or an error, never a panic, never a NaN.
    #[test]
    fn arbitrary_bytes_never_panic(
        cells in prop::collection::vec((0u8..3, any::<u64>(), any::<u64>(), any::<u64>()), 0..8),
        pooled in any::<bool>(),
    ) {
        let rows: Vec<Observation> = cells
            .iter()
            .enumerate()
            .map(|(i, (tier, x, y, bytes))| Observation {
                id: i.to_string(),
                tier: tier.to_string(),
                unit_bytes: x | 1,
                terms: vec![*x, *y],
                element_bytes: 4,
                allocated_bytes: bytes / 2,
                reserved_bytes: *bytes,
                granule_bytes: None,
            })
            .collect();
        let pooling = if pooled { Pooling::Pooled } else { Pooling::PerTier };
        if let Ok(fitted) = fit(&model(2, pooling), &rows) {
            for row in fitted.rows {
                prop_assert!(row.err_percent.is_none_or(f64::is_finite));
            }
        }
    }
}

/// 32-byte granules: 2x + 10 = 110 and 210 round up to 128 and 224, and 4 bytes are reserved
/// beyond that. At x = 70 the line says 150: 160 and 4. Without the rounding the median overhead
/// would be (22 + 18) / 2.
#[test]
fn reserved_is_rounded_up_to_the_granule() {
    let granular = |x: u64, reserved_bytes: u64| Observation {
        reserved_bytes,
        granule_bytes: Some(32),
        ..row(0, "a", vec![x], 2 * x + 10, 0)
    };
    let rows = [granular(50, 132), granular(100, 228)];
    let fitted = fit(&model(1, Pooling::PerTier), &rows).unwrap();
    let tier = &fitted.tiers[0];
    assert_eq!((tier.granule_bytes, tier.overhead_bytes), (Some(32), 4.0));
    assert_eq!(tier.predict(&[70]).unwrap().reserved_bytes, 164);
    let published = Model { reserve: Reserve::Overhead, ..model(1, Pooling::PerTier) };
    let tier = &fit(&published, &rows).unwrap().tiers[0];
    assert_eq!((tier.granule_bytes, tier.overhead_bytes), (None, 20.0));
    // One that reserves less than its granule says has another, and takes the overhead.
    let less = [granular(50, 127), granular(100, 228)];
    let tier = &fit(&model(1, Pooling::PerTier), &less).unwrap().tiers[0];
    assert_eq!((tier.granule_bytes, tier.overhead_bytes), (None, 17.5));
    // Rows that do not agree on a granule take the overhead.
    let mixed = [granular(50, 132), Observation { granule_bytes: None, ..granular(100, 228) }];
    let tier = &fit(&model(1, Pooling::PerTier), &mixed).unwrap().tiers[0];
    assert_eq!((tier.granule_bytes, tier.overhead_bytes), (None, 20.0));
}

//! The table of fitted constants.

use vram_fit::calibration::TierConstants;
use vram_fit::model::{Estimate, TierFit};

use crate::catalogue::Catalogue;
use crate::study::Study;
use crate::table::{Column, Style, Table, or_dash};
use crate::tier::Tier;
use crate::units::mib;

/// The fitted constants per tier, each before its standard error, beside the published ones.
pub fn constants_table(study: &Study, catalogue: &Catalogue, style: Style) -> String {
    constants(study, catalogue).draw(style)
}

/// The same, to be drawn.
pub(crate) fn constants(study: &Study, catalogue: &Catalogue) -> Table {
    let mut columns = vec![
        Column::text("tier", 0, |r: &TierRow<'_>| r.tier.name.clone()),
        Column::text("points", 1, |r: &TierRow<'_>| points(r.fitted)),
    ];
    for (j, name) in study.fit.model.terms.iter().enumerate() {
        let head = format!("k_{name} [95 %]");
        columns.push(Column::number(&head, 0, move |r: &TierRow<'_>| {
            interval(&r.fitted.coefficients[j])
        }));
        columns.push(Column::number("std err", 4, move |r: &TierRow<'_>| {
            or_dash(r.fitted.coefficients[j].std_err, |e| format!("{e:.5}"))
        }));
    }
    columns.extend([
        Column::number("base MiB", 0, |r: &TierRow<'_>| or_dash(r.fitted.base.value, mib)),
        Column::number("std err", 4, |r: &TierRow<'_>| or_dash(r.fitted.base.std_err, mib)),
        Column::number("overhead MiB", 0, |r: &TierRow<'_>| mib(r.fitted.overhead_bytes)),
        Column::number("published k_ring", 2, |r: &TierRow<'_>| {
            or_dash(r.published, |p| format!("{:.4}", p.coefficients[0]))
        }),
        Column::number("published base / overhead MiB", 3, |r: &TierRow<'_>| {
            let sizes = |p: &TierConstants| (p.base_bytes as f64, p.overhead_bytes as f64);
            or_dash(r.published.map(sizes), |(b, o)| format!("{} / {}", mib(b), mib(o)))
        }),
    ]);
    let rows: Vec<TierRow<'_>> = study
        .fit
        .tiers
        .iter()
        .zip(&study.tiers)
        .map(|(fitted, tier)| TierRow { fitted, tier, published: catalogue.constants(&tier.key) })
        .collect();
    Table::of(&columns, &rows)
}

/// A tier's constants beside the published ones.
struct TierRow<'a> {
    fitted: &'a TierFit,
    tier: &'a Tier,
    published: Option<&'a TierConstants>,
}

fn points(fitted: &TierFit) -> String {
    match (&fitted.borrowed_from, fitted.anchored) {
        (Some(_), _) => "1 (anchored, slope borrowed)".to_owned(),
        (None, true) => "1 (anchored)".to_owned(),
        _ => fitted.points.to_string(),
    }
}

fn interval(estimate: &Estimate) -> String {
    let Some(value) = estimate.value else {
        let why = estimate.why_null.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        return format!("- ({why})");
    };
    match estimate.ci95 {
        Some([low, high]) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    }
}

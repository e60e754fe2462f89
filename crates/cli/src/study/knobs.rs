//! Runs that differ in one size: how the measured peak grows with it.

use crate::artifacts::RunRecord;

/// A size that the published section 6 calls the peak linear in, or that it leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Knob {
    /// Its name.
    pub name: &'static str,
    /// Whether the published text says that the peak is linear in it.
    pub claimed: bool,
    value: fn(&RunRecord) -> f64,
}

/// Every knob. Precision is bytes per element, as the published ring term counts them.
pub const KNOBS: [Knob; 6] = [
    Knob { name: "batch", claimed: true, value: |r| r.spec.colony.batch_size as f64 },
    Knob { name: "synth_len", claimed: true, value: |r| r.spec.colony.synth_len as f64 },
    Knob { name: "ring_len", claimed: true, value: |r| r.spec.ant.ring_len as f64 },
    Knob { name: "slot_dim", claimed: true, value: |r| r.spec.ant.slot_dim as f64 },
    Knob {
        name: "precision",
        claimed: true,
        value: |r| r.spec.ant.precision.bytes_per_elem().unwrap_or(0) as f64,
    },
    Knob { name: "out_dim", claimed: false, value: |r| r.metrics.out_dim as f64 },
];

/// A measured elasticity this far from 1 is not linear.
pub const LINEAR_WITHIN: f64 = 0.02;

/// One row against the base, in the one size in which they differ.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The size.
    pub knob: Knob,
    /// The base row.
    pub base: &'a RunRecord,
    /// The other row.
    pub other: &'a RunRecord,
    /// Factor on the size.
    pub factor: f64,
    /// `ln(peak ratio) / ln(factor)` of peak allocated: 1 is linear, 0 is no effect.
    pub elasticity: f64,
}

/// The knobs in which two runs differ.
fn differences<'a>(a: &'a RunRecord, b: &'a RunRecord) -> Vec<Knob> {
    KNOBS.into_iter().filter(|knob| (knob.value)(a) != (knob.value)(b)).collect()
}

/// What the rows around a base row say of each knob: the base is the row from which the most others
/// differ in one size alone. Nothing where fewer than three sizes were changed.
pub fn changes(runs: &[RunRecord]) -> Vec<Change<'_>> {
    let around = |base: &'_ RunRecord| -> Vec<(Knob, usize)> {
        let others = runs.iter().enumerate();
        let alone = others.filter_map(|(i, other)| match differences(base, other)[..] {
            [knob] if other.metrics.device == base.metrics.device => Some((knob, i)),
            _ => None,
        });
        alone.collect()
    };
    // Of equals the last wins, and the first row is the base that a sweep names.
    let Some((base, others)) =
        runs.iter().rev().map(|run| (run, around(run))).max_by_key(|(_, others)| others.len())
    else {
        return Vec::new();
    };
    let varied = KNOBS.iter().filter(|knob| others.iter().any(|(k, _)| k.name == knob.name));
    if varied.count() < 3 {
        return Vec::new();
    }
    let mut found: Vec<Change<'_>> = others
        .into_iter()
        .filter_map(|(knob, i)| {
            let other = &runs[i];
            let peak = |run: &RunRecord| Some(run.metrics.peak_vram_allocated_bytes? as f64);
            let factor = (knob.value)(other) / (knob.value)(base);
            let elasticity = (peak(other)? / peak(base)?).ln() / factor.ln();
            Some(Change { knob, base, other, factor, elasticity })
        })
        .collect();
    found.sort_by_key(|change| KNOBS.iter().position(|knob| knob.name == change.knob.name));
    found
}

impl Change<'_> {
    /// Whether the row bears the published claim out; none where nothing is claimed.
    pub fn confirmed(&self) -> Option<bool> {
        self.knob.claimed.then(|| (self.elasticity - 1.0).abs() <= LINEAR_WITHIN)
    }
}

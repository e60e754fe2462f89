//! What the rest of the program relies on of a preset that was accepted. The fuzz targets hold it
//! to the same.

use std::collections::HashSet;

use miette::{GraphicalReportHandler, GraphicalTheme};
use vram_presets::error::PresetError;
use vram_presets::library::{ant_from_text, colony_from_text, sweep_from_text, workload_from_text};
use vram_presets::spec::{AntSpec, ColonySpec, Precision, WorkloadSpec};
use vram_presets::sweep::Sweep;
use vram_source::text::Syntax;

/// The text as every kind of preset in either syntax; how many took it.
pub fn read_as_everything(text: &str) -> usize {
    [Syntax::Toml, Syntax::Json].into_iter().fold(0, |taken, syntax| {
        taken
            + took(ant_from_text(text, syntax), ant_is_sound)
            + took(colony_from_text(text, syntax), colony_is_sound)
            + took(workload_from_text(text, syntax), workload_is_sound)
            + took(sweep_from_text(text, syntax), sweep_is_sound)
    })
}

/// Whether the text was taken, as 1 or 0. What was is sound; what was not has an error that can be
/// drawn.
pub fn took<T>(result: Result<T, PresetError>, is_sound: impl Fn(&T)) -> usize {
    match result {
        Ok(value) => {
            is_sound(&value);
            1
        }
        Err(error) => {
            // The excerpt is cut from the text at the span that the error names.
            let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
            handler.render_report(&mut String::new(), &error).unwrap();
            0
        }
    }
}

pub fn ant_is_sound(ant: &AntSpec) {
    assert!(ant.ring_len >= 1 && ant.slot_dim >= 1, "{ant:?}");
}

pub fn colony_is_sound(colony: &ColonySpec) {
    let sizes = [colony.batch_size, colony.ptr_update_every, colony.seq_len, colony.synth_len];
    assert!(sizes.iter().all(|&n| n >= 1), "{colony:?}");
}

/// Written and read again it is the same, and a product of its sizes is right or refused.
pub fn workload_is_sound(spec: &WorkloadSpec) {
    ant_is_sound(&spec.ant);
    colony_is_sound(&spec.colony);
    assert_eq!(workload_from_text(&spec.canonical_json(), Syntax::Json).unwrap(), *spec);
    let (ant, colony) = (&spec.ant, &spec.colony);
    let Some(element) = ant.precision.bytes_per_elem() else {
        assert!(matches!(spec.ring_buf_bytes(), Err(PresetError::Value { .. })));
        return;
    };
    let factors = [colony.batch_size, colony.synth_len, ant.ring_len, ant.slot_dim, element];
    let exact = factors.iter().try_fold(1u128, |acc, &f| acc.checked_mul(u128::from(f)));
    match spec.ring_buf_bytes() {
        Ok(bytes) => assert_eq!(Some(u128::from(bytes)), exact),
        Err(error) => {
            assert!(matches!(error, PresetError::Overflow { .. }), "{error:?}");
            assert!(exact.is_none_or(|bytes| bytes > u128::from(u64::MAX)));
        }
    }
}

pub fn sweep_is_sound(sweep: &Sweep) {
    // They become names of directories.
    let plain = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        (1..=100).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('-')
    };
    assert!(plain(&sweep.name), "{}", sweep.name);
    let mut ids = HashSet::new();
    for row in &sweep.rows {
        assert!(plain(&row.id), "{}", row.id);
        assert!(ids.insert(row.id.to_ascii_lowercase()), "{} is there twice", row.id);
        assert!(row.precision != Some(Precision::Fp32) || row.amp != Some(true), "{row:?}");
        assert!(row.batch >= 1 && row.out_dim >= 1 && row.measure_steps >= 1, "{row:?}");
    }
}

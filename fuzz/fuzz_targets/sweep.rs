//! Sweeps from any text, and the specs that their rows hold.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use miette::GraphicalReportHandler;
use vram_presets::{Sweep, Syntax, ant_from_text, colony_from_text, sweep_from_text};

fuzz_target!(|text: &str| {
    for syntax in [Syntax::Toml, Syntax::Json] {
        match sweep_from_text(text, syntax) {
            Ok(sweep) => is_sound(&sweep),
            Err(error) => {
                let mut report = String::new();
                assert!(GraphicalReportHandler::new().render_report(&mut report, &error).is_ok());
            }
        }
    }
});

fn is_sound(sweep: &Sweep) {
    // Names become directories.
    let plain = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    assert!(plain(&sweep.name));
    let mut ids = HashSet::new();
    for row in &sweep.rows {
        assert!(plain(&row.id) && ids.insert(&row.id), "{}", row.id);
        assert!(row.batch >= 1 && row.out_dim >= 1 && row.measure_steps >= 1, "{row:?}");
        // A row's specs may be inline JSON.
        let _ = ant_from_text(&row.ant, Syntax::Json);
        let _ = colony_from_text(&row.colony, Syntax::Json);
    }
}

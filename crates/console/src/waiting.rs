//! Work that may take a while, and what a terminal shows meanwhile.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vram_artifacts::error::ArtifactError;
use vram_report::runs::{Reading, Runs};

/// How long `work` may take before a terminal is shown how far it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does `work`, which moves a bar on. A terminal's stderr shows the bar once that takes a while;
/// nothing of it stays.
pub fn with_progress<T>(work: impl FnOnce(&ProgressBar) -> T) -> T {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    let (over, waiting) = channel::<()>();
    let shown = &bar;
    let done = thread::scope(|scope| {
        scope.spawn(move || {
            let late = waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
            if late && io::stderr().is_terminal() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(100));
            }
        });
        let done = work(&bar);
        drop(over);
        done
    });
    bar.finish_and_clear();
    done
}

/// Reads the runs in `dirs`, and says of each that is there twice that it counts once.
///
/// # Errors
///
/// As [`Runs::load`].
pub fn load_runs(dirs: &[PathBuf], bar: &ProgressBar) -> Result<Runs, ArtifactError> {
    bar.set_message("runs read");
    Runs::load(dirs, &|reading| match reading {
        Reading::Found(count) => bar.inc_length(count as u64),
        Reading::Read => bar.inc(1),
        Reading::Repeated { first, again } => bar.suspend(|| {
            let (first, again) = (first.display(), again.display());
            tracing::warn!("{again} holds the same run as {first}: it counts once");
        }),
    })
}

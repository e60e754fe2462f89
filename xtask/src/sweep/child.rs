use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use miette::{IntoDiagnostic, WrapErr};
use vram_cli::events::{Event, Step};

use super::plan::Row;

/// What the probe says on stderr, in the row's directory.
const LOG: &str = "probe.log";

/// How a probe process ended.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// It wrote its artifacts, PASS or FAIL.
    Exited,
    /// It did not, and why.
    Lost(String),
}

/// A child that does not outlive its sweep.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs one row's probe and tells `observe` of its steps.
pub fn run(
    probe: &Path,
    row: &Row,
    device: &str,
    observe: &mut dyn FnMut(&Step),
) -> miette::Result<Outcome> {
    fs::create_dir_all(&row.dir)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot make {}", row.dir.display()))?;
    let log = row.dir.join(LOG);
    let stderr = File::create(&log)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", log.display()))?;
    let mut child = Command::new(probe)
        .args(arguments(row, device))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot start {}", probe.display()))?;
    let stdout = child.stdout.take();
    let mut child = Guard(child);
    let lines = stdout.into_iter().flat_map(|out| BufReader::new(out).lines());
    // What is no event is no business of the sweep's; what cannot be read ends the stream.
    for line in lines.map_while(Result::ok) {
        if let Ok(Event::Step(step)) = serde_json::from_str(&line) {
            observe(&step);
        }
    }
    let status = child.0.wait().into_diagnostic()?;
    Ok(outcome(status, &log))
}

fn outcome(status: ExitStatus, log: &Path) -> Outcome {
    let said = fs::read_to_string(log).unwrap_or_default();
    if status.success() {
        // A silent probe needs no log.
        if said.is_empty() {
            let _ = fs::remove_file(log);
        }
        return Outcome::Exited;
    }
    let last =
        said.trim().lines().find(|l| !l.trim().is_empty()).unwrap_or("it said nothing").trim();
    Outcome::Lost(format!("probe ended with {}: {last} (see {})", describe(status), log.display()))
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("signal {signal}");
        }
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

fn arguments(row: &Row, device: &str) -> Vec<String> {
    let r = &row.row;
    let options = [
        ("--ant", r.ant.clone()),
        ("--colony", r.colony.clone()),
        ("--batch", r.batch.to_string()),
        ("--out-dim", r.out_dim.to_string()),
        ("--precision", r.precision.to_string()),
        ("--amp", u8::from(r.amp).to_string()),
        ("--warmup-steps", r.warmup_steps.to_string()),
        ("--measure-steps", r.measure_steps.to_string()),
        ("--device", device.to_owned()),
        ("--row-id", r.id.clone()),
        ("--output-dir", row.dir.display().to_string()),
        ("--events", "json".to_owned()),
    ];
    let words = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    // Steps are told by events; what is left for stderr is worth a log.
    ["--quiet", "probe"].into_iter().map(str::to_owned).chain(words).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use vram_presets::Library;
    use vram_workload::DeviceKind;

    use super::super::plan::{Plan, select};
    use super::*;

    /// Runs a script in the probe's place; returns how it ended and the steps that were seen.
    fn with_script(script: &str) -> (Outcome, Vec<u64>, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let probe: PathBuf = dir.path().join("vram");
        fs::write(&probe, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
        let library = Library::built_in();
        let sweep = library.sweep("smoke").unwrap().spec;
        let rows = select(&sweep, &["N16".to_owned()]).unwrap();
        let plan = Plan::new(&library, DeviceKind::Cpu, rows, dir.path()).unwrap();
        let mut steps = Vec::new();
        let outcome = run(&probe, &plan.rows[0], "cpu", &mut |s| steps.push(s.step)).unwrap();
        (outcome, steps, dir)
    }

    const STEP: &str = r#"{"event":"step","stage":"warmup","step":1,"of":5,"seconds":0.1}"#;

    fn lost(script: &str) -> String {
        match with_script(script).0 {
            Outcome::Lost(why) => why,
            Outcome::Exited => panic!("{script} is no success"),
        }
    }

    #[test]
    fn steps_are_seen_and_noise_is_not() {
        let (outcome, steps, dir) = with_script(&format!("echo noise; echo '{STEP}'; echo '{{'"));
        assert_eq!((outcome, steps), (Outcome::Exited, vec![1]));
        // It said nothing on stderr.
        assert!(!dir.path().join("N16_smoke_narrowxsmoke_short_B16").join(LOG).exists());
    }

    #[test]
    fn a_refusal_says_what_the_probe_said() {
        let why = lost("echo 'unknown ant' >&2; exit 2");
        assert!(why.starts_with("probe ended with exit code 2: unknown ant (see "), "{why}");
    }

    #[test]
    fn a_killed_probe_is_named_with_its_signal() {
        let why = lost("kill -9 $$");
        assert!(why.starts_with("probe ended with signal 9: it said nothing"), "{why}");
    }

    #[test]
    fn every_argument_of_the_row_is_passed_on() {
        let (_, _, dir) = with_script("echo \"$@\" >&2");
        let log = dir.path().join("N16_smoke_narrowxsmoke_short_B16").join(LOG);
        let said = fs::read_to_string(log).unwrap();
        let expected = "--quiet probe --ant smoke_narrow --colony smoke_short --batch 16 --out-dim 1 --precision fp16 \
                        --amp 1 --warmup-steps 2 --measure-steps 3 --device cpu --row-id N16 --output-dir ";
        assert!(said.starts_with(expected), "{said}");
    }
}

//! What becomes of a measurement, of a real card and of one that computes nothing.

use candle_core::Device;
use clap::Parser;
use vram_metrics::clock::StepClock;
use vram_metrics::facts::DeviceFacts;
use vram_metrics::meter::Meter;
use vram_metrics::watchdog::Watchdog;
use vram_presets::library::Library;
use vram_workload::device_kind::DeviceKind;

use super::*;
use crate::commands::probe::options::Args;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    args: Args,
}

/// A card that is there only as far as its facts are asked for.
struct Card(DeviceFacts);

impl ProbeDevice for Card {
    fn device(&self) -> &Device {
        &Device::Cpu
    }

    fn meter(&self) -> &dyn Meter {
        unreachable!("nothing is measured")
    }

    fn clock(&self) -> Box<dyn StepClock> {
        unreachable!("nothing is timed")
    }

    fn facts(&self) -> &DeviceFacts {
        &self.0
    }

    fn kind(&self) -> DeviceKind {
        DeviceKind::Cuda
    }

    fn step_time_mode(&self) -> &'static str {
        "cuda_events"
    }

    fn granule_bytes(&self) -> Option<u64> {
        Some(32 << 20)
    }

    fn context_bytes(&self) -> Option<Result<u64, MeterError>> {
        Some(Ok(500))
    }
}

/// Does `work` with a probe whose first step finds a NaN, on a virtual card or another.
fn with_probe(is_virtual: bool, work: impl FnOnce(&Probe<'_, Card>)) {
    let line = "probe --ant smoke_narrow --colony smoke_brief --batch 1 --output-dir out \
                --debug-fault nan --debug-fault-at-step 1";
    let CommandLine { args } = CommandLine::parse_from(line.split_whitespace());
    let given = args.workload.given().unwrap();
    let workload = args.workload.resolve_given(&Library::built_in(), &given).unwrap();
    let facts = DeviceFacts { is_virtual, total_bytes: Some(100), ..DeviceFacts::default() };
    work(&Probe { args: &args, given, workload, steps_total: 5, device: Card(facts) });
}

/// Its counters are a card's, and nothing else is: not even that a time is missing.
#[test]
fn a_virtual_card_has_peaks_and_no_times() {
    let measured = || Measurement {
        warmup: StepTimes::new(vec![1.0, 2.0]),
        steps: StepTimes::new(vec![3.0, f64::NAN]),
        wall_time_s: Some(7.0),
        peak_allocated_bytes: Ok(80),
        peak_reserved_bytes: Ok(90),
        nan: false,
        inf: false,
        skipped_steps: 0,
        disturbance_bytes: None,
        heartbeat: Watchdog::default().heartbeat(),
        failure: None,
    };
    with_probe(true, |probe| {
        let m = metrics(probe, measured(), Vec::new(), Told::default());
        assert_eq!((m.stability_pass, m.fail_reasons.as_slice()), (true, &[][..]));
        let peaks = (m.peak_vram_allocated_bytes, m.peak_vram_reserved_bytes);
        assert_eq!((peaks, m.peak_card_bytes), ((Some(80), Some(90)), Some(590)));
        let (steps, warmup, phases) = (m.step_times_s, m.warmup_step_times_s, m.phase_times_s);
        assert_eq!((steps, warmup, phases, m.step_time_mode), (None, None, None, None));
        let times = [m.median_step_time_s, m.p95_step_time_s, m.max_step_time_s];
        let rates = [m.throughput_samples_per_s, m.throughput_tokens_per_s];
        assert_eq!((times, rates, m.measure_wall_time_s), ([None; 3], [None; 2], None));
    });
    with_probe(false, |probe| {
        let m = metrics(probe, measured(), Vec::new(), Told::default());
        assert_eq!(m.reasons(), "timing_missing");
        assert_eq!(m.warmup_step_times_s, Some(vec![1.0, 2.0]));
        assert_eq!((m.max_step_time_s.is_some(), m.measure_wall_time_s), (true, Some(7.0)));
    });
}

#[test]
fn what_a_virtual_card_holds_is_no_loss_and_no_nan() {
    for is_virtual in [true, false] {
        with_probe(is_virtual, |probe| {
            let shape = probe.workload.shape.clone();
            let step = probe.workload.step;
            let trainer = Trainer::new(shape, step, 0, &Device::Cpu, &mut |_| ());
            let trainer = trainer.map_err(Failure::from);
            let debug = &probe.args.debug;
            let mut steps = Steps { trainer, loss: None, done: 0, debug, is_virtual };
            steps.run(&mut |_| ()).unwrap();
            let report = steps.report(()).unwrap();
            assert_eq!((report.nan, steps.told().loss.is_some()), (!is_virtual, !is_virtual));
        });
    }
}

#[test]
fn only_a_refused_allocation_is_out_of_memory() {
    let refused = WorkloadError::OutOfMemory { what: "the tape", bytes: 1 << 50 };
    assert!(Failure::from(refused).oom);
    assert!(!Failure::from(WorkloadError::PerThreadStream).oom);
}

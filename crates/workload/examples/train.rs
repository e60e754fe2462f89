//! Trains OD1 to tell which of eight levels a noisy signal had, and meters what that needs.
//!
//! `cargo run -p vram-workload --example train [--features cuda]`
#![expect(clippy::print_stdout, reason = "an example speaks to a person")]

use candle_core::{DType, Device, Tensor};
use candle_nn::{Optimizer, VarBuilder, VarMap};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use vram_metrics::host::HostAllocator;
use vram_metrics::meter::Meter;
use vram_presets::spec::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
use vram_workload::model::draw::draw_parameters;
use vram_workload::model::od1::Od1;
use vram_workload::shape::Shape;
use vram_workload::step::adam::Adam;
use vram_workload::step::batch::Batch;
use vram_workload::step::fused::FusedStep;
use vram_workload::step::loss_scale::LossScale;
use vram_workload::threads::start_threads;

#[global_allocator]
static ALLOC: HostAllocator = HostAllocator;

const B: usize = 32;
const T: usize = 16;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (precision, ptr_dtype) = (Precision::Fp32, PtrDtype::Fp64);
    let ant = AntSpec { ring_len: 32, slot_dim: 24, ptr_dtype, precision };
    let (seq_len, batch_size) = (T as u64, B as u64);
    let colony = ColonySpec {
        seq_len,
        synth_len: seq_len,
        batch_size,
        ptr_update_every: 1,
        state_loop_samples: 0,
    };
    let shape = Shape::new(&WorkloadSpec::new(ant, colony), 1, false)?;

    start_threads();
    let (device, meter) = device()?;
    let mut rng = StdRng::seed_from_u64(0);
    let vars: VarMap = draw_parameters(&shape, &mut rng, &device)?;
    let model = Od1::new(shape.clone(), VarBuilder::from_varmap(&vars, DType::F32, &device))?;
    let mut step = FusedStep::new(&model)?;
    let mut scale = LossScale::new(&shape, &device)?;
    let mut adam = Adam::new(model.vars()?, 3e-3)?;

    for i in 0..=200 {
        let labels: Vec<u32> = (0..B).map(|_| rng.random_range(0..8)).collect();
        let signal = |label: u32| f64::from(label) / 4.0 - 1.0;
        let x: Vec<f32> = labels
            .iter()
            .flat_map(|label| [signal(*label); T])
            .map(|level| (level + rng.random_range(-0.05..0.05)) as f32)
            .collect();
        let starts: Vec<f64> = (0..B).map(|_| rng.random()).collect();
        let x = Tensor::from_vec(x, (B, T, 1), &device)?;
        let batch = Batch::new(&shape, &x, &Tensor::from_vec(labels, B, &device)?)?;
        let starts = Tensor::from_vec(starts, B, &device)?;

        let results = step.run(&batch, &starts, &mut scale, &mut |_phase| ())?;
        adam.step(&results.gradients.store)?;
        if i % 40 == 0 {
            println!("step {i:3}: loss {:.3}", results.loss.to_scalar::<f32>()?);
        }
    }
    device.synchronize()?;
    println!("peak: {} bytes allocated", meter.allocated()?.peak);
    let file = std::env::temp_dir().join("od1.safetensors");
    vars.save(&file)?;
    println!("saved: {}", file.display());
    Ok(())
}

#[cfg(not(feature = "cuda"))]
fn device() -> Result<(Device, vram_metrics::host::HostMeter), Box<dyn std::error::Error>> {
    Ok((Device::Cpu, vram_metrics::host::HostMeter::new()?))
}

#[cfg(feature = "cuda")]
fn device() -> Result<(Device, vram_metrics::cuda::pool::PoolMeter), Box<dyn std::error::Error>> {
    let meter =
        vram_metrics::cuda::pool::PoolMeter::new(&vram_metrics::driver::Driver::open()?.card(0)?)?;
    Ok((Device::new_cuda_with_stream(0)?, meter))
}

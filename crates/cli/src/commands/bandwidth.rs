//! `vram bandwidth`: how fast the device copies.

use candle_core::Device;
use miette::{IntoDiagnostic, miette};
use vram_console::device_flag::DeviceFlag;
use vram_console::reply::Reply;
use vram_launch::device::Place;
use vram_metrics::card_is_virtual;
use vram_workload::step::copy_rate::copy_rate;

use crate::flags::LineFormat;
use crate::on_card;

/// `vram bandwidth`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "Copies one ring state of that size into the next, as the step does, and counts bytes
read and written.

Examples:
  vram bandwidth
  vram bandwidth --device cpu --mib 256 --format json"
)]
pub struct Args {
    #[command(flatten)]
    device: DeviceFlag,
    /// Size of a state
    #[arg(long, value_name = "N", default_value = "1024", value_parser = clap::value_parser!(u32).range(1..))]
    mib: u32,
    /// How to print the rate
    #[arg(long, value_enum, default_value_t)]
    format: LineFormat,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match on_card::place(args.device.device)? {
        Place::Cuda(_, executable) => {
            refuse_virtual_card()?;
            on_card::exec(&executable)
        }
        Place::Cpu(_) => measure(args, &Device::Cpu),
    }
}

/// On a card.
#[cfg(feature = "cuda")]
pub(crate) fn run_on_card(args: &Args) -> miette::Result<Reply> {
    refuse_virtual_card()?;
    let card = super::probe::device::OpenCard::open(args.device.device)?;
    measure(args, &card.device)
}

/// How long nothing takes is no bandwidth.
fn refuse_virtual_card() -> miette::Result<()> {
    if !card_is_virtual() {
        return Ok(());
    }
    Err(miette!(
        help = "run it on a real card, without `vram dry-run`, or on the CPU: --device cpu",
        "a bandwidth is a time, and the card is virtual: it counts memory and copies nothing"
    ))
}

fn measure(args: &Args, device: &Device) -> miette::Result<Reply> {
    let _span = tracing::trace_span!("copy", args.mib).entered();
    let rate = copy_rate(device, (args.mib as usize) << 20).into_diagnostic()?;
    Ok(Reply::done(match args.format {
        LineFormat::Json => format!("{}\n", serde_json::json!({ "copy_bytes_per_s": rate })),
        LineFormat::Table => format!("{:.1} GB/s read plus written\n", rate / 1e9),
    }))
}

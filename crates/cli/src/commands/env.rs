//! `vram env`: the machine's facts.

use miette::IntoDiagnostic;
use vram_artifacts::env::Env;
use vram_console::device_flag::DeviceFlag;
use vram_console::reply::Reply;
use vram_launch::device::Place;
use vram_metrics::facts::DeviceFacts;

use crate::flags::ListFormat;
use crate::{machine, on_card};

/// `vram env`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    device: DeviceFlag,
    /// How to print the facts
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    match on_card::place(args.device.device)? {
        Place::Cuda(_, executable) => on_card::exec(&executable),
        Place::Cpu(why) => {
            let mut env = machine::env(DeviceFacts::host(), None, None);
            env.errors.extend(why.map(|why| format!("device: the CPU, since {why}")));
            reply(args, &env)
        }
    }
}

/// The facts of a card, with a context on it.
#[cfg(feature = "cuda")]
pub(crate) fn run_on_card(args: &Args) -> miette::Result<Reply> {
    let card = super::probe::device::OpenCard::open(args.device.device)?;
    let context = card.context();
    reply(args, &machine::env(card.facts, Some(context), None))
}

fn reply(args: &Args, env: &Env) -> miette::Result<Reply> {
    let json = serde_json::to_value(env).into_diagnostic()?;
    let text = match args.format {
        ListFormat::Json => format!("{json:#}\n"),
        ListFormat::Table => lines(&json),
    };
    Ok(Reply::done(text))
}

/// One fact a line; facts that cannot be had are the reasons in `errors`.
fn lines(json: &serde_json::Value) -> String {
    let mut text = String::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        match value {
            serde_json::Value::Null => {}
            serde_json::Value::Array(reasons) => {
                for reason in reasons.iter().filter_map(|r| r.as_str()) {
                    text += &format!("{:20} {reason}\n", "unknown");
                }
            }
            serde_json::Value::String(value) => text += &format!("{name:20} {value}\n"),
            value => text += &format!("{name:20} {value}\n"),
        }
    }
    text
}

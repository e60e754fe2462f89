//! `vram env`: the machine's facts.

use miette::IntoDiagnostic;
use serde_json::{Value, json};
use vram_artifacts::env::Env;
use vram_console::device_flag::DeviceFlag;
use vram_console::list_format::ListFormat;
use vram_console::reply::Reply;
use vram_launch::device::Place;
use vram_metrics::facts::DeviceFacts;
use vram_report::csv_text::csv_of;

use crate::{machine, on_card};

/// `vram env`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  vram env
  vram env --device cpu --format json")]
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
        ListFormat::Csv => csv(&json),
        ListFormat::Table => lines(&json),
    };
    Ok(Reply::done(text))
}

/// One fact a row, and a row for each reason why one is missing.
fn csv(json: &Value) -> String {
    let facts = json.as_object().into_iter().flatten().flat_map(|(name, value)| match value {
        Value::Array(values) => {
            values.iter().map(|value| json!({ "fact": name, "value": value })).collect()
        }
        value => vec![json!({ "fact": name, "value": value })],
    });
    csv_of(&["fact", "value"], &facts.collect::<Vec<_>>())
}

/// One fact a line; facts that cannot be had are the reasons in `errors`.
fn lines(json: &Value) -> String {
    let mut text = String::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(reasons) => {
                for reason in reasons.iter().filter_map(|r| r.as_str()) {
                    text += &format!("{:20} {reason}\n", "unknown");
                }
            }
            Value::String(value) => text += &format!("{name:20} {value}\n"),
            value => text += &format!("{name:20} {value}\n"),
        }
    }
    text
}

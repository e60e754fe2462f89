//! `vram presets`: named presets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use miette::{IntoDiagnostic, WrapErr};
use vram_presets::{Entry, Kind, Library, Origin, PresetError, Sweep};

use super::Reply;
use crate::args::ListFormat;
use crate::study::workload;
use crate::{Exit, terminal};

/// `vram presets`.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List every preset that has a name
    List {
        /// How to print the list
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Print every preset of a name
    Show {
        /// The name
        name: String,
    },
    /// Check files, or every preset that has a name, and report all that is wrong
    Check {
        /// Presets or whole workloads, TOML or JSON
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let library = super::library()?;
    match args {
        Args::List { format } => list(&library, *format),
        Args::Show { name } => show(&library, name),
        Args::Check { files } => Ok(check(&library, files)),
    }
}

fn list(library: &Library, format: ListFormat) -> miette::Result<Reply> {
    let entries = library.list();
    let rows = entries.iter().map(|e| [e.kind.to_string(), e.name.clone(), origin(&e.origin)]);
    let text = match format {
        ListFormat::Table => {
            let mut table = Table::new();
            table.load_style(UTF8_FULL_CONDENSED).set_header(["kind", "name", "from"]);
            table.add_rows(rows).to_string()
        }
        ListFormat::Json => {
            let list: Vec<_> = rows
                .map(|[kind, name, from]| serde_json::json!({ "kind": kind, "name": name, "from": from }))
                .collect();
            serde_json::to_string_pretty(&list).into_diagnostic()?
        }
    };
    Ok(Reply::done(text + "\n"))
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built-in".to_owned(),
        Origin::File(path) => path.display().to_string(),
        Origin::Inline => "inline".to_owned(),
    }
}

/// Every preset of this name, as the file that it could be read from.
fn show(library: &Library, name: &str) -> miette::Result<Reply> {
    let entries: Vec<Entry> = library.list().into_iter().filter(|e| e.name == name).collect();
    if entries.is_empty() {
        return Err(unknown(library, name));
    }
    let mut text = String::new();
    for entry in entries {
        let body = match entry.kind {
            Kind::Ant => toml::to_string(&library.ant(name)?.spec).into_diagnostic()?,
            Kind::Colony => toml::to_string(&library.colony(name)?.spec).into_diagnostic()?,
            Kind::Sweep => sweep(&library.sweep(name)?.spec),
            Kind::Calibration => library.calibration(name)?.spec,
        };
        let from = origin(&entry.origin);
        text += &format!("# {} {name} ({from})\n{}\n", entry.kind, body.trim_end());
    }
    Ok(Reply::done(text))
}

/// A name that no kind knows, with what every kind has like it.
fn unknown(library: &Library, name: &str) -> miette::Report {
    let errors = [
        library.ant(name).err(),
        library.colony(name).err(),
        library.sweep(name).err(),
        library.calibration(name).err(),
    ];
    let near = errors.into_iter().flatten().flat_map(|error| match error {
        PresetError::Unknown { nearest, .. } => nearest,
        _ => Vec::new(),
    });
    let near: Vec<String> = near.collect::<BTreeSet<_>>().into_iter().collect();
    let help = match near.join(" or ") {
        none if none.is_empty() => "`vram presets list` names them all".to_owned(),
        near => format!("did you mean {near}? `vram presets list` names them all"),
    };
    miette::miette!(help = help, "unknown preset `{name}`")
}

/// A sweep's rows, one a line.
fn sweep(sweep: &Sweep) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "id",
        "ant",
        "colony",
        "batch",
        "out_dim",
        "precision",
        "amp",
        "on demand",
        "note",
    ]);
    table.add_rows(sweep.rows.iter().map(|r| {
        let on_demand = if r.on_demand { "yes" } else { "" };
        [
            r.id.clone(),
            r.ant.clone(),
            r.colony.clone(),
            r.batch.to_string(),
            r.out_dim.to_string(),
            r.precision.to_string(),
            u8::from(r.amp).to_string(),
            on_demand.to_owned(),
            r.note.clone().unwrap_or_default(),
        ]
    }));
    table.to_string()
}

/// Checks all there is to check and reports every error, not only the first.
fn check(library: &Library, files: &[PathBuf]) -> Reply {
    let named = || {
        let check = |e: Entry| (format!("{} {}", e.kind, e.name), valid(library, e.kind, &e.name));
        library.list().into_iter().map(check).collect()
    };
    let given = || {
        let check = |path: &PathBuf| (path.display().to_string(), valid_file(library, path));
        files.iter().map(check).collect()
    };
    let results: Vec<(String, miette::Result<()>)> =
        if files.is_empty() { named() } else { given() };
    let mut exit = Exit::Done;
    let mut text = String::new();
    for (name, result) in results {
        match result {
            Ok(()) => text += &format!("ok   {name}\n"),
            Err(error) => {
                exit = Exit::Refused;
                text += &format!("bad  {name}\n");
                terminal::complain(&error);
            }
        }
    }
    Reply { text, exit }
}

fn valid(library: &Library, kind: Kind, arg: &str) -> miette::Result<()> {
    match kind {
        Kind::Ant => library.ant(arg).map(drop)?,
        Kind::Colony => library.colony(arg).map(drop)?,
        Kind::Sweep => valid_sweep(library, arg)?,
        Kind::Calibration => {
            let text = library.calibration(arg)?.spec;
            vram_fit::Calibration::from_toml(&text).into_diagnostic().wrap_err(arg.to_owned())?;
        }
    }
    Ok(())
}

/// A sweep is right only if the presets that its rows name are.
fn valid_sweep(library: &Library, arg: &str) -> miette::Result<()> {
    for row in library.sweep(arg)?.spec.rows {
        let spec = workload(library, &row).map_err(miette::Report::new);
        spec.wrap_err_with(|| format!("{arg}: row {}", row.id))?;
    }
    Ok(())
}

/// A file, whatever it holds: a whole workload is an ant and a colony.
fn valid_file(library: &Library, path: &Path) -> miette::Result<()> {
    // A bare file name would be taken for a preset's.
    let arg = Path::new(".").join(path).display().to_string();
    kinds(path).into_iter().try_for_each(|kind| valid(library, kind, &arg))
}

/// What a file holds, as its folder says, or else its keys.
fn kinds(path: &Path) -> Vec<Kind> {
    let folder = path.parent().and_then(Path::file_name);
    if let Some(kind) = Kind::ALL.into_iter().find(|k| folder.is_some_and(|f| f == k.folder())) {
        return vec![kind];
    }
    let keys = top_level_keys(path);
    let told = |kind: &Kind| telling_keys(*kind).iter().any(|t| keys.iter().any(|k| k == t));
    match Kind::ALL.into_iter().filter(told).collect::<Vec<_>>() {
        // The error says which keys an ant has.
        none if none.is_empty() => vec![Kind::Ant],
        kinds => kinds,
    }
}

/// Keys that this kind has and no other.
fn telling_keys(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Ant => &["ant_spec", "ring_len", "slot_dim"],
        Kind::Colony => &["colony_spec", "seq_len", "synth_len", "batch_size"],
        Kind::Sweep => &["row", "defaults"],
        Kind::Calibration => &["tier", "terms"],
    }
}

/// None where the file cannot be read: every kind reports that alike.
fn top_level_keys(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if let Ok(table) = text.parse::<toml::Table>() {
        return table.keys().cloned().collect();
    }
    let object: serde_json::Map<String, _> = serde_json::from_str(&text).unwrap_or_default();
    object.into_iter().map(|(key, _): (String, serde_json::Value)| key).collect()
}

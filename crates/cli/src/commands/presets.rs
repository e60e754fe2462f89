//! `vram presets`: named presets.

use std::path::{Path, PathBuf};

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use miette::IntoDiagnostic;
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
    let rows = entries
        .iter()
        .map(|e| [e.kind.to_string(), e.name.clone(), origin(&e.origin)]);
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

/// The kinds that have a preset of this name, each as it was parsed.
fn show(library: &Library, name: &str) -> miette::Result<Reply> {
    let entries: Vec<Entry> = library.list().into_iter().filter(|e| e.name == name).collect();
    if entries.is_empty() {
        // Every kind says the same but for its list of names: the ant's is as good as any.
        library.ant(name)?;
    }
    let mut text = String::new();
    for entry in entries {
        let body = match entry.kind {
            Kind::Ant => format!("{:#?}", library.ant(name)?.spec),
            Kind::Colony => format!("{:#?}", library.colony(name)?.spec),
            Kind::Sweep => sweep(&library.sweep(name)?.spec),
            Kind::Calibration => library.calibration(name)?.spec,
        };
        text += &format!("# {} {name} ({})\n{}\n", entry.kind, origin(&entry.origin), body.trim_end());
    }
    Ok(Reply::done(text))
}

/// A sweep's rows, one a line.
fn sweep(sweep: &Sweep) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(["id", "ant", "colony", "batch", "out_dim", "precision", "amp", "on demand", "note"]);
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
    let named = || library.list().into_iter().map(|e| (format!("{} {}", e.kind, e.name), check_entry(library, &e)));
    let given = files.iter().map(|path| (path.display().to_string(), check_file(library, path)));
    let results: Vec<(String, miette::Result<()>)> =
        if files.is_empty() { named().collect() } else { given.collect() };
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

fn check_entry(library: &Library, entry: &Entry) -> miette::Result<()> {
    let name = entry.name.as_str();
    match entry.kind {
        Kind::Ant => library.ant(name).map(drop)?,
        Kind::Colony => library.colony(name).map(drop)?,
        Kind::Sweep => check_sweep(library, name)?,
        Kind::Calibration => check_calibration(library, name)?,
    }
    Ok(())
}

/// A sweep is right only if the presets that its rows name are.
fn check_sweep(library: &Library, name: &str) -> miette::Result<()> {
    for row in library.sweep(name)?.spec.rows {
        workload(library, &row).map_err(|e| miette::Report::new(e).wrap_err(format!("row {}", row.id)))?;
    }
    Ok(())
}

fn check_calibration(library: &Library, name: &str) -> miette::Result<()> {
    let text = library.calibration(name)?.spec;
    vram_fit::Calibration::from_toml(&text).map(drop).into_diagnostic()
}

/// The folder says what a file is; elsewhere it is a workload or half of one.
fn check_file(library: &Library, path: &Path) -> miette::Result<()> {
    let folder = path.parent().and_then(Path::file_name).and_then(|f| f.to_str());
    let kind = Kind::ALL.into_iter().find(|k| Some(k.folder()) == folder);
    let arg = std::path::absolute(path).into_diagnostic()?.display().to_string();
    match kind {
        Some(Kind::Ant) => library.ant(&arg).map(drop)?,
        Some(Kind::Colony) => library.colony(&arg).map(drop)?,
        Some(Kind::Sweep) => check_sweep(library, &arg)?,
        Some(Kind::Calibration) => check_calibration(library, &arg)?,
        None => {
            let ant = library.ant(&arg).map(drop);
            let colony = library.colony(&arg).map(drop);
            // One of the two halves is enough, and the nearer error is the more useful one.
            if let (Err(ant), Err(colony)) = (ant, colony) {
                let missing = matches!(ant, PresetError::Missing { .. });
                return Err(if missing { colony } else { ant }.into());
            }
        }
    }
    Ok(())
}

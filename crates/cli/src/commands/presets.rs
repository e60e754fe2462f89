//! `vram presets`: named presets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use miette::{IntoDiagnostic, miette};
use serde_json::{Value, json};
use vram_artifacts::calibration;
use vram_artifacts::steps::steps_total;
use vram_console::exit::Exit;
use vram_console::list_format::{FORMATS, ListFormat};
use vram_console::presets::library;
use vram_console::reply::Reply;
use vram_console::terminal;
use vram_presets::error::PresetError;
use vram_presets::kind::PresetKind;
use vram_presets::library::{Library, Origin, PresetEntry};
use vram_presets::name::check_name;
use vram_presets::sweep::{Sweep, SweepRow};
use vram_report::csv_text::csv_of;
use vram_report::table::{Column, Style, Table, or_dash};
use vram_source::escape;
use vram_source::text::Source;
use vram_workload::shape::Shape;

/// What `--help` says after the subcommands.
pub(crate) const EXAMPLES: &str = "Examples:
  vram presets list
  vram presets show od1_canon_small
  vram presets check my_ant.toml

Presets are TOML files in presets/ants, presets/colonies, presets/sweeps and presets/calibrations, of
the working directory or one above it, before those that are built in.";

/// `vram presets`.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List every preset that has a name
    #[command(after_long_help = "Examples:
  vram presets list
  vram presets list --format json")]
    List {
        /// How to print the list
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Print every preset of a name
    #[command(after_long_help = "Examples:
  vram presets show od1_canon_small
  vram presets show vra34")]
    Show {
        /// The name
        name: String,
    },
    /// Check files, or every preset that has a name, and report all that is wrong
    #[command(after_long_help = "Examples:
  vram presets check
  vram presets check my_ant.toml sweeps/mine.toml")]
    Check {
        /// Presets or whole workloads: TOML, or JSON for ants, colonies and whole workloads
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(args: &Args) -> miette::Result<Reply> {
    let library = library()?;
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
        ListFormat::Table => Table::new(["kind", "name", "from"])
            .with_rows(rows)
            .also_as(FORMATS)
            .draw(Style::Terminal),
        ListFormat::Json => serde_json::to_string_pretty(&records(rows)).into_diagnostic()? + "\n",
        ListFormat::Csv => csv_of(&["kind", "name", "from"], &records(rows)),
    };
    Ok(Reply::done(text))
}

fn records(rows: impl Iterator<Item = [String; 3]>) -> Vec<Value> {
    rows.map(|[kind, name, from]| json!({ "kind": kind, "name": name, "from": from })).collect()
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
    let entries: Vec<PresetEntry> = library.list().into_iter().filter(|e| e.name == name).collect();
    if entries.is_empty() {
        return Err(unknown(library, name));
    }
    let mut text = String::new();
    for entry in entries {
        let body = match entry.kind {
            PresetKind::Ant => toml::to_string(&library.ant(name)?.spec).into_diagnostic()?,
            PresetKind::Colony => toml::to_string(&library.colony(name)?.spec).into_diagnostic()?,
            PresetKind::Sweep => sweep(&library.sweep(name)?.spec),
            PresetKind::Calibration => library.calibration(name)?.spec.text().to_owned(),
        };
        let from = origin(&entry.origin);
        let title = format!("{} {name} ({from})", entry.kind);
        text += &format!("# {}\n{}\n", escape::line(&title), body.trim_end());
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
    miette!(help = help, "unknown preset `{name}`")
}

/// A sweep's rows, one a line.
fn sweep(sweep: &Sweep) -> String {
    let columns =
        [
            Column::text("id", 0, |row: &SweepRow| row.id.clone()),
            Column::text("ant", 0, |row: &SweepRow| row.ant.clone()),
            Column::text("colony", 0, |row: &SweepRow| row.colony.clone()),
            Column::text("batch", 0, |row: &SweepRow| row.batch.to_string()),
            Column::text("out_dim", 3, |row: &SweepRow| row.out_dim.to_string()),
            Column::text("precision", 1, |row: &SweepRow| {
                or_dash(row.precision, |precision| precision.to_string())
            }),
            Column::text("amp", 3, |row: &SweepRow| {
                or_dash(row.amp, |amp| u8::from(amp).to_string())
            }),
            Column::text("step", 2, |row: &SweepRow| row.step.to_string()),
            Column::text("tape", 2, |row: &SweepRow| or_dash(row.tape, |tape| tape.to_string())),
            Column::text("on demand", 2, |row: &SweepRow| {
                if row.on_demand { "yes".to_owned() } else { String::new() }
            }),
            Column::text("note", 4, |row: &SweepRow| row.note.clone().unwrap_or_default()),
        ];
    Table::of(&columns, &sweep.rows).also_as("a pipe (| less -S)").draw(Style::Terminal)
}

/// Checks all there is to check and reports every fault, not only the first.
fn check(library: &Library, files: &[PathBuf]) -> Reply {
    let named = || {
        let check = |e: PresetEntry| (format!("{} {}", e.kind, e.name), faults_of(library, &e));
        library.list().into_iter().map(check).collect()
    };
    let given = || {
        let check = |path: &PathBuf| (path.display().to_string(), faults_in(library, path));
        files.iter().map(check).collect()
    };
    let results: Vec<(String, Found)> = if files.is_empty() { named() } else { given() };
    let mut text = String::new();
    let (mut bad, mut errors) = (0, 0);
    for (name, found) in &results {
        let verdict = if found.total == 0 { "ok  " } else { "bad " };
        text += &format!("{verdict} {}\n", escape::line(name));
        bad += usize::from(found.total > 0);
        errors += found.total;
        found.reports.iter().for_each(terminal::complain);
        if found.total > found.reports.len() {
            let more = found.total - found.reports.len();
            terminal::warn(&format!("and {more} more errors in {}", escape::line(name)));
        }
    }
    if bad == 0 {
        return Reply::done(text);
    }
    let plural = if errors == 1 { "" } else { "s" };
    text += &format!("{errors} error{plural} in {bad} of {}\n", results.len());
    Reply { text, exit: Exit::Refused }
}

/// What is wrong with a preset.
#[derive(Default)]
struct Found {
    /// As many as are worth reading.
    reports: Vec<miette::Report>,
    total: usize,
}

impl Found {
    fn note(&mut self, report: miette::Report) {
        self.total += 1;
        self.reports.push(report);
    }

    /// Every fault of a text is one error.
    fn note_preset(&mut self, error: PresetError) {
        match error {
            PresetError::Parse(faults) => {
                self.total += faults.total();
                self.reports.extend(faults.iter().cloned().map(miette::Report::new));
            }
            other => self.note(other.into()),
        }
    }
}

/// What is wrong with a preset that has a name, and with the name.
fn faults_of(library: &Library, entry: &PresetEntry) -> Found {
    let mut found = Found::default();
    if let Err(error) = check_name(&entry.name) {
        found.note_preset(error);
    }
    check_kind(library, entry.kind, &entry.name, &mut found);
    found
}

/// What is wrong with a file, whatever it holds: a whole workload is an ant and a colony.
fn faults_in(library: &Library, path: &Path) -> Found {
    let mut found = Found::default();
    let stem = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    if let Err(error) = check_name(&stem) {
        found.note_preset(error);
    }
    // A bare file name would be taken for a preset's.
    let arg = Path::new(".").join(path).display().to_string();
    for kind in kinds(path) {
        let mut of_kind = Found::default();
        check_kind(library, kind, &arg, &mut of_kind);
        // A whole workload is checked as one: its other half has the same faults.
        if of_kind.total > 0 {
            found.total += of_kind.total;
            found.reports.extend(of_kind.reports);
            break;
        }
    }
    found
}

fn check_kind(library: &Library, kind: PresetKind, arg: &str, found: &mut Found) {
    let error = match kind {
        PresetKind::Ant => library.ant(arg).err(),
        PresetKind::Colony => library.colony(arg).err(),
        PresetKind::Calibration => calibration::load(library, arg).err(),
        PresetKind::Sweep => match library.sweep(arg) {
            Ok(sweep) => return check_rows(library, arg, &sweep.spec, found),
            Err(error) => Some(error),
        },
    };
    if let Some(error) = error {
        found.note_preset(error);
    }
}

/// A sweep is right only if the presets that its rows name are, and the rows can run.
fn check_rows(library: &Library, arg: &str, sweep: &Sweep, found: &mut Found) {
    let mut told = BTreeSet::new();
    for row in &sweep.rows {
        let in_row = |report: miette::Report| report.wrap_err(format!("{arg}: row {}", row.id));
        let error = match library.workload(row) {
            Err(error) => {
                // Rows that name one bad preset are told of it once.
                if !told.insert(error.to_string()) {
                    continue;
                }
                miette::Report::new(error)
            }
            Ok(spec) => {
                if let Err(error) = Shape::new(&spec, row.out_dim, row.amp_of(&spec)) {
                    found.note(in_row(miette!("{error}")));
                }
                match steps_total(row.warmup_steps, row.measure_steps) {
                    Err(error) => error.into(),
                    Ok(_) => continue,
                }
            }
        };
        found.note(in_row(error));
    }
}

/// What a file holds, as its folder says, or else its keys.
fn kinds(path: &Path) -> Vec<PresetKind> {
    let folder = path.parent().and_then(Path::file_name);
    if let Some(kind) =
        PresetKind::ALL.iter().copied().find(|k| folder.is_some_and(|f| f == k.folder()))
    {
        return vec![kind];
    }
    // One that cannot be read has no keys: every kind reports that alike.
    let Ok(source) = Source::read(path) else { return vec![PresetKind::Ant] };
    let check = vram_source::check::Check::new(&source);
    let Ok(table) = check.document() else { return vec![PresetKind::Ant] };
    let told = |kind: &PresetKind| telling_keys(*kind).iter().any(|key| table.has(key));
    match PresetKind::ALL.iter().copied().filter(told).collect::<Vec<_>>() {
        // The error says which keys an ant has.
        none if none.is_empty() => vec![PresetKind::Ant],
        kinds => kinds,
    }
}

/// Keys that this kind has and no other.
fn telling_keys(kind: PresetKind) -> &'static [&'static str] {
    match kind {
        PresetKind::Ant => &["ant_spec", "ring_len", "slot_dim"],
        PresetKind::Colony => &["colony_spec", "seq_len", "synth_len", "batch_size"],
        PresetKind::Sweep => &["row", "defaults"],
        PresetKind::Calibration => &["tier", "terms"],
    }
}

//! Where a program's bytes are, as the subcommands that run one share it.

use std::path::Path;

use miette::{IntoDiagnostic, miette};
use vram_artifacts::atomic::write_atomically;
use vram_console::terminal;
use vram_places::profile::{Profile, SetMark};
use vram_report::program::ProgramReport;
use vram_virtual_card::recording::{MarkKind, Process, Recording};
use vram_virtual_card::run::Output;

use crate::flags::{PlacesFlags, ReportFormat};

impl PlacesFlags {
    /// Whether stacks have to be written down.
    pub(crate) fn want_stacks(&self) -> bool {
        self.stacks || self.files().next().is_some()
    }

    /// The profile of the process that asked for the most, where stacks are wanted and some of it was of a
    /// card.
    pub(crate) fn profile(&self, recording: &Recording) -> Option<Profile> {
        let process: &Process = recording.processes.first().filter(|_| self.want_stacks())?;
        let marks: Vec<SetMark<'_>> = process
            .marks
            .iter()
            .filter(|mark| mark.kind == MarkKind::Mark)
            .map(|mark| SetMark { name: &mark.name, steps: mark.steps })
            .collect();
        let profile = Profile::new(process.requests.as_ref()?, &process.program, &marks);
        (profile.peak_bytes > 0).then_some(profile)
    }

    /// The files that are to be written.
    fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.folded, &self.html].into_iter().flatten().map(|path| path.as_path())
    }

    /// Refuses files that cannot be written, before a program runs for nothing.
    pub(crate) fn refuse_unwritable(&self) -> miette::Result<()> {
        for file in self.files() {
            let unwritable = |cause: &dyn std::fmt::Display| {
                miette!(
                    help = "name a file in a directory that can be written",
                    "cannot write {}: {cause}",
                    file.display()
                )
            };
            if file.is_dir() {
                return Err(unwritable(&"it is a directory"));
            }
            let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            tempfile::tempfile_in(directory.unwrap_or(Path::new(".")))
                .map_err(|error| unwritable(&error))?;
        }
        Ok(())
    }

    /// Writes the files that are wanted.
    pub(crate) fn write(
        &self,
        profile: Option<&Profile>,
        report: &ProgramReport<'_>,
    ) -> miette::Result<()> {
        if let Some(file) = &self.html {
            write_atomically(file, report.html().as_bytes())?;
        }
        match (&self.folded, profile) {
            (Some(file), Some(profile)) => write_atomically(file, profile.folded().as_bytes())?,
            (Some(file), None) => {
                tracing::error!("{} is not written: nothing was allocated", file.display());
            }
            (None, _) => {}
        }
        Ok(())
    }
}

/// Where a program's output goes while its report is printed so.
pub(crate) fn output(format: ReportFormat) -> Output {
    match format {
        ReportFormat::Table => Output::Through,
        ReportFormat::Json | ReportFormat::Markdown => Output::ToStderr,
    }
}

/// What stdout is to have of a report: one for reading goes to stderr, beside the program's output.
pub(crate) fn printed(format: ReportFormat, report: &ProgramReport<'_>) -> miette::Result<String> {
    Ok(match format {
        ReportFormat::Json => serde_json::to_string_pretty(report).into_diagnostic()? + "\n",
        ReportFormat::Markdown => report.markdown(),
        ReportFormat::Table => {
            terminal::warn(report.text().trim_end());
            String::new()
        }
    })
}

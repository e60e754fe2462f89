//! A report on a program that ran, on a virtual card or on a real one: one report for a terminal, for
//! Markdown, for a browser and for programs.

mod blocks;
mod dry_run_contents;
mod dry_run_sections;
mod happened;
mod happened_sections;
mod html;
mod markdown;
mod places;
mod terminal;
mod timeline;
mod trace_contents;
mod trace_sections;

use serde::Serialize;
use vram_places::profile::Profile;
use vram_virtual_card::card::Card;
use vram_virtual_card::dry_run::DryRun;
use vram_virtual_card::trace::Traced;

use blocks::Block;
use dry_run_contents::DryRunContents;
use trace_contents::TraceContents;

/// What a program that ran takes of a card, and where in the program. Serialised, it is what
/// `--format json` prints.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ProgramReport<'a> {
    contents: Contents<'a>,
    #[serde(skip)]
    profile: Option<&'a Profile>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Contents<'a> {
    DryRun(DryRunContents<'a>),
    Trace(TraceContents<'a>),
}

impl<'a> ProgramReport<'a> {
    /// Of a dry run of `program` on `card`; with the profile of its first run's process that asked for
    /// the most, where stacks were asked for.
    pub fn of_dry_run(
        program: &'a [String],
        card: &'a Card,
        dry_run: &'a DryRun,
        profile: Option<&'a Profile>,
    ) -> Self {
        let contents = DryRunContents::new(program, card, dry_run, profile);
        Self { contents: Contents::DryRun(contents), profile }
    }

    /// Of a trace of `program`; with the profile of its process that asked for the most, where stacks
    /// were asked for.
    pub fn of_trace(
        program: &'a [String],
        traced: &'a Traced,
        profile: Option<&'a Profile>,
    ) -> Self {
        Self { contents: Contents::Trace(TraceContents::new(program, traced, profile)), profile }
    }

    /// For reading. In a narrow terminal columns of tables are left out, and places shortened.
    pub fn text(&self) -> String {
        terminal::text(&self.blocks())
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::markdown(&self.title(), &self.blocks())
    }

    /// As one file for a browser, which needs nothing else; with what was alive over time, where there
    /// is a profile.
    pub fn html(&self) -> String {
        html::page(&self.title(), &self.blocks(), self.profile)
    }

    fn blocks(&self) -> Vec<Block> {
        match &self.contents {
            Contents::DryRun(contents) => dry_run_sections::sections(contents),
            Contents::Trace(contents) => trace_sections::sections(contents),
        }
    }

    fn title(&self) -> String {
        let program = match &self.contents {
            Contents::DryRun(contents) => contents.program,
            Contents::Trace(contents) => contents.program,
        };
        format!("GPU memory of {}", program.join(" "))
    }
}

//! What a report consists of, before it is written in any medium.

use crate::chart::drawing::Drawing;
use crate::chart::legend::Legend;
use crate::table::{Style, Table};

use super::prose::Prose;

/// A report.
#[derive(Debug)]
pub(super) struct Contents {
    pub title: &'static str,
    /// What stands before the first section.
    pub opening: Vec<Part>,
    pub sections: Vec<Section>,
}

/// Parts under a heading.
#[derive(Debug)]
pub(super) struct Section {
    pub title: &'static str,
    pub parts: Vec<Part>,
}

/// A part of a report.
#[derive(Debug)]
pub(super) enum Part {
    /// Names with what they say, a line each.
    Facts(Vec<(&'static str, String)>),
    Prose(Prose),
    /// Rows, and how they are drawn in Markdown.
    Table(Table, Style),
    /// Names with what is said of them, a line each.
    Items(Vec<(String, String)>),
    /// Command lines.
    Commands(Vec<String>),
    Figure(Figure),
}

/// Drawings under a legend.
#[derive(Debug)]
pub(super) struct Figure {
    /// What they show.
    pub caption: &'static str,
    pub legend: Legend,
    pub drawings: Vec<Drawing>,
    /// The file beside the report that holds them, for a medium that has none of its own.
    pub file: Option<&'static str>,
}

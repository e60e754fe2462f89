//! Two amounts of bytes for each of some rows, as bars beside each other.

use vram_artifacts::run_record::RunRecord;

use super::contents::Figure;
use crate::chart::bars::{self, Bar, Bars, Group, Part};
use crate::chart::drawing::Drawing;
use crate::chart::legend::{Legend, Shape};
use crate::units::{exactly, fixed};

/// Two amounts of bytes for each row.
#[derive(Debug)]
pub(super) struct Pairs {
    /// What both are.
    pub what: &'static str,
    /// Class of colours and name of the first and the second.
    pub kinds: [Kind; 2],
    pub rows: Vec<(String, [u64; 2])>,
}

/// A class of colours, and what is shown in them.
type Kind = (&'static str, &'static str);

/// Rows of a drawing.
const ROWS: usize = 10;

impl Pairs {
    /// Peak allocated of two runs of one workload each; rows that lack one are left out.
    pub fn allocated(kinds: [Kind; 2], pairs: &[(&RunRecord, &RunRecord)]) -> Self {
        let peak = |run: &RunRecord| run.metrics.peak_vram_allocated_bytes;
        let row = |&(one, other): &(&RunRecord, &RunRecord)| {
            Some((one.id.clone(), [peak(one)?, peak(other)?]))
        };
        Self { what: "peak allocated", kinds, rows: pairs.iter().filter_map(row).collect() }
    }

    /// The bars of every row; none where there is no row.
    pub fn figure(&self, caption: &'static str) -> Option<Figure> {
        let (legend, drawings) = (self.legend(), self.drawings());
        (!drawings.is_empty()).then_some(Figure { caption, legend, drawings, file: None })
    }

    fn legend(&self) -> Legend {
        let kinds = self.kinds.into_iter();
        kinds
            .fold(Legend::default(), |legend, (class, name)| legend.with(Shape::Block, class, name))
    }

    /// So many rows to a drawing, all on one scale.
    fn drawings(&self) -> Vec<Drawing> {
        let end = self.rows.iter().flat_map(|(_, pair)| pair).copied().max().unwrap_or(0);
        let chunks = self.rows.chunks(ROWS);
        let draw = |rows: &[(String, [u64; 2])]| {
            let groups = rows.iter().map(|row| self.group(row)).collect();
            let title = match rows {
                [(only, _)] => only.clone(),
                [(first, _), .., (last, _)] => format!("{first} to {last}"),
                [] => String::new(),
            };
            bars::draw(&Bars { width: bars::WIDTH, title, what: self.what, end, groups })
        };
        chunks.map(draw).collect()
    }

    fn group(&self, (row, pair): &(String, [u64; 2])) -> Group {
        let [first, second] = pair.map(|bytes| bytes as f64);
        let ratio = (first > 0.0).then(|| {
            let [(_, name), (_, other)] = self.kinds;
            format!("{other} / {name} {}", fixed(second / first, 3))
        });
        let says = |name: &str, bytes| {
            let lines = [row.clone(), format!("{name} {}", exactly(bytes))];
            lines.into_iter().chain(ratio.clone()).collect()
        };
        let bar = |((class, name), bytes): (Kind, u64)| Bar {
            parts: vec![Part { class: class.into(), bytes }],
            ticks: Vec::new(),
            value: Some(bytes),
            says: says(name, bytes),
        };
        let bars = self.kinds.into_iter().zip(*pair).map(bar).collect();
        Group { name: row.clone(), bars }
    }
}

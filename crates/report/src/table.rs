//! The one way in which a table is drawn, for a terminal and for a report.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement};
use vram_source::escape;

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a terminal. In a narrow one columns that may go are left out; where none may, cells wrap.
    /// In a pipe neither happens.
    Terminal,
    /// For a report, its columns aligned.
    Markdown,
    /// For a report, its cells as short as they are.
    Compact,
}

/// Rows of text under headings. What cells hold is escaped for where the table is shown.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heads: Vec<Head>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Head {
    text: String,
    is_number: bool,
    /// Columns of the highest rank are the first to go where there is no room; 0 stays.
    rank: u8,
}

/// A column of a table of `T`s.
pub struct Column<'a, T> {
    head: Head,
    cell: Box<dyn Fn(&T) -> String + 'a>,
}

impl<'a, T> Column<'a, T> {
    /// Text. Columns of the highest rank are the first to go where there is no room; 0 stays.
    pub fn text(head: &str, rank: u8, cell: impl Fn(&T) -> String + 'a) -> Self {
        let head = Head { text: head.to_owned(), is_number: false, rank };
        Self { head, cell: Box::new(cell) }
    }

    /// A number, at the right of its column; ranks as in [`Column::text`].
    pub fn number(head: &str, rank: u8, cell: impl Fn(&T) -> String + 'a) -> Self {
        let text = Self::text(head, rank, cell);
        Self { head: Head { is_number: true, ..text.head }, ..text }
    }
}

impl Table {
    /// A table without rows, its columns text.
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        let head = |text: &str| Head { text: text.to_owned(), is_number: false, rank: 0 };
        Self { heads: heads.map(head).into(), rows: Vec::new() }
    }

    /// The table of these columns.
    pub fn of<T>(columns: &[Column<'_, T>], rows: &[T]) -> Self {
        let cells = |row| columns.iter().map(|column| (column.cell)(row)).collect();
        Self {
            heads: columns.iter().map(|column| column.head.clone()).collect(),
            rows: rows.iter().map(cells).collect(),
        }
    }

    /// The same with the columns from this one on being numbers.
    pub fn numbers_from(mut self, column: usize) -> Self {
        self.heads.iter_mut().skip(column).for_each(|head| head.is_number = true);
        self
    }

    /// The same with these rows below its own, each of as many cells as there are columns.
    pub fn with_rows<const N: usize>(
        mut self,
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Self {
        self.rows.extend(rows.into_iter().map(Vec::from));
        self
    }

    /// The table, with a newline at the end of each line.
    pub fn draw(&self, style: Style) -> String {
        self.draw_what_fits(style).0
    }

    /// The table, and whether columns were left out of it for want of room.
    pub(crate) fn draw_what_fits(&self, style: Style) -> (String, bool) {
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        loop {
            let (text, room) = match style {
                Style::Compact => (self.compact(), None),
                Style::Terminal | Style::Markdown => self.aligned(&shown, style),
            };
            let width = text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
            let last = shown.iter().map(|&i| self.heads[i].rank).max().unwrap_or(0);
            if last == 0 || room.is_none_or(|room| width <= room) {
                return (text, shown.len() < self.heads.len());
            }
            shown.retain(|&i| self.heads[i].rank < last);
        }
    }

    /// These columns, and the terminal's width where they are for one.
    fn aligned(&self, shown: &[usize], style: Style) -> (String, Option<usize>) {
        let mut table = comfy_table::Table::new();
        let is_terminal = style == Style::Terminal;
        table.load_style(if is_terminal { UTF8_FULL_CONDENSED } else { ASCII_MARKDOWN });
        let room = table.width().map(usize::from).filter(|_| is_terminal);
        let wraps = is_terminal && self.heads.iter().all(|head| head.rank == 0);
        table.set_content_arrangement(match wraps {
            true => ContentArrangement::Dynamic,
            false => ContentArrangement::Disabled,
        });
        let show = |cell: &String| match is_terminal {
            true => escape::line(cell).into_owned(),
            false => escape::markdown(cell),
        };
        table.set_header(shown.iter().map(|&i| self.heads[i].text.clone()));
        table.add_rows(
            self.rows.iter().map(|row| shown.iter().map(|&i| show(&row[i])).collect::<Vec<_>>()),
        );
        for (drawn, &i) in table.column_iter_mut().zip(shown) {
            if self.heads[i].is_number {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        (lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect(), room)
    }

    fn compact(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let heads = line(self.heads.iter().map(|head| head.text.clone()).collect());
        let rule = "|---".repeat(self.heads.len()) + "|\n";
        let rows = self.rows.iter();
        let rows = rows.map(|row| line(row.iter().map(|cell| escape::markdown(cell)).collect()));
        heads + &rule + &rows.collect::<String>()
    }
}

/// A cell for a value that may be missing.
pub fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let rows = [["a|b", "7"], ["c", "10"]];
        Table::new(["name", "n"]).numbers_from(1).with_rows(rows.map(|row| row.map(str::to_owned)))
    }

    #[test]
    fn one_table_is_drawn_for_each_reader() {
        assert_eq!(
            table().draw(Style::Compact),
            "| name | n |\n|---|---|\n| a\\|b | 7 |\n| c | 10 |\n"
        );
        assert_eq!(
            table().draw(Style::Markdown),
            "| name |  n |\n|------|----|\n| a\\|b |  7 |\n| c    | 10 |\n"
        );
        assert!(table().draw(Style::Terminal).contains("│ a|b  ┆  7 │"));
    }

    #[test]
    fn columns_have_heads_and_cells_in_one_place() {
        let columns = [
            Column::text("name", 0, |n: &u32| format!("n{n}")),
            Column::number("square", 1, |n: &u32| (n * n).to_string()),
        ];
        let (text, left_out) = Table::of(&columns, &[2, 12]).draw_what_fits(Style::Markdown);
        assert_eq!(
            text,
            "| name | square |\n|------|--------|\n| n2   |      4 |\n| n12  |    144 |\n"
        );
        assert!(!left_out);
    }
}

//! The one way in which a table is drawn, for a terminal and for a report.

pub(crate) mod room;

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ContentArrangement};
use maud::{Markup, html};
use vram_source::escape;

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a terminal. In a narrow one heads wrap and columns are left out, which is said below; in a pipe
    /// neither happens.
    Terminal,
    /// For a report, its columns aligned.
    Markdown,
    /// For a report, its cells as short as they are.
    Compact,
}

/// Rows of text under headings. What cells hold is escaped for where the table is shown.
#[derive(Debug, Clone)]
pub struct Table {
    heads: Vec<Head>,
    rows: Vec<Vec<String>>,
    /// How the command prints what a terminal has no room for.
    formats: &'static str,
}

/// What every command has that prints a table.
const FORMATS: &str = "--format json";

#[derive(Debug, Clone)]
struct Head {
    text: String,
    is_number: bool,
    /// Columns of the highest rank are the first to go where there is no room, of equals the last one.
    rank: u8,
    /// Whether its cells may lose their ends in a terminal.
    may_be_cut: bool,
}

/// Columns go before cells are cut to less than this, and nothing is cut to less than that.
const WELL_CUT: usize = 36;
const MOST_CUT: usize = 8;
/// Text of more characters takes more than a line of a page.
const LONG: usize = 40;

/// A column of a table of `T`s.
pub struct Column<'a, T> {
    head: Head,
    cell: Box<dyn Fn(&T) -> String + 'a>,
}

impl<'a, T> Column<'a, T> {
    /// Text. Columns of the highest rank are the first to go where there is no room, of equals the last
    /// one; the first column stays.
    pub fn text(head: &str, rank: u8, cell: impl Fn(&T) -> String + 'a) -> Self {
        let head = Head { text: head.to_owned(), is_number: false, rank, may_be_cut: false };
        Self { head, cell: Box::new(cell) }
    }

    /// Text that stays, and that loses its end where a terminal has no room for all of it.
    pub fn shortened(head: &str, cell: impl Fn(&T) -> String + 'a) -> Self {
        let text = Self::text(head, 0, cell);
        Self { head: Head { may_be_cut: true, ..text.head }, ..text }
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
        let head = |text: &str| Head {
            text: text.to_owned(),
            is_number: false,
            rank: 0,
            may_be_cut: false,
        };
        Self { heads: heads.map(head).into(), rows: Vec::new(), formats: FORMATS }
    }

    /// The table of these columns.
    pub fn of<T>(columns: &[Column<'_, T>], rows: &[T]) -> Self {
        let cells = |row| columns.iter().map(|column| (column.cell)(row)).collect();
        Self {
            heads: columns.iter().map(|column| column.head.clone()).collect(),
            rows: rows.iter().map(cells).collect(),
            formats: FORMATS,
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

    /// The same with these formats of the command named where columns are left out.
    pub fn also_as(self, formats: &'static str) -> Self {
        Self { formats, ..self }
    }

    /// The table, with a newline at the end of each line. Below it stands which columns a terminal had no
    /// room for.
    pub fn draw(&self, style: Style) -> String {
        let (text, left_out) = self.draw_what_fits(style);
        text + &self.announce(&left_out)
    }

    /// The table, and the heads of the columns that were left out of it for want of room.
    pub(crate) fn draw_what_fits(&self, style: Style) -> (String, Vec<&str>) {
        match style {
            Style::Compact => (self.compact(), Vec::new()),
            Style::Markdown => self.fitted(style, None),
            // In a pipe there is no width.
            Style::Terminal => self.fitted(style, room::width()),
        }
    }

    /// Which columns are left out, and how they are seen: nothing where there are none.
    pub(crate) fn announce(&self, left_out: &[&str]) -> String {
        if left_out.is_empty() {
            return String::new();
        }
        // Two columns may have one head: the errors of two estimates.
        let mut named = left_out.to_vec();
        named.dedup();
        let text = format!(
            "no room for {}: a wider terminal or {} shows {}\n",
            named.join(", "),
            self.formats,
            if named.len() == 1 { "it" } else { "them" }
        );
        room::lines(&text)
    }

    /// As wide as `room`, where there is one: heads become lines of words, then what may be cut is, then
    /// columns go, the least needed first. The first one stays.
    fn fitted(&self, style: Style, room: Option<usize>) -> (String, Vec<&str>) {
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        loop {
            let left_out = || {
                let gone = (0..self.heads.len()).filter(|i| !shown.contains(i));
                gone.map(|i| self.heads[i].text.as_str()).collect()
            };
            let text = self.aligned(&shown, style, false, None);
            let Some(room) = room.filter(|room| width_of(&text) > *room) else {
                return (text, left_out());
            };
            let text = self.aligned(&shown, style, true, None);
            let width = width_of(&text);
            if width <= room {
                return (text, left_out());
            }
            let may_go = shown.iter().skip(1).copied().filter(|&i| !self.heads[i].may_be_cut);
            let next = may_go.max_by_key(|&i| (self.heads[i].rank, i));
            if let Some(cut) = shown.iter().copied().find(|&i| self.heads[i].may_be_cut) {
                let left = self.widest_cell(cut).saturating_sub(width - room);
                // What stays unless there is nothing else is worth more than the end of a long cell.
                if left >= WELL_CUT || next.is_none_or(|i| self.heads[i].rank == 0) {
                    let cut = Some((cut, left.max(MOST_CUT)));
                    return (self.aligned(&shown, style, true, cut), left_out());
                }
            }
            let Some(next) = next else { return (text, left_out()) };
            shown.retain(|&i| i != next);
        }
    }

    fn widest_cell(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    }

    /// A head, in lines that are no wider than the column has to be.
    fn head(&self, column: usize) -> String {
        let text = &self.heads[column].text;
        let word = text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        room::wrapped(text, self.widest_cell(column).max(word))
    }

    /// These columns; their heads in lines where that is wanted, and the cells of one of them cut to so many
    /// characters.
    fn aligned(
        &self,
        shown: &[usize],
        style: Style,
        heads_in_lines: bool,
        cut: Option<(usize, usize)>,
    ) -> String {
        let mut table = comfy_table::Table::new();
        let is_terminal = style == Style::Terminal;
        table.load_style(if is_terminal { UTF8_FULL_CONDENSED } else { ASCII_MARKDOWN });
        table.set_content_arrangement(ContentArrangement::Disabled);
        let show = |row: &[String], i: usize| {
            let cell = match cut.filter(|(column, _)| *column == i) {
                Some((_, most)) => room::cut_to(&row[i], most),
                None => row[i].clone(),
            };
            match is_terminal {
                true => escape::line(&cell).into_owned(),
                false => escape::markdown(&cell),
            }
        };
        table.set_header(shown.iter().map(|&i| match heads_in_lines {
            true => self.head(i),
            false => self.heads[i].text.clone(),
        }));
        table.add_rows(
            self.rows
                .iter()
                .map(|row| shown.iter().map(|&i| show(row, i)).collect::<Vec<String>>()),
        );
        for (drawn, &i) in table.column_iter_mut().zip(shown) {
            if self.heads[i].is_number {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.to_string();
        lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// As an element of HTML.
    pub(crate) fn html(&self) -> Markup {
        let class = |i: usize, text: &str| match self.heads[i].is_number {
            true => Some("number"),
            false => (text.chars().count() > LONG).then_some("long"),
        };
        html! {
            table {
                thead { tr {
                    @for (i, head) in self.heads.iter().enumerate() {
                        th class=[class(i, "")] { (escape::line(&head.text)) }
                    }
                } }
                tbody {
                    @for row in &self.rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                td class=[class(i, cell)] { (escape::line(cell)) }
                            }
                        }
                    }
                }
            }
        }
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

fn width_of(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// A cell for a value that may be missing.
pub fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let table = Table::of(&columns, &[2, 12]);
        let (text, left_out) = table.draw_what_fits(Style::Markdown);
        assert_eq!(
            text,
            "| name | square |\n|------|--------|\n| n2   |      4 |\n| n12  |    144 |\n"
        );
        assert!(left_out.is_empty());
    }

    #[test]
    fn a_narrow_terminal_cuts_what_may_be_cut_and_no_number() {
        let long = "transformer::Attention::forward → Linear::forward → Tensor::matmul";
        let columns = [
            Column::number("bytes", 0, |_: &&str| "12,345,678".to_owned()),
            Column::text("class", 1, |_: &&str| "activations".to_owned()),
            Column::shortened("place", |place: &&str| (*place).to_owned()),
            Column::text("at", 3, |_: &&str| "transformer.rs:93".to_owned()),
        ];
        let table = Table::of(&columns, &[long]);
        let fitted = |room| table.fitted(Style::Terminal, room);
        for (room, part, left_out) in [
            (None, long, false),
            (Some(90), "transformer::Attention::forward → Line… ┆ transformer.rs:93", false),
            (Some(80), "transformer::Attention::forward → Linear::forwar… │", true),
            (Some(60), "┆ transformer::Attention::forward → Linear::… │", true),
            (Some(20), "┆ transfo… │", true),
        ] {
            let (text, gone) = fitted(room);
            assert!(text.contains("12,345,678") && text.contains(part), "{room:?}\n{text}");
            assert_eq!(!gone.is_empty(), left_out, "{room:?}\n{text}");
            let width = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(room.is_none_or(|room| width <= room.max(25)), "{room:?}\n{text}");
        }
    }

    /// Words stay whole, borders straight, and the least needed column goes first.
    #[test]
    fn heads_wrap_before_columns_go() {
        let columns = [
            Column::text("case", 0, |_: &u32| "DP1".to_owned()),
            Column::number("predicted GiB", 0, |_: &u32| "8.105".to_owned()),
            Column::number("allocated GiB", 4, |_: &u32| "8.088".to_owned()),
            Column::text("notes", 6, |_: &u32| "published: baseline".to_owned()),
        ];
        let table = Table::of(&columns, &[1]).also_as("--format csv");
        for (room, heads, gone) in [
            (64, "│ case ┆ predicted GiB ┆ allocated GiB ┆ notes", &[][..]),
            (54, "│ case ┆ predicted ┆ allocated ┆ notes", &[]),
            (40, "│ case ┆ predicted GiB ┆ allocated GiB │", &["notes"]),
            (30, "│ case ┆ predicted GiB │", &["allocated GiB", "notes"]),
            (20, "│ case ┆ predicted │", &["allocated GiB", "notes"]),
            (10, "│ case │", &["predicted GiB", "allocated GiB", "notes"]),
        ] {
            let (text, left_out) = table.fitted(Style::Terminal, Some(room));
            assert!(text.contains(heads), "{room}\n{text}");
            assert_eq!(left_out, gone, "{room}\n{text}");
            let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|&width| width == widths[0] && width <= room), "{text}");
        }
        let said = "no room for a, b: a wider terminal or --format csv shows them\n";
        assert_eq!(table.announce(&["a", "b"]), said);
        assert_eq!(table.announce(&[]), "");
    }

    #[test]
    fn cells_in_html_are_text() {
        let rows = [["<b>&\"", "7"].map(str::to_owned)];
        let html = Table::new(["name", "n"]).numbers_from(1).with_rows(rows).html().into_string();
        let row = "<tr><td>&lt;b&gt;&amp;&quot;</td><td class=\"number\">7</td></tr>";
        assert!(html.contains(row), "{html}");
    }

    proptest! {
        /// Whatever a name holds, it is the text of its cell.
        #[test]
        fn any_cell_in_html_is_its_text(cell in any::<String>()) {
            let html = Table::new(["name"]).with_rows([[cell.clone()]]).html().into_string();
            let (_, rest) = html.split_once("<td>").unwrap();
            let (shown, rest) = rest.split_once("</td>").unwrap();
            prop_assert_eq!(rest, "</tr></tbody></table>");
            prop_assert!(!shown.contains(['<', '>', '"']) && !shown.contains(char::is_control));
            let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
            let read = entities.iter().fold(shown.to_owned(), |text, (entity, c)| text.replace(entity, c));
            prop_assert_eq!(read, escape::line(&cell).into_owned());
        }
    }
}

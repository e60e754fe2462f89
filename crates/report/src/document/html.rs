//! A report as one file for a browser.

use maud::{Markup, html};
use vram_source::escape;

use super::contents::{Contents, Figure, Part, Section};
use crate::chart::file;
use crate::page::{self, script};

const STYLE: &str = include_str!("report.css");
/// Shows what a mark is under a pointer and where the keyboard is. Without it a browser's own `title`s
/// say the same.
const SCRIPT: &str = include_str!("marks.js");

/// The whole report.
pub(super) fn page(contents: &Contents) -> String {
    let numbered = || contents.sections.iter().enumerate();
    let body = html! {
        @for part in &contents.opening { (show(part)) }
        nav {
            ul { @for (i, section) in numbered() { li { a href={ "#s" (i) } { (title(section)) } } } }
        }
        @for (i, section) in numbered() {
            section id={ "s" (i) } {
                h2 { (title(section)) }
                @for part in &section.parts { (show(part)) }
            }
        }
        div #tip hidden role="status" {}
        (script(SCRIPT))
    };
    page::page(contents.title, &[file::STYLE, STYLE].concat(), &body)
}

/// Titles are written as paragraphs are.
fn title(section: &Section) -> Markup {
    super::prose::Prose::new(section.title).html()
}

fn show(part: &Part) -> Markup {
    match part {
        Part::Facts(facts) => html! {
            table.facts {
                @for (name, says) in facts { tr { th { (name) } td { (escape::line(says)) } } }
            }
        },
        Part::Prose(prose) => html! { p { (prose.html()) } },
        Part::Table(table, _) => html! { div.wide tabindex="0" { (table.html()) } },
        Part::Items(items) => html! {
            ul.items {
                @for (name, says) in items { li { b { (escape::line(name)) } ": " (escape::line(says)) } }
            }
        },
        Part::Commands(commands) => html! {
            div.wide.commands tabindex="0" {
                @for command in commands { pre { (escape::line(command)) } }
            }
        },
        Part::Figure(figure) => draw(figure),
    }
}

fn draw(figure: &Figure) -> Markup {
    html! {
        figure {
            figcaption { (figure.caption) }
            (figure.legend.element())
            div.grid { @for drawing in &figure.drawings { (drawing.element()) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::prose::Prose;
    use crate::table::{Style, Table};

    #[test]
    fn whatever_a_part_holds_is_text() {
        let name = || "<b>\u{202e}&\n".to_owned();
        let shown = "&lt;b&gt;\\u202e&amp;\\n";
        let table = Table::new(["case"]).with_rows([[name()]]);
        let parts = [
            (Part::Facts(vec![("device", name())]), format!("<td>{shown}</td>")),
            (Part::Prose(Prose::new("*of* {}").with(name())), format!("<em>of</em> {shown}")),
            (Part::Table(table, Style::Compact), format!("<td>{shown}</td>")),
            (Part::Items(vec![(name(), name())]), format!("<li><b>{shown}</b>: {shown}</li>")),
            (Part::Commands(vec![name()]), format!("<pre>{shown}</pre>")),
        ];
        for (part, expected) in parts {
            let html = show(&part).into_string();
            assert!(html.contains(&expected), "{html}");
        }
    }
}

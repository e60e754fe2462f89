//! A report as Markdown.

use vram_source::escape;

use super::contents::{Contents, Part};

/// The whole report. Of figures those are shown that lie in a file beside it.
pub(super) fn text(contents: &Contents) -> String {
    let mut text = format!("# {}\n\n{}", contents.title, parts(&contents.opening));
    for section in &contents.sections {
        text += &format!("\n## {}\n\n{}", section.title, parts(&section.parts));
    }
    text
}

fn parts(parts: &[Part]) -> String {
    parts.iter().filter_map(part).collect::<Vec<_>>().join("\n")
}

/// Ends with a newline.
fn part(part: &Part) -> Option<String> {
    let item = |name: &str, says: &str| {
        format!("- {}: {}\n", escape::markdown(name), escape::markdown(says))
    };
    Some(match part {
        Part::Facts(facts) => facts.iter().map(|(name, says)| item(name, says)).collect(),
        Part::Prose(prose) => prose.markdown() + "\n",
        Part::Table(table, style) => table.draw(*style),
        Part::Items(items) => items.iter().map(|(name, says)| item(name, says)).collect(),
        Part::Commands(commands) => {
            let lines = commands.iter().map(|command| escape::line(command).into_owned() + "\n");
            format!("```sh\n{}```\n", lines.collect::<String>())
        }
        Part::Figure(figure) => format!("![{}]({})\n", figure.caption, figure.file?),
    })
}

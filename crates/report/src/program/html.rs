//! A report as one file for a browser: nothing is fetched, and nothing in it is but text.

use maud::{Markup, PreEscaped, html};
use vram_places::profile::Profile;
use vram_source::escape;

use super::blocks::{Block, Fact, Value};
use super::timeline::Timeline;
use crate::page::{self, script};
use crate::units::{gib, grouped};

const STYLE: &str = include_str!("timeline.css");
const SCRIPT: &str = include_str!("chart.js");

pub(super) fn page(title: &str, blocks: &[Block], profile: Option<&Profile>) -> String {
    let body = html! {
        @for (i, block) in blocks.iter().enumerate() {
            @match block {
                Block::Facts(facts) => (list(facts)),
                Block::Rows { title, notes, table } => {
                    h2 { (title) }
                    @if !notes.is_empty() { p { (escape::line(&notes.join(" "))) } }
                    div.wide { (table.html()) }
                }
            }
            // After the numbers, which are few.
            @if let Some(profile) = profile.filter(|_| i == 0) { (chart(profile)) }
        }
    };
    page::page(title, STYLE, &body)
}

fn list(facts: &[Fact]) -> Markup {
    html! {
        table.facts {
            @for Fact { label, value } in facts {
                tr.part[label.starts_with(' ')] {
                    th { (label.trim_start()) }
                    td { (shown(value)) }
                }
            }
        }
    }
}

fn shown(value: &Value) -> Markup {
    html! {
        @match value {
            Value::Text(value) => (escape::line(value)),
            Value::Bytes(bytes, note) => {
                b { (gib(*bytes)) " GiB" } " (" (grouped(*bytes)) " bytes)" (escape::line(note))
            }
        }
    }
}

fn chart(profile: &Profile) -> Markup {
    // Numbers and strings alone: it does not fail.
    let data = serde_json::to_string(&Timeline::new(profile)).unwrap_or_default();
    let what = "Live bytes over requests, stacked by place";
    html! {
        h2 { "Alive over the program's requests" }
        p {
            "Live bytes after each request for memory, stacked by place. Point at a band for its \
             allocation."
        }
        noscript { p { "The chart needs JavaScript, which this page brings itself." } }
        div #chart { canvas role="img" aria-label=(what) {} div #tip hidden {} }
        ul #legend {}
        script type="application/json" id="timeline" { (PreEscaped(escape::script(&data))) }
        (script(SCRIPT))
    }
}

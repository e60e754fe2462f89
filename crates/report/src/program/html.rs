//! A report as one file for a browser: nothing is fetched, and nothing in it is but text.

use std::fmt::Write;

use vram_places::profile::Profile;
use vram_source::escape;

use super::blocks::{Block, Fact, Value};
use super::timeline::Timeline;
use crate::units::{gib, grouped};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("chart.js");

pub(super) fn page(title: &str, blocks: &[Block], profile: Option<&Profile>) -> String {
    let title = escape::html(title);
    // A browser that obeys it cannot be made to ask a network for anything.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    let mut chart = profile.map(chart);
    for block in blocks {
        match block {
            Block::Facts(facts) => page.push_str(&list(facts)),
            Block::Rows { title, notes, table } => {
                let _ = writeln!(page, "<h2>{title}</h2>");
                if !notes.is_empty() {
                    let _ = writeln!(page, "<p>{}</p>", escape::html(&notes.join(" ")));
                }
                let _ = write!(page, "<div class=\"wide\">\n{}</div>\n", table.html());
            }
        }
        // After the numbers, which are few.
        page.push_str(&chart.take().unwrap_or_default());
    }
    page + "</body>\n</html>\n"
}

fn list(facts: &[Fact]) -> String {
    let mut text = "<table class=\"facts\">\n".to_owned();
    for Fact { label, value } in facts {
        let class = if label.starts_with(' ') { " class=\"part\"" } else { "" };
        let value = match value {
            Value::Text(value) => escape::html(value),
            Value::Bytes(bytes, note) => format!(
                "<b>{} GiB</b> ({} bytes){}",
                gib(*bytes),
                grouped(*bytes),
                escape::html(note)
            ),
        };
        let _ = writeln!(text, "<tr{class}><th>{}</th><td>{value}</td></tr>", label.trim_start());
    }
    text + "</table>\n"
}

fn chart(profile: &Profile) -> String {
    // Numbers and strings alone: it does not fail.
    let data = serde_json::to_string(&Timeline::new(profile)).unwrap_or_default();
    format!(
        "<h2>Alive over the program's requests</h2>\n\
         <p>Live bytes after each request for memory, stacked by place. Point at a band for its \
         allocation.</p>\n\
         <noscript><p>The chart needs JavaScript, which this page brings itself.</p></noscript>\n\
         <div id=\"chart\"><canvas role=\"img\" aria-label=\"Live bytes over requests, stacked by \
         place\"></canvas><div id=\"tip\" hidden></div></div>\n<ul id=\"legend\"></ul>\n\
         <script type=\"application/json\" id=\"timeline\">{}</script>\n\
         <script>\n{SCRIPT}</script>\n",
        escape::script(&data)
    )
}

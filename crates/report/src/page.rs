//! A page for a browser: one file that asks nobody for anything.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use vram_source::escape;

const STYLE: &str = include_str!("page.css");

/// A page with this under its title; `style` is what it has beyond the style of every page. `body`
/// may hold scripts.
pub(crate) fn page(title: &str, style: &str, body: &Markup) -> String {
    // A browser that obeys it cannot be made to ask a network for anything.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (escape::line(title)) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body {
                h1 { (escape::line(title)) }
                (body)
            }
        }
    };
    escape::markup(&(page.into_string() + "\n")).into_owned()
}

/// A script, written in a file of its own.
pub(crate) fn script(text: &str) -> Markup {
    html! { script { (PreEscaped(text)) } }
}

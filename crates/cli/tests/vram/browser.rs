//! The page of `vram report` in a browser.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::studies;
use crate::support::Sandbox;

/// What a page looks like at two widths, found by the page itself: its errors, what is wider than the
/// page, texts of drawings that are clipped or lie on each other, and what a pointer and a keyboard show.
const LOOK: &str = include_str!("look.js");

/// Flags of every run.
const FLAGS: [&str; 4] =
    ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"];

/// The elements of a page of the sandbox once its scripts have run.
pub fn elements(sandbox: &Sandbox, page: &str, flags: &[&str]) -> String {
    let data = format!("--user-data-dir={}", sandbox.path("browser").display());
    let url = format!("file://{}", sandbox.path(page).display());
    let output = Command::new("chromium")
        .args(FLAGS)
        .args(flags)
        .args([&data, "--dump-dom", &url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a phone and a wide screen find on a page.
fn look(sandbox: &Sandbox, page: &str, scheme: Scheme) -> Vec<Value> {
    let with_look = sandbox.read(page).replace("<head>", &format!("<head><script>{LOOK}</script>"));
    sandbox.write("looked.html", &with_look);
    // No window is narrower than 500 pixels; a frame is.
    let frames = WIDTHS.map(|width| {
        format!("<iframe src=\"looked.html\" style=\"width:{width}px;height:1000px\"></iframe>")
    });
    sandbox.write(
        "frames.html",
        &format!(
            "<!doctype html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">
             <script>onmessage = ({{ data }}) => {{
               const found = document.createElement('pre');
               found.textContent = data;
               document.body.append(found);
             }};</script><body>{}</body>",
            frames.concat()
        ),
    );
    let scheme = format!("--blink-settings=preferredColorScheme={}", scheme as u8);
    let shown = elements(sandbox, "frames.html", &["--window-size=1500,1100", &scheme]);
    let found = shown.split("<pre>").skip(1).map(|part| part.split_once("</pre>").unwrap().0);
    let text = |part: &str| part.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let found: Vec<Value> = found.map(|part| serde_json::from_str(&text(part)).unwrap()).collect();
    assert_eq!(found.len(), WIDTHS.len(), "{shown}");
    found
}

/// Widths of a phone and of a screen.
const WIDTHS: [u64; 2] = [400, 1400];

/// Chromium's numbers for what a reader prefers.
#[derive(Clone, Copy)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

/// Whatever the runs, nothing is wrong with their page.
fn check(sandbox: &Sandbox, runs: &Path, rows: &[String]) {
    let ran = sandbox.vram(&["report", runs.to_str().unwrap(), "--out-dir", "."]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (scheme, background) in
        [(Scheme::Light, "rgb(255, 255, 255)"), (Scheme::Dark, "rgb(22, 24, 28)")]
    {
        let mut widths = Vec::new();
        for found in look(sandbox, "report.html", scheme) {
            let what = format!("{} pixels, {background}", found["width"]);
            widths.push(found["width"].as_u64().unwrap());
            for nothing in ["errors", "wide", "clipped", "overlapping", "silent"] {
                assert_eq!(found[nothing], json!([]), "{nothing} at {what}");
            }
            assert_eq!(found["background"], background, "{what}");
            let shown: Vec<&str> =
                found["rows"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
            let lacking: Vec<_> =
                rows.iter().filter(|row| !shown.contains(&row.as_str())).collect();
            assert!(lacking.is_empty(), "{lacking:?} at {what}");
            let pointed = found["pointed"].as_str().unwrap();
            assert!(
                pointed.contains("measured") && pointed.contains(" bytes)"),
                "{pointed} at {what}"
            );
            assert_eq!(found["focused"], found["second"], "{what}");
        }
        widths.sort_unstable();
        assert_eq!(widths, WIDTHS);
    }
}

/// Ids of the runs of a report.
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let table = sandbox.read("table.csv");
    table.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs Chromium, as `chromium` on the path; .ci/run asks for it where it is there"]
fn recorded_runs_are_whole_on_a_phone_and_on_a_screen() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/results");
    for runs in ["cpu", "h200/steps", "h200/tapes", "h200/held_out"] {
        let sandbox = Sandbox::new();
        let runs = results.join(runs);
        sandbox.vram(&["report", runs.to_str().unwrap(), "--out-dir", "."]);
        let ids = ids(&sandbox);
        assert!(ids.len() >= 8, "{ids:?}");
        check(&sandbox, &runs, &ids);
    }
}

#[test]
#[ignore = "needs Chromium, as `chromium` on the path; .ci/run asks for it where it is there"]
fn odd_names_are_text_on_a_page() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(120);
    let names = [
        "<script>alert(1)</script>",
        "\"quoted\" & 'single'",
        "a|b`c`*d*",
        &long,
        "蟻の記憶装置テスト",
        "</title></svg><img src=x onerror=alert(1)>",
        "\u{1f41c}\u{1f41c}",
    ];
    let names = names.map(str::to_owned);
    let rows: Vec<_> =
        names.iter().zip(1..).map(|(name, batch)| (name.clone(), 2048, batch)).collect();
    studies::write(&sandbox.path("runs"), &rows);
    check(&sandbox, &sandbox.path("runs"), &names);
}

/// A strip of 300 panels would be 96,000 pixels wide.
#[test]
#[ignore = "needs Chromium, as `chromium` on the path; .ci/run asks for it where it is there"]
fn three_hundred_tiers_are_a_grid() {
    let sandbox = Sandbox::new();
    let row = |i: u64| (format!("row{i}"), 64 + 32 * (i / 2), 8 + 8 * (i % 2));
    let rows: Vec<_> = (0..600).map(row).collect();
    studies::write(&sandbox.path("runs"), &rows);
    let names: Vec<String> = rows.into_iter().map(|(name, ..)| name).collect();
    check(&sandbox, &sandbox.path("runs"), &names);
    let svg = sandbox.read("peaks.svg");
    assert!(svg.contains("width=\"2004\" height=\""), "{}", &svg[..200]);
}

//! The page of `vram dry-run --html` in a browser.

use std::process::Command;

use super::stacks;

/// Points at the middle of the chart, near its foot, once it is drawn.
const POINT: &str = "<script>setTimeout(() => {
  const canvas = document.querySelector('canvas');
  const box = canvas.getBoundingClientRect();
  const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height - 60];
  canvas.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY }));
}, 100);
window.onerror = (message) => { document.documentElement.dataset.error = message; };</script>";

#[test]
#[ignore = "needs Chromium, as `chromium` on the path; .ci/run asks for it where it is there"]
fn a_pointer_on_a_band_shows_place_size_and_life() {
    let sandbox = stacks::sandbox();
    stacks::dry_run(&sandbox, &["--html", "peak.html"], "./trains");
    let page = sandbox.read("peak.html").replace("</head>", &format!("{POINT}</head>"));
    sandbox.write("pointed.html", &page);
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000"];
    let data = format!("--user-data-dir={}", sandbox.path("browser").display());
    let url = format!("file://{}", sandbox.path("pointed.html").display());
    let output = Command::new("chromium")
        .args(flags)
        .args([&data, "--window-size=1000,900", "--dump-dom", &url])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains("data-error="), "{shown}");
    assert_eq!(shown.matches("<li>").count(), 4, "a line of the legend for each place: {shown}");
    for said in [
        "<div id=\"tip\" style=",
        "<b>load</b>",
        "4,194,304 bytes (4.000 MiB)",
        "made by request 1, before “parameters”",
        "freed after request 14, after “update”",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
}

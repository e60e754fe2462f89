//! The page of `vram dry-run --html` in a browser.

use super::stacks;
use crate::browser::elements;

/// Points at the middle of the chart, near its foot. What leaves the chart draws it, whether or not a
/// frame was shown before.
const POINT: &str = "<script>addEventListener('load', () => {
  const canvas = document.querySelector('canvas');
  canvas.dispatchEvent(new PointerEvent('pointerleave'));
  const box = canvas.getBoundingClientRect();
  const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height - 60];
  canvas.dispatchEvent(new PointerEvent('pointermove', { clientX, clientY }));
});
window.onerror = (message) => { document.documentElement.dataset.error = message; };</script>";

#[test]
#[ignore = "needs Chromium, as `chromium` on the path; .ci/run asks for it where it is there"]
fn a_pointer_on_a_band_shows_place_size_and_life() {
    let sandbox = stacks::sandbox();
    stacks::dry_run(&sandbox, &["--html", "peak.html"], "./trains");
    let page = sandbox.read("peak.html").replace("</head>", &format!("{POINT}</head>"));
    sandbox.write("pointed.html", &page);
    let shown = elements(&sandbox, "pointed.html", &["--window-size=1000,900"]);
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

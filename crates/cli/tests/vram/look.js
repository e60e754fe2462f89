"use strict";
(() => {
  const errors = [];
  addEventListener("error", (event) => errors.push(event.message ?? `${event.target}`), true);
  addEventListener("securitypolicyviolation", (event) => errors.push(event.violatedDirective));
  addEventListener("unhandledrejection", (event) => errors.push(`${event.reason}`));
  for (const level of ["error", "warn"]) console[level] = (...said) => errors.push(said.join(" "));

  const found = () => {
    const page = document.documentElement;
    const name = (element) => `${element.tagName} ${element.textContent.slice(0, 60)}`;
    const isWide = (element) => element.getBoundingClientRect().right > page.clientWidth + 1;
    const scrolls = (element) => element.closest(".wide") !== null;
    const wide = [...document.body.querySelectorAll("*")].filter((e) => isWide(e) && !scrolls(e)).map(name);
    if (page.scrollWidth > page.clientWidth) wide.push(`the page: ${page.scrollWidth}`);

    const [clipped, overlapping, silent] = [[], [], []];
    const drawings = [...document.querySelectorAll(".grid svg")];
    for (const drawing of drawings) {
      const frame = drawing.getBoundingClientRect();
      const texts = [...drawing.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
      texts.forEach(([text, box], i) => {
        const isWithin = box.left >= frame.left - 1 && box.right <= frame.right + 1
          && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
        if (!isWithin) clipped.push(name(text));
        for (const [other, area] of texts.slice(0, i)) {
          // The boxes of two lines of text touch; their letters do not.
          const across = Math.min(box.right, area.right) - Math.max(box.left, area.left);
          const down = Math.min(box.bottom, area.bottom) - Math.max(box.top, area.top);
          if (across > 1 && down > 3) overlapping.push([name(text), name(other)]);
        }
      });
      const marks = [...drawing.querySelectorAll(".mark")];
      if (marks.length === 0 || marks.some((mark) => !mark.getAttribute("aria-label"))) silent.push(name(drawing));
    }

    const tip = document.getElementById("tip");
    const said = () => (tip.hidden ? "" : tip.innerText);
    const marks = drawings[0].querySelectorAll(".mark");
    marks[0].scrollIntoView();
    const box = marks[0].getBoundingClientRect();
    const [clientX, clientY] = [box.left + box.width / 2, box.top + box.height / 2];
    document.elementFromPoint(clientX, clientY)
      .dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
    const pointed = said();
    const press = (key) =>
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    drawings[0].focus();
    press("ArrowRight");
    press("ArrowRight");
    const focused = said();
    press("Escape");
    if (said() !== "") errors.push("Escape leaves the tip");
    const cells = document.querySelector("section table").querySelectorAll("tbody td:first-child");
    return {
      width: innerWidth, errors, wide, clipped, overlapping, silent, pointed, focused,
      second: marks[1 % marks.length].getAttribute("aria-label"),
      rows: [...cells].map((cell) => cell.textContent),
      background: getComputedStyle(document.body).backgroundColor,
    };
  };
  addEventListener("load", () => {
    let told;
    try { told = found(); } catch (error) { told = { width: innerWidth, errors: [error.stack] }; }
    parent.postMessage(JSON.stringify(told), "*");
  });
})();

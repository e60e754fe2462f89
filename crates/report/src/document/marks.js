"use strict";
(() => {
  const tip = document.getElementById("tip");
  const marks = [...document.querySelectorAll(".mark")];
  // A title would be shown once more, and late.
  for (const mark of marks) {
    const title = mark.querySelector("title");
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
  }

  const hide = () => { tip.hidden = true; };

  // Beside a place on the screen, and within it.
  const show = (mark, x, y) => {
    const [first, ...others] = mark.getAttribute("aria-label").split("\n");
    const head = document.createElement("b");
    head.textContent = first;
    const lines = others.map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    });
    tip.replaceChildren(head, ...lines);
    tip.hidden = false;
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const [right, bottom] = [document.documentElement.clientWidth, window.innerHeight];
    const left = x + 14 + width > right ? x - 14 - width : x + 14;
    const top = y + 14 + height > bottom ? y - 14 - height : y + 14;
    tip.style.left = `${Math.max(Math.min(left, right - width), 0)}px`;
    tip.style.top = `${Math.max(top, 0)}px`;
  };

  const markAt = (event) => event.target.closest?.(".mark");
  document.addEventListener("pointermove", (event) => {
    const mark = markAt(event);
    if (mark) show(mark, event.clientX, event.clientY);
    else if (!document.activeElement.closest?.(".mark")) hide();
  });
  document.addEventListener("pointerdown", (event) => {
    const mark = markAt(event);
    if (mark) show(mark, event.clientX, event.clientY);
    else hide();
  });
  document.addEventListener("focusin", (event) => {
    const mark = markAt(event);
    if (!mark) return hide();
    const box = mark.getBoundingClientRect();
    show(mark, box.left + box.width / 2, box.top + box.height / 2);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { passive: true });

  // A drawing is one stop of the keyboard; arrows go from mark to mark in it.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return hide();
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const drawing = event.target.closest?.("svg.chart");
    if (!step || !drawing) return;
    const here = [...drawing.querySelectorAll(".mark")];
    if (here.length === 0) return;
    const now = here.indexOf(event.target);
    const next = now < 0 ? (step > 0 ? 0 : here.length - 1) : (now + step + here.length) % here.length;
    event.preventDefault();
    here[next].focus();
  });
})();

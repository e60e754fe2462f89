"use strict";
(() => {
  const data = JSON.parse(document.getElementById("timeline").textContent);
  const { columns, layers, places, bands, marks, unit } = data;
  const canvas = document.querySelector("#chart canvas");
  const tip = document.getElementById("tip");
  const legend = document.getElementById("legend");
  const context = canvas.getContext("2d");
  // Fifteen that stay apart on light and on dark, and one for all others.
  const colors = [
    "#4c78c8", "#e0862e", "#3f9d5d", "#c94f55", "#8465c0", "#b58a2c", "#2f9fae", "#d06aa5", "#7c9a35",
    "#6b8fd8", "#a8623c", "#59b48a", "#e07b7b", "#a58ad8", "#4f7f8f",
  ];
  const last = layers.length - 1;
  const color = (layer) => (layer === last ? "#8b919a" : colors[layer % colors.length]);
  const room = { left: 76, right: 14, top: 44, bottom: 34 };

  // Of each layer, in the order in which they lie in it.
  const inLayer = layers.map(() => []);
  for (const [place, made, freed, bytes, marksUntilFreed] of bands) {
    inLayer[Math.min(place, last)].push({ place, made, freed: freed || Infinity, bytes, marksUntilFreed });
  }
  inLayer[last].sort((a, b) => a.place - b.place || a.made - b.made);
  const isAlive = (band, request) => band.made <= request && request <= band.freed;

  const unitOf = (bytes) =>
    bytes >= 2 ** 30 ? ["GiB", 2 ** 30] : bytes >= 2 ** 20 ? ["MiB", 2 ** 20] : bytes >= 1024 ? ["KiB", 1024] : ["bytes", 1];
  const bytesText = (bytes) => {
    const [name, size] = unitOf(bytes);
    return size === 1 ? `${bytes} bytes` : `${(bytes / size).toPrecision(4)} ${name}`;
  };
  const number = (value) => value.toString().replace(/\B(?=(\d{3})+$)/g, ",");

  let width = 0, height = 0, top = 1;
  let hovered = null, lit = null;
  const x = (request) => room.left + ((request - 1) / data.requests) * (width - room.left - room.right);
  const y = (bytes) => height - room.bottom - (bytes / top) * (height - room.top - room.bottom);
  const endOf = (column) => (column + 1 < columns.length ? columns[column + 1] : data.requests + 1);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The highest step of 1, 2 or 5 that leaves some lines.
  const step = (most, lines) => {
    let size = 1;
    while (most / (size * 10) > lines) size *= 10;
    return [1, 2, 5].map((n) => n * size).find((n) => most / n <= lines) ?? size * 10;
  };

  const axes = () => {
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = style("--line");
    context.fillStyle = style("--muted");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const [name, size] = unitOf(top);
    const tick = 2 ** Math.ceil(Math.log2(top / 8));
    for (let bytes = 0; bytes <= top; bytes += tick) {
      context.beginPath();
      context.moveTo(room.left, y(bytes));
      context.lineTo(width - room.right, y(bytes));
      context.stroke();
      context.fillText(bytes === 0 ? "0" : `${+(bytes / size).toPrecision(3)} ${name}`, room.left - 8, y(bytes));
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const every = step(data.requests, Math.max(width / 110, 1));
    for (let request = every; request <= data.requests; request += every) {
      context.fillText(number(request), x(request), height - room.bottom + 6);
    }
    context.textAlign = "left";
    context.fillText("request", room.left, height - 14);
  };

  const areas = () => {
    const below = new Array(columns.length).fill(0);
    layers.forEach((layer, index) => {
      context.beginPath();
      columns.forEach((request, column) => {
        const level = y((below[column] + layer[column]) * unit);
        context.lineTo(x(request), level);
        context.lineTo(x(endOf(column)), level);
      });
      for (let column = columns.length - 1; column >= 0; column--) {
        const level = y(below[column] * unit);
        context.lineTo(x(endOf(column)), level);
        context.lineTo(x(columns[column]), level);
        below[column] += layer[column];
      }
      context.closePath();
      context.globalAlpha = lit === null || lit === index ? 1 : 0.25;
      context.fillStyle = color(index);
      context.fill();
    });
    context.globalAlpha = 1;
  };

  // Names that would lie on another's are left out, their lines are not.
  const markLines = () => {
    context.strokeStyle = style("--text");
    context.fillStyle = style("--text");
    context.textBaseline = "alphabetic";
    const free = [0, 0];
    for (const [name, requests] of marks) {
      const at = x(requests + 1);
      context.globalAlpha = marks.length > 60 ? 0.2 : 0.55;
      context.setLineDash([2, 3]);
      context.beginPath();
      context.moveTo(at, room.top);
      context.lineTo(at, height - room.bottom);
      context.stroke();
      context.globalAlpha = 1;
      const long = name.length > 24 ? name.slice(0, 23) + "…" : name;
      const size = context.measureText(long).width;
      const left = Math.min(at - size, width - room.right - size);
      const row = free.findIndex((end) => end <= left);
      if (row >= 0 && left >= 0) {
        context.textAlign = "left";
        context.fillText(long, left, room.top - 6 - 15 * row);
        free[row] = left + size + 8;
      }
    }
    context.setLineDash([]);
  };

  const peakPoint = () => {
    const [atX, atY] = [x(data.peak_request + 0.5), y(data.peak_bytes)];
    context.fillStyle = style("--text");
    context.beginPath();
    context.arc(atX, atY, 4, 0, 7);
    context.fill();
    const text = `peak: ${bytesText(data.peak_bytes)} at request ${number(data.peak_request)}`;
    const size = context.measureText(text).width;
    const isRight = atX + size + 12 < width - room.right;
    context.textAlign = isRight ? "left" : "right";
    context.textBaseline = "bottom";
    context.strokeStyle = style("--page");
    context.lineWidth = 4;
    const from = atX + (isRight ? 8 : -8);
    context.strokeText(text, from, atY - 3);
    context.fillText(text, from, atY - 3);
    context.lineWidth = 1;
  };

  const beneath = (layer, column) => {
    let sum = 0;
    for (let index = 0; index < layer; index++) sum += layers[index][column];
    return sum * unit;
  };

  const outline = ({ layer, band }) => {
    context.beginPath();
    columns.forEach((request, column) => {
      if (!isAlive(band, request)) return;
      let from = beneath(layer, column);
      for (const other of inLayer[layer]) {
        if (other === band) break;
        if (isAlive(other, request)) from += other.bytes;
      }
      const [left, up, down] = [x(request), y(from + band.bytes), y(from)];
      context.rect(left, up, x(endOf(column)) - left + 0.5, Math.max(down - up, 1));
    });
    context.fillStyle = style("--text");
    context.globalAlpha = 0.55;
    context.fill();
    context.globalAlpha = 1;
  };

  const draw = () => {
    const ratio = window.devicePixelRatio || 1;
    [width, height] = [canvas.clientWidth, canvas.clientHeight];
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    top = Math.max(data.peak_bytes * 1.08, 1);
    axes();
    areas();
    if (hovered && hovered.band) outline(hovered);
    markLines();
    peakPoint();
  };

  // What lies at a point: a layer, and the allocation in it if it is one of the largest.
  const at = (pointX, pointY) => {
    if (pointX < room.left || pointX > width - room.right) return null;
    const request = 1 + ((pointX - room.left) / (width - room.left - room.right)) * data.requests;
    let [low, high] = [0, columns.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (columns[middle] <= request) low = middle;
      else high = middle - 1;
    }
    let bytes = ((height - room.bottom - pointY) / (height - room.top - room.bottom)) * top;
    if (bytes < 0) return null;
    for (let layer = 0; layer < layers.length; layer++) {
      const holds = layers[layer][low] * unit;
      if (bytes < holds) {
        for (const band of inLayer[layer]) {
          if (!isAlive(band, columns[low])) continue;
          if (bytes < band.bytes) return { layer, band, column: low };
          bytes -= band.bytes;
        }
        return { layer, band: null, column: low };
      }
      bytes -= holds;
    }
    return null;
  };

  // Where so many marks had been set.
  const phase = (set) => {
    const quoted = (mark) => `“${mark[0]}”`;
    if (marks.length === 0) return "";
    if (set === 0) return `, before ${quoted(marks[0])}`;
    if (set === marks.length) return `, after ${quoted(marks[set - 1])}`;
    return `, between ${quoted(marks[set - 1])} and ${quoted(marks[set])}`;
  };

  const tell = ({ layer, band, column }) => {
    const place = band ? places[band.place] : layer === last ? null : places[layer];
    const lines = [place ? [place[1], place[2]].filter(Boolean).join(", ") : ""];
    if (band) {
      lines.push(`${number(band.bytes)} bytes (${bytesText(band.bytes)})`);
      lines.push(`made by request ${number(band.made)}${phase(marks.filter(([, before]) => before < band.made).length)}`);
      lines.push(band.freed === Infinity ? "alive at the end" : `freed after request ${number(band.freed)}${phase(band.marksUntilFreed)}`);
    } else {
      lines.push("one of many small allocations");
    }
    const here = bytesText(layers[layer][column] * unit);
    lines.push(`${layer === last ? "other places hold" : "the place holds"} ${here} at request ${number(columns[column])}`);
    const head = document.createElement("b");
    head.textContent = place ? place[0] : "other places";
    tip.replaceChildren(head);
    for (const line of lines.filter(Boolean)) {
      const part = document.createElement("span");
      part.textContent = line;
      tip.append(part);
    }
  };

  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    const [pointX, pointY] = [event.clientX - box.left, event.clientY - box.top];
    const found = at(pointX, pointY);
    const isSame = found && hovered && found.band === hovered.band && found.layer === hovered.layer;
    hovered = found;
    if (!isSame) draw();
    tip.hidden = !found;
    if (!found) return;
    tell(found);
    const isLeft = pointX > width / 2;
    tip.style.left = isLeft ? "auto" : `${pointX + 14}px`;
    tip.style.right = isLeft ? `${width - pointX + 14}px` : "auto";
    tip.style.top = `${Math.min(pointY + 10, height - tip.offsetHeight)}px`;
  };

  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => {
    hovered = null;
    tip.hidden = true;
    draw();
  });

  layers.forEach((layer, index) => {
    if (!layer.some((bytes) => bytes > 0)) return;
    const item = document.createElement("li");
    const patch = document.createElement("i");
    patch.style.background = color(index);
    const name = index === last ? "other places" : places[index][0];
    const from = index === last || !places[index][1] ? "" : ` (${places[index][1]})`;
    item.append(patch, name + from);
    item.addEventListener("pointerenter", () => { lit = index; draw(); });
    item.addEventListener("pointerleave", () => { lit = null; draw(); });
    legend.append(item);
  });

  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();

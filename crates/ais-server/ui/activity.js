// Throughput over time.

import { get } from "/ui/api.js";
import { el, svg } from "/ui/dom.js";
import { bytes, count, duration, time } from "/ui/format.js";

/** The server takes a sample every two seconds. */
const EVERY = 2000;
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [1000, 260, 74, 24, 10];
/** What is shown, in milliseconds: as much as the server keeps, or as it has run for, but not less than this. */
const [LONGEST, SHORTEST] = [15 * 60 * 1000, 2 * 60 * 1000];
/** Lines across, and times below. */
const [LINES, TIMES] = [4, 5];

/** Rates between neighbouring samples: a time, and a number a second for each. */
function rates(samples, read, write) {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index];
    const seconds = Math.max(0.001, (sample.time - before.time) / 1000);
    return { time: sample.time, read: (sample[read] - before[read]) / seconds, write: (sample[write] - before[write]) / seconds };
  });
}

/** A round number above this one. */
function ceiling(number, base) {
  if (number <= 0) return 1;
  const step = base ** Math.floor(Math.log(number) / Math.log(base));
  return [1, 2, 4, 5, 8, 10, 16, 32, 64, 128, 256, 512, 1024].map((n) => n * step).find((n) => n >= number);
}

function chart(points, now, show, base, label) {
  const greatest = ceiling(Math.max(0, ...points.flatMap((point) => [point.read, point.write])), base);
  const span = Math.min(LONGEST, Math.max(SHORTEST, now - (points[0]?.time ?? now)));
  const x = (moment) => LEFT + ((moment - (now - span)) / span) * (WIDTH - LEFT - 10);
  const y = (value) => HEIGHT - BOTTOM - (value / greatest) * (HEIGHT - BOTTOM - TOP);
  const line = (name) => points.map((point) => `${x(point.time).toFixed(1)},${y(point[name]).toFixed(1)}`);
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (let index = 0; index <= LINES; index += 1) {
    const value = (greatest * index) / LINES;
    drawing.append(
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - 10, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, show(value)));
  }
  for (let index = 0; index <= TIMES; index += 1) {
    const ago = (span * (TIMES - index)) / TIMES;
    const text = ago ? `−${duration(ago)}` : "now";
    const anchor = index === 0 ? "start" : ago ? "middle" : "end";
    drawing.append(svg("text", { x: x(now - ago), y: HEIGHT - 6, "text-anchor": anchor }, text));
  }
  for (const name of ["read", "write"]) {
    if (points.length < 2) continue;
    const [first, final] = [x(points[0].time), x(points[points.length - 1].time)];
    const area = [`${first},${y(0)}`, ...line(name), `${final},${y(0)}`].join(" ");
    drawing.append(
      svg("polygon", { class: `${name} area`, points: area }),
      svg("polyline", { class: `${name} line`, points: line(name).join(" ") }));
  }
  return drawing;
}

const tile = (name, value, more) => el("div", { class: "tile" }, el("span", { class: "soft" }, name), el("b", {}, value), el("span", { class: "soft" }, more));

const legend = (read, write) =>
  el("p", { class: "legend" }, el("span", {}, el("i", { class: "read" }), read), el("span", {}, el("i", { class: "write" }), write));

export async function activity({ put, signal, every }) {
  const samples = [];
  const [tiles, data, objects] = [el("div", { class: "tiles" }), el("div", {}), el("div", {})];
  put(
    el("h1", {}, "Activity"),
    el("p", { class: "lead" }, "What this server read and wrote in the last quarter of an hour"),
    tiles,
    el("h2", {}, "Bytes a second"),
    el("div", { class: "panel padded" }, legend("read", "written"), data),
    el("h2", {}, "Objects a second"),
    el("div", { class: "panel padded" }, legend("read", "written"), objects));
  let since = 0;
  every(EVERY, async () => {
    const status = await get("status", { since }, signal);
    samples.push(...status.samples);
    since = samples.at(-1)?.time || 0;
    while (samples.length && samples[0].time < status.now.time - LONGEST) samples.shift();
    const bytesRates = rates(samples, "read_bytes", "written_bytes");
    const latest = bytesRates.at(-1) || { read: 0, write: 0 };
    data.replaceChildren(chart(bytesRates, status.now.time, (value) => `${bytes(value)}/s`, 1024,
      `Bytes a second: ${bytes(latest.read)} read, ${bytes(latest.write)} written`));
    objects.replaceChildren(chart(rates(samples, "reads", "writes"), status.now.time, (value) => `${count(value)}/s`, 10, "Objects a second"));
    tiles.replaceChildren(
      tile("Reading", `${bytes(latest.read)}/s`, `${bytes(status.now.read_bytes)} since the start`),
      tile("Writing", `${bytes(latest.write)}/s`, `${bytes(status.now.written_bytes)} since the start`),
      tile("Operations", count(status.now.operations), `${count(status.now.errors)} failed`),
      tile("Space", bytes(status.used_bytes), `in use; ${bytes(status.free_bytes)} free`),
      tile("Running for", duration(status.uptime_seconds * 1000), `since ${time(status.now.time - status.uptime_seconds * 1000)}`));
  });
}

// A STAC document, for people: where and when it is, what is in it, and where its files are.

import { el, facts, svg, table } from "/ui/dom.js";
import { isPicture, picture } from "/ui/object.js";
import { objectHref } from "/ui/objects.js";

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export const isStac = (value) =>
  isRecord(value) && typeof value.stac_version === "string" && ["Feature", "Collection", "Catalog"].includes(value.type);

const records = (value) => (Array.isArray(value) ? value.filter(isRecord) : []);
const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** The object in this bucket that a relative href means; nothing for all others. */
function resolve(name, href) {
  if (!href || /^([a-z][a-z0-9+.-]*:|\/)/i.test(href)) return null;
  const parts = name.split("/").slice(0, -1);
  for (const part of href.split(/[?#]/)[0].split("/")) {
    if (part === "..") {
      if (!parts.length) return null;
      parts.pop();
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** An href as a link, where it leads to an object here; addresses elsewhere are told, not opened. */
function link(bucket, name, href, label) {
  const target = resolve(name, href);
  if (target === null) return el("span", { class: "mono" }, href);
  return el("a", { href: objectHref(bucket, target) }, label || href);
}

function boxOf(value) {
  const spatial = isRecord(value.extent) && isRecord(value.extent.spatial) ? value.extent.spatial.bbox : undefined;
  const box = Array.isArray(value.bbox) ? value.bbox : Array.isArray(spatial) ? spatial[0] : undefined;
  if (!Array.isArray(box) || !box.every(Number.isFinite)) return null;
  if (box.length === 6) return [box[0], box[1], box[3], box[4]];
  return box.length === 4 ? box : null;
}

/** The box on a plain map: degrees east and north. A small one gets a mark, or nobody would see it. */
function map([west, south, east, north]) {
  const drawing = svg("svg", { class: "map", viewBox: "-180 -90 360 180", role: "img",
    "aria-label": `From ${west}° to ${east}° east, from ${south}° to ${north}° north` });
  for (let at = -180; at <= 180; at += 30) {
    drawing.append(svg("line", { class: "grid", x1: at, x2: at, y1: -90, y2: 90 }));
    drawing.append(svg("line", { class: "grid", x1: -180, x2: 180, y1: at / 2, y2: at / 2 }));
  }
  // A box over the date line has two sides.
  const spans = west <= east ? [[west, east]] : [[west, 180], [-180, east]];
  for (const [from, to] of spans) {
    drawing.append(svg("rect", { class: "box", x: from, y: -north, width: Math.max(to - from, 0.5), height: Math.max(north - south, 0.5) }));
  }
  if (Math.max(spans[0][1] - spans[0][0], north - south) < 12) {
    drawing.append(svg("circle", { class: "mark", cx: (spans[0][0] + spans[0][1]) / 2, cy: -(south + north) / 2, r: 9 }));
  }
  return drawing;
}

function when(value) {
  const properties = isRecord(value.properties) ? value.properties : {};
  if (properties.datetime) return text(properties.datetime);
  const temporal = isRecord(value.extent) && isRecord(value.extent.temporal) ? value.extent.temporal.interval : undefined;
  const [from, to] = Array.isArray(temporal) && Array.isArray(temporal[0]) ? temporal[0] : [properties.start_datetime, properties.end_datetime];
  return from || to ? `${text(from) || "…"} to ${text(to) || "…"}` : "";
}

function assets(bucket, name, value) {
  const all = isRecord(value.assets) ? Object.entries(value.assets).filter(([, asset]) => isRecord(asset)) : [];
  if (!all.length) return [];
  const rows = all.map(([key, asset]) => el("tr", {},
    el("td", {}, el("b", {}, key), el("div", { class: "soft" }, text(asset.title))),
    el("td", {}, link(bucket, name, text(asset.href))),
    el("td", {}, text(asset.type), " ", Array.isArray(asset.roles) ? asset.roles.map((role) => el("span", { class: "tag" }, text(role))) : "")));
  return [el("h2", {}, "Assets"), el("div", { class: "panel" }, table(["Asset", "Where", "What"], rows, "Assets"))];
}

function links(bucket, name, value) {
  const all = records(value.links);
  if (!all.length) return [];
  const rows = all.map((one) => el("tr", {},
    el("td", {}, el("span", { class: "tag" }, text(one.rel))),
    el("td", {}, link(bucket, name, text(one.href), text(one.title)))));
  return [el("h2", {}, "Links"), el("div", { class: "panel" }, table(["Relation", "Where"], rows, "Links"))];
}

function properties(value) {
  const all = isRecord(value.properties) ? Object.entries(value.properties) : [];
  if (!all.length) return [];
  const rows = all.map(([key, one]) => el("tr", {}, el("td", { class: "mono" }, key), el("td", {}, text(one) || JSON.stringify(one))));
  return [el("h2", {}, "Properties"), el("div", { class: "panel" }, table(["Property", "Value"], rows, "Properties"))];
}

async function thumbnail(bucket, name, value, signal) {
  const all = isRecord(value.assets) ? Object.values(value.assets).filter(isRecord) : [];
  const shown = all.find((asset) => Array.isArray(asset.roles) && asset.roles.some((role) => role === "thumbnail" || role === "overview"));
  const target = shown && resolve(name, text(shown.href));
  if (!target || !isPicture(target)) return null;
  return picture(bucket, target, signal).catch(() => null);
}

/** The document as a page. */
export async function stac(bucket, name, value, signal) {
  const box = boxOf(value);
  const kind = value.type === "Feature" ? "STAC item" : `STAC ${value.type.toLowerCase()}`;
  const title = isRecord(value.properties) ? text(value.properties.title) : "";
  const image = await thumbnail(bucket, name, value, signal);
  return el("div", {},
    el("div", { class: "columns" },
      el("section", { class: "panel padded" },
        el("p", {}, el("span", { class: "tag good" }, kind), " ", el("span", { class: "tag" }, value.stac_version)),
        facts([
          ["Id", text(value.id)],
          ["Title", text(value.title) || title],
          ["Collection", text(value.collection)],
          ["Time", when(value)],
          ["Box", box ? box.join(", ") : ""],
          ["License", text(value.license)],
        ]),
        el("p", { class: "soft" }, text(value.description))),
      el("section", { class: "panel padded" }, image || (box ? map(box) : el("p", { class: "empty" }, "No place is told.")))),
    image && box ? el("div", { class: "panel padded spaced" }, map(box)) : "",
    assets(bucket, name, value), properties(value), links(bucket, name, value));
}

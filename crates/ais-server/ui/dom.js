// Elements from words. Text becomes text, never markup: names and contents of objects are strangers' words.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** An element: `el("a", {href: "#/"}, "text", another)`. */
export function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for drawings. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A table with these headings; a heading that begins with `#` is of numbers. */
export function table(headings, rows, caption) {
  const head = headings.map((text) =>
    el("th", { scope: "col", class: text.startsWith("#") ? "number" : "" }, text.replace(/^#/, "")));
  return el("table", { "aria-label": caption }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

/** Pairs of words and what they mean; those without a meaning are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return el("dl", {}, known.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A message in place of content. */
export function notice(text, isBad) {
  return el("p", { class: isBad ? "notice bad" : "notice", role: isBad ? "alert" : "status" }, text);
}

// One object: what it is, a look into it, and the way to have it.

import { content, get, objectUrl, ofBucket, token } from "/ui/api.js";
import { el, facts, notice, table } from "/ui/dom.js";
import { bytes, count, last, time } from "/ui/format.js";
import { crumbs } from "/ui/objects.js";
import { isStac, stac } from "/ui/stac.js";

const TEXT = 256 * 1024;
const PICTURE = 32 * 1024 * 1024;
const DOCUMENT = 8 * 1024 * 1024;
/** Above this, a signed-in browser would have to keep the whole object in memory to save it. */
const SAVED = 512 * 1024 * 1024;

const PICTURES = {
  apng: "image/apng", avif: "image/avif", bmp: "image/bmp", gif: "image/gif", ico: "image/x-icon",
  jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", svg: "image/svg+xml", webp: "image/webp",
};

const extension = (name) => last(name).split(".").pop().toLowerCase();

/** A picture out of bytes. As an `img` it runs no script, whatever is in it. */
export async function picture(bucket, name, signal) {
  const data = await content(bucket, name, 0, signal);
  const url = URL.createObjectURL(new Blob([data], { type: PICTURES[extension(name)] }));
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  const image = el("img", { class: "picture", src: url, alt: `Content of ${last(name)}` });
  try {
    await image.decode();
  } catch {
    return notice("This picture cannot be shown: its content is not what its name says.");
  }
  return image;
}

export const isPicture = (name) => extension(name) in PICTURES;

/** The text of bytes, or nothing when they are none. A character may be cut at the end. */
function textOf(data, isCut) {
  const array = new Uint8Array(data);
  if (array.includes(0)) return null;
  for (let cut = 0; cut <= (isCut ? 3 : 0); cut += 1) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(array.subarray(0, array.length - cut));
    } catch {
      // Perhaps the last character is not whole.
    }
  }
  return null;
}

function hexDump(data) {
  const array = new Uint8Array(data).subarray(0, 512);
  const lines = [];
  for (let at = 0; at < array.length; at += 16) {
    const row = [...array.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  ${text}`);
  }
  return lines.join("\n");
}

/** A document in JSON, laid out; nothing when it is none. */
function parsed(text) {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function preview(bucket, meta, signal) {
  if (meta.size === 0) return el("p", { class: "empty" }, "It is empty.");
  if (isPicture(meta.name) && meta.size <= PICTURE) {
    return el("div", { class: "panel padded" }, await picture(bucket, meta.name, signal));
  }
  const isJson = /^(geo)?json$/.test(extension(meta.name)) && meta.size <= DOCUMENT;
  const limit = isJson ? meta.size : Math.min(meta.size, TEXT);
  const data = await content(bucket, meta.name, limit, signal);
  const text = textOf(data, limit < meta.size);
  if (text === null) {
    return [el("p", { class: "soft" }, "The first bytes:"), el("div", { class: "panel" }, el("pre", {}, hexDump(data)))];
  }
  const value = limit === meta.size ? parsed(text) : null;
  // Numbers keep their digits only in the text itself.
  const raw = el("div", { class: "panel" }, el("pre", { tabindex: 0 }, text.slice(0, TEXT)));
  const cut = meta.size > TEXT ? el("p", { class: "soft" }, `The first ${bytes(TEXT)} of ${bytes(meta.size)}.`) : "";
  if (value && isStac(value)) {
    return [await stac(bucket, meta.name, value, signal), el("h2", {}, "Document"), cut, raw];
  }
  return [cut, raw];
}

/** The button that saves the object. */
function download(bucket, meta) {
  const name = last(meta.name) || meta.name;
  if (!token()) {
    return el("a", { class: "button main", href: objectUrl(bucket, meta.name), download: name }, "Download");
  }
  const button = el("button", { type: "button", class: "main" }, "Download");
  if (meta.size > SAVED) {
    button.disabled = true;
    button.title = `Larger than ${bytes(SAVED)}: use holdall get, with the token`;
  }
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const url = URL.createObjectURL(new Blob([await content(bucket, meta.name, 0)]));
      el("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60000);
    } catch (error) {
      button.replaceWith(notice(error.message, true));
    }
    button.disabled = false;
  });
  return button;
}

export async function object({ put, signal }, bucket, name) {
  const found = await get("object", { ...ofBucket(bucket), name }, signal);
  const look = el("div", {}, el("p", { class: "soft" }, "Reading …"));
  const custom = found.custom.map(([key, value]) => el("tr", {}, el("td", { class: "mono" }, key), el("td", {}, value)));
  put(
    el("h1", {}, last(name)),
    crumbs(bucket, name),
    el("div", { class: custom.length ? "columns" : "" },
      el("section", { class: "panel padded" }, facts([
        ["Size", found.size < 1024 ? bytes(found.size) : `${bytes(found.size)} (${count(found.size)} bytes)`],
        ["Changed", time(found.modified_millis)],
        ["Version", found.version || ""],
        ["Checksum", found.checksum ? el("span", { class: "mono" }, `${found.checksum_type} ${found.checksum}`) : ""],
        ["ETag", el("span", { class: "mono" }, found.etag)],
        ["Parts", found.parts > 1 ? found.parts : ""],
      ]), el("p", {}, download(bucket, found))),
      custom.length
        ? el("section", { class: "panel" }, table(["Property", "Value"], custom, "Custom properties"))
        : ""),
    el("h2", {}, "Content"),
    look);
  try {
    look.replaceChildren(...[await preview(bucket, found, signal)].flat(Infinity).filter(Boolean));
  } catch (error) {
    if (!signal.aborted) look.replaceChildren(notice(error.message, true));
  }
}

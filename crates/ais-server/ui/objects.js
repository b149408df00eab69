// One level of a bucket, page by page.

import { get, ofBucket } from "/ui/api.js";
import { bucketHref, place } from "/ui/buckets.js";
import { el, table } from "/ui/dom.js";
import { bytes, last, time } from "/ui/format.js";

const PAGE = 200;

/** The address of an object's page. */
export const objectHref = (bucket, name) =>
  `#/o/${place(bucket)}/${encodeURIComponent(bucket.name)}?${new URLSearchParams({ name })}`;

/** Where we are: the bucket and the folders above, each a link. */
export function crumbs(bucket, name) {
  const parts = [el("a", { href: "#/" }, "Buckets"), el("a", { href: bucketHref(bucket) }, bucket.name)];
  let at = 0;
  for (let end = name.indexOf("/"); end >= 0; end = name.indexOf("/", at)) {
    const prefix = name.slice(0, end + 1);
    parts.push(el("a", { href: bucketHref(bucket, prefix) }, name.slice(at, end) || "(empty)"));
    at = end + 1;
  }
  if (at < name.length) parts.push(el("b", {}, name.slice(at)));
  return el("nav", { class: "crumbs", "aria-label": "Folders" },
    parts.map((part, index) => (index ? [el("span", {}, "/"), part] : part)));
}

function row(bucket, item) {
  const href = item.is_folder ? bucketHref(bucket, item.name) : objectHref(bucket, item.name);
  const name = last(item.name) || item.name;
  return el("tr", {},
    el("td", { class: item.is_folder ? "folder" : "" }, el("a", { href }, name),
      item.is_kept ? el("span", { class: "tag", title: "A copy is kept on this server" }, "kept") : ""),
    el("td", { class: "number" }, item.is_folder ? "" : bytes(item.size)),
    el("td", { class: "time wide" }, item.is_folder ? "" : time(item.modified_millis)));
}

export async function objects({ put, signal }, bucket, params) {
  const prefix = params.get("prefix") || "";
  const body = el("tbody", {});
  const frame = table(["Name", "#Size", "Changed"], [], "Objects");
  frame.querySelectorAll("th")[2].classList.add("wide");
  frame.querySelector("tbody").replaceWith(body);
  const more = el("button", { type: "button" }, "Show more");
  const state = el("span", { class: "soft", role: "status" });
  let after = "";
  const next = async () => {
    more.disabled = true;
    const page = await get("objects", { ...ofBucket(bucket), prefix, after, limit: PAGE }, signal);
    body.append(...page.items.filter((item) => item.name !== prefix).map((item) => row(bucket, item)));
    after = page.after || "";
    more.hidden = !after;
    more.disabled = false;
    const shown = body.children.length;
    state.textContent = after ? `the first ${shown}` : `${shown} item${shown === 1 ? "" : "s"}`;
    if (page.is_part) state.textContent += ", kept here: the server was started without this backend";
  };
  more.addEventListener("click", () => next().catch((error) => { state.textContent = error.message; }));
  const search = el("input", {
    type: "search",
    value: prefix,
    placeholder: "Names that begin with … (press /)",
    "aria-label": "Names that begin with",
  });
  const find = el("form", { class: "grow" }, search);
  find.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = bucketHref(bucket, search.value);
  });
  await next();
  put(
    el("h1", {}, bucket.name),
    el("p", { class: "lead" }, el("span", { class: "tag" }, bucket.provider + bucket.namespace)),
    crumbs(bucket, prefix),
    el("div", { class: "bar" }, find, state),
    el("div", { class: "panel" }, body.children.length ? frame : el("p", { class: "empty" }, "Nothing here.")),
    el("p", {}, more),
  );
}

// All buckets, and how much they hold.

import { get, ofBucket } from "/ui/api.js";
import { el, notice, table } from "/ui/dom.js";
import { bytes, count, time } from "/ui/format.js";

/** Sizes are counted for this many buckets without being asked. */
const COUNTED = 50;

export const place = (bucket) => encodeURIComponent(bucket.provider + bucket.namespace);

/** The address of a bucket's page, or of a folder in it. */
export function bucketHref(bucket, prefix) {
  const query = prefix ? `?${new URLSearchParams({ prefix })}` : "";
  return `#/b/${place(bucket)}/${encodeURIComponent(bucket.name)}${query}`;
}

export async function buckets({ put, signal }) {
  const all = await get("buckets", {}, signal);
  const rows = all.map((bucket) => {
    const [objects, size] = [el("td", { class: "number soft" }, "…"), el("td", { class: "number soft" }, "…")];
    const row = el("tr", {},
      el("td", {}, el("a", { href: bucketHref(bucket) }, bucket.name)),
      el("td", {}, el("span", { class: "tag" }, bucket.provider + bucket.namespace)),
      objects, size, el("td", { class: "time wide" }, time(bucket.created_millis)));
    return { bucket, row, objects, size };
  });
  const filter = el("input", { type: "search", placeholder: "Find a bucket (press /)", "aria-label": "Find a bucket" });
  filter.addEventListener("input", () => {
    for (const { bucket, row } of rows) row.hidden = !bucket.name.includes(filter.value);
  });
  put(
    el("h1", {}, "Buckets"),
    el("p", { class: "lead" }, `${count(all.length)} bucket${all.length === 1 ? "" : "s"} on this server`),
    el("div", { class: "bar" }, el("div", { class: "grow" }, filter)),
    all.length === 0
      ? notice("There is no bucket yet. Make one: holdall.aistore.Client(url).bucket(\"name\").create(), or any client of S3 at /s3.")
      : el("div", { class: "panel" },
          table(["Name", "Provider", "#Objects", "#Size", "Created"], rows.map(({ row }) => row), "Buckets")),
  );
  document.querySelectorAll("th")[4]?.classList.add("wide");
  for (const { bucket, objects, size } of rows.slice(0, COUNTED)) {
    const found = await get("size", ofBucket(bucket), signal);
    const more = found.is_more ? "more than " : "";
    objects.textContent = more + count(found.objects);
    size.textContent = more + bytes(found.bytes);
  }
  for (const { objects, size } of rows.slice(COUNTED)) objects.textContent = size.textContent = "";
}

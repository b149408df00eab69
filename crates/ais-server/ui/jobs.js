// Jobs, as they go on.

import { get } from "/ui/api.js";
import { el, table } from "/ui/dom.js";
import { bytes, count, duration, time } from "/ui/format.js";

const EVERY = 1000;

function state(job) {
  if (job.is_stopped) return el("span", { class: "tag bad" }, "stopped");
  if (job.is_running) return el("span", { class: "tag busy" }, "running");
  return job.error ? el("span", { class: "tag bad" }, "failed") : el("span", { class: "tag good" }, "done");
}

/** What a job did since the last look, in bytes and objects a second. */
function rate(job, before, millis) {
  if (!job.is_running || !before || millis <= 0) return "";
  const perSecond = (now, then) => Math.max(0, ((now - then) * 1000) / millis);
  const data = perSecond(job.bytes, before.bytes);
  return data > 0 ? `${bytes(data)}/s` : `${count(Math.round(perSecond(job.objects, before.objects)))}/s`;
}

function where(job) {
  const arrow = job.from && job.to ? `${job.from} → ${job.to}` : job.bucket || job.to || job.from || "";
  return [arrow, job.about ? el("div", { class: "soft mono" }, job.about) : ""];
}

function row(job, before, millis) {
  const end = job.ended_millis || Date.now();
  return el("tr", {},
    el("td", {}, state(job)),
    el("td", {}, el("b", {}, job.kind), el("div", { class: "soft mono" }, job.id)),
    el("td", {}, where(job), job.error ? el("div", { class: "tag bad" }, job.error) : ""),
    el("td", { class: "number" }, count(job.objects)),
    el("td", { class: "number" }, bytes(job.bytes), el("div", { class: "soft" }, rate(job, before, millis))),
    el("td", { class: "time" }, time(job.started_millis),
      el("div", {}, job.is_running ? el("progress", { "aria-label": "running" }) : duration(end - job.started_millis))));
}

export async function jobs({ put, signal, every }) {
  const lead = el("p", { class: "lead" });
  const box = el("div", { class: "panel" });
  put(el("h1", {}, "Jobs"), lead, box);
  let [before, looked] = [new Map(), 0];
  every(EVERY, async () => {
    const all = await get("jobs", {}, signal);
    const millis = Date.now() - looked;
    const running = all.filter((job) => job.is_running).length;
    lead.textContent = `${running} running, ${all.length - running} ended; the latest first`;
    const rows = all.map((job) => row(job, before.get(job.id), millis));
    const headings = ["State", "Job", "What", "#Objects", "#Bytes", "Started"];
    box.replaceChildren(rows.length
      ? table(headings, rows, "Jobs")
      : el("p", { class: "empty" }, "No job has run since the server started."));
    [before, looked] = [new Map(all.map((job) => [job.id, job])), Date.now()];
  });
}

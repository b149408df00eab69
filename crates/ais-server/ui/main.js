// Which page is shown: the part of the address behind `#` says so.

import { Refused, get, setToken, signIn, token } from "/ui/api.js";
import { el, notice } from "/ui/dom.js";
import { activity } from "/ui/activity.js";
import { buckets } from "/ui/buckets.js";
import { jobs } from "/ui/jobs.js";
import { object } from "/ui/object.js";
import { objects } from "/ui/objects.js";

const page = document.getElementById("page");
const session = document.getElementById("session");

/** Ends what the page before still does. */
let shown = new AbortController();

/** `#/b/provider/bucket/name?prefix=…` taken apart. Namespaces are part of the provider: `ais@uuid#name`. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").map(decodeURIComponent);
  return { parts, params: new URLSearchParams(query || "") };
}

function bucketOf(place, name) {
  const at = place.search(/[@#]/);
  const provider = at < 0 ? place : place.slice(0, at);
  return { provider, namespace: at < 0 ? "" : place.slice(at), name };
}

function choose() {
  const { parts, params } = address();
  switch (parts[0]) {
    case "":
      return ["buckets", (context) => buckets(context)];
    case "jobs":
      return ["jobs", (context) => jobs(context)];
    case "activity":
      return ["activity", (context) => activity(context)];
    case "b":
      return ["buckets", (context) => objects(context, bucketOf(parts[1], parts[2]), params)];
    case "o":
      return ["buckets", (context) => object(context, bucketOf(parts[1], parts[2]), params.get("name") || "")];
    default:
      return ["", () => [el("h1", {}, "No such page"), el("p", {}, el("a", { href: "#/" }, "All buckets"))]];
  }
}

/** The form for those whom the server does not know. */
function form(reason) {
  const status = el("p", { class: "soft", role: "status" });
  const field = (label, attributes) => {
    const input = el("input", attributes);
    return [el("label", {}, label, input), input];
  };
  const [userLabel, user] = field("User", { autocomplete: "username" });
  const [passwordLabel, password] = field("Password", { type: "password", autocomplete: "current-password" });
  const [tokenLabel, text] = field("Token", { type: "password", autocomplete: "off" });
  const done = async (work) => {
    status.textContent = "…";
    try {
      await work();
      show();
    } catch (error) {
      status.textContent = error.message;
    }
  };
  return el("section", { class: "panel padded" },
    el("h1", {}, "Sign in"),
    el("p", { class: "lead" }, reason || "This server wants to know who asks."),
    el("div", { class: "columns" },
      el("form", { onsubmit: (event) => { event.preventDefault(); done(() => signIn(user.value, password.value)); } },
        el("h2", {}, "With a name"), userLabel, passwordLabel, el("p", {}, el("button", { class: "main" }, "Sign in"))),
      el("form", { onsubmit: (event) => { event.preventDefault(); done(async () => setToken(text.value.trim())); } },
        el("h2", {}, "With a token"), tokenLabel,
        el("p", {}, el("button", { class: "main" }, "Use the token")))),
    el("p", { class: "soft" }, "The token stays in this tab and is gone when you close it."), status);
}

/** Shows the page that the address names; the keyboard goes there with it where somebody has `moved`. */
async function show(moved = false) {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const [name, view] = choose();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  session.hidden = !token();
  session.textContent = "Sign out";
  const context = {
    signal,
    /** Puts content in place, unless another page was chosen meanwhile. */
    put: (...content) => {
      if (signal.aborted) return;
      page.replaceChildren(...content.flat());
      // Once: whoever writes by the time that the rest comes keeps the keyboard.
      if (moved) page.focus({ preventScroll: true });
      moved = false;
    },
    /** Calls again and again while the page is shown; stops for good at an error. */
    every: async (millis, work) => {
      while (!signal.aborted) {
        try {
          await work();
        } catch (error) {
          if (!signal.aborted) fail(error, context);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, millis));
      }
    },
  };
  try {
    const content = await view(context);
    if (content) context.put(content);
    document.title = `${page.querySelector("h1")?.textContent || "holdall"} · holdall`;
  } catch (error) {
    if (!signal.aborted) fail(error, context);
  }
}

function fail(error, context) {
  if (error instanceof Refused) context.put(form(token() ? error.message : ""));
  else context.put(notice(error.message, true));
}

session.addEventListener("click", () => {
  setToken("");
  show();
});

// A letter for each page, as long as nobody writes.
const KEYS = { b: "#/", j: "#/jobs", a: "#/activity" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /input|textarea/i.test(event.target.tagName)) return;
  if (KEYS[event.key]) location.hash = KEYS[event.key];
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

window.addEventListener("hashchange", () => {
  show(true);
  window.scrollTo(0, 0);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address says which page is shown, so that it cannot say where to jump.
  event.preventDefault();
  page.focus();
});

show();
get("status", { since: Number.MAX_SAFE_INTEGER })
  .then((status) => { document.getElementById("where").textContent = status.url; })
  .catch(() => {});

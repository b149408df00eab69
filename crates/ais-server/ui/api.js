// The data behind the pages, and who asks for them.

const TOKEN = "holdall-token";

export class Refused extends Error {}

/** The token of this tab; it is gone with the tab. */
export const token = () => sessionStorage.getItem(TOKEN) || "";

export function setToken(text) {
  if (text) sessionStorage.setItem(TOKEN, text);
  else sessionStorage.removeItem(TOKEN);
}

async function message(reply) {
  const text = await reply.text();
  try {
    return JSON.parse(text).message || text;
  } catch {
    return text || `${reply.status} ${reply.statusText}`;
  }
}

async function send(path, options = {}) {
  const headers = { ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const reply = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
  if (reply.status === 401 || reply.status === 403) throw new Refused(await message(reply));
  if (!reply.ok) throw new Error(await message(reply));
  return reply;
}

/** A document of `/ui/api`. */
export async function get(what, params = {}, signal) {
  const query = new URLSearchParams(params).toString();
  return (await send(`/ui/api/${what}${query ? `?${query}` : ""}`, { signal })).json();
}

/** The parameters that name a bucket. */
export const ofBucket = (bucket) => ({ bucket: bucket.name, provider: bucket.provider, namespace: bucket.namespace });

/** The URL of an object's content. */
export function objectUrl(bucket, name) {
  const path = name.split("/").map(encodeURIComponent).join("/");
  const query = new URLSearchParams({ provider: bucket.provider });
  if (bucket.namespace) query.set("namespace", bucket.namespace);
  return `/v1/objects/${encodeURIComponent(bucket.name)}/${path}?${query}`;
}

/** Content of an object: its first bytes, or everything. */
export async function content(bucket, name, limit, signal) {
  const headers = limit ? { Range: `bytes=0-${limit - 1}` } : {};
  return (await send(objectUrl(bucket, name), { headers, signal })).arrayBuffer();
}

/** Asks the server's own user management for a token. */
export async function signIn(user, password) {
  const reply = await fetch(`/v1/users/${encodeURIComponent(user)}`, {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ password }),
  });
  if (!reply.ok) throw new Error(await message(reply));
  const { token: made } = await reply.json();
  if (!made) throw new Error("the server made no token");
  setToken(made);
}

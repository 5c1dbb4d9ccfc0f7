// SPDX-License-Identifier: MIT
// The calls that this page makes, all of them to where it came from.

const KEY = "lb-token";

// Kept until the tab is closed, and never sent anywhere else.
let token = sessionStorage.getItem(KEY) ?? "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function hasToken() {
  return token !== "";
}

export function setToken(value) {
  token = value;
  if (value === "") {
    sessionStorage.removeItem(KEY);
  } else {
    sessionStorage.setItem(KEY, value);
  }
}

async function send(method, path, body, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token !== "") headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: options.signal,
    cache: "no-store",
    credentials: "omit",
  });
}

async function call(method, path, body, options) {
  const answer = await send(method, path, body, options);
  const json = await answer.json().catch(() => null);
  if (json?.success) return json.data;
  throw new Refused(answer.status, json?.error ?? `the answer was ${answer.status}`);
}

export const stats = (signal) => call("GET", "/lb/stats", undefined, { signal });
export const health = (id) => call("GET", `/api/servers/${id}/health`);
export const setState = (id, state) => call("PUT", `/api/servers/${id}/state`, { state });
export const setWeight = (id, weight) => call("PUT", `/api/servers/${id}/weight`, { weight });
export const setAlgorithm = (pool, algorithm) =>
  call("PUT", "/api/algorithm", { pool, algorithm });

// Events as they come, until `signal`; not by EventSource, which cannot send a token.
export async function events(signal, heard) {
  const answer = await send("GET", "/api/events", undefined, {
    signal,
    headers: { Accept: "text/event-stream" },
  });
  if (!answer.ok) throw new Refused(answer.status, "no events");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const kind = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (kind && data) heard({ kind, ...JSON.parse(data) });
    }
  }
}

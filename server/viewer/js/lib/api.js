// The service's HTTP API, one function a route. Every request carries the key in a
// header; keys never stand in an address.

import { Problem } from "./problem.js";
import { storedKey } from "./session.js";

let askForKey = async (problem) => {
  throw problem;
};

/** Sets what happens when a key is missing or refused: an async function that returns
 * once there is a new key, after which the request is repeated. */
export function onUnauthorised(handler) {
  askForKey = handler;
}

/** Headers that identify the caller. */
export function keyHeaders(key = storedKey()) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** One request; throws Problem unless the answer is a success. */
export async function request(method, path, { json, headers = {}, body, signal } = {}) {
  for (;;) {
    const key = storedKey();
    let response;
    try {
      response = await fetch(path, {
        method,
        signal,
        body: json === undefined ? body : JSON.stringify(json),
        headers: {
          ...keyHeaders(key),
          ...(json === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw Problem.unreachable();
    }
    if (response.ok) return response;
    const problem = await Problem.fromResponse(response);
    if (problem.status !== 401) throw problem;
    if (storedKey() === key) await askForKey(problem);
  }
}

const json = async (...parts) => (await request(...parts)).json();
const part = encodeURIComponent;
const path = (...parts) => `/v1/${parts.map(part).join("/")}`;

export const me = () => json("GET", "/v1/me");
export const models = async () => (await json("GET", "/v1/models")).items;
export const ticket = async () => (await json("POST", "/v1/tickets")).ticket;

/** Whether a key is known to the server; the answer of /v1/me or null. */
export async function tryKey(key) {
  let response;
  try {
    response = await fetch("/v1/me", { headers: keyHeaders(key) });
  } catch {
    throw Problem.unreachable();
  }
  if (response.ok) return response.json();
  const problem = await Problem.fromResponse(response);
  if (problem.status === 401) return null;
  throw problem;
}

export const scenes = (cursor) =>
  json("GET", `/v1/scenes?limit=50${cursor ? `&cursor=${part(cursor)}` : ""}`);
export const scene = (id) => json("GET", path("scenes", id));
export const createScene = (name) => json("POST", "/v1/scenes", { json: { name } });
export const renameScene = (id, name) =>
  json("PATCH", path("scenes", id), { json: { name } });
export const deleteScene = (id) => request("DELETE", path("scenes", id));
export const thumbnail = async (id, signal) =>
  (await request("GET", path("scenes", id, "thumbnail"), { signal })).blob();

export const imagePath = (id, name) =>
  `${path("scenes", id, "images")}/${name.split("/").map(part).join("/")}`;
export const datasetPath = (id) => path("scenes", id, "dataset");
export const filePath = (id) => path("scenes", id, "file");
export const images = async (id) =>
  (await json("GET", path("scenes", id, "images"))).items;
export const putCameras = (id, text) =>
  json("PUT", path("scenes", id, "cameras"), {
    body: text,
    headers: { "Content-Type": "application/json" },
  });
export const validation = (id, signal) =>
  json("GET", path("scenes", id, "validation"), { signal });

export const build = (id, options) =>
  json("POST", path("scenes", id, "build"), { json: options });
export const job = (id) => json("GET", path("jobs", id));
export const cancelJob = (id) => json("POST", path("jobs", id, "cancel"));
export const jobEvents = (id, headers, signal) =>
  request("GET", path("jobs", id, "events"), { headers, signal });
export const jobResultPath = (id) => path("jobs", id, "result");

export const inputs = async (id) =>
  (await json("GET", path("scenes", id, "inputs"))).items;
export const inputImage = async (id, index) =>
  (await request("GET", path("scenes", id, "inputs", index))).blob();
export const inputThumbnail = async (id, index, signal) =>
  (
    await request("GET", path("scenes", id, "inputs", index, "thumbnail"), { signal })
  ).blob();

export const renderPath = (id) => path("scenes", id, "render");
export const render = async (id, order) =>
  (await request("POST", renderPath(id), { json: order })).blob();
export const video = (id, order) =>
  json("POST", path("scenes", id, "videos"), { json: order });
export const streamPath = (id) => path("scenes", id, "stream");

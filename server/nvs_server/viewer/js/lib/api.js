// The service's HTTP API, one function a route. Every request carries the key in a
// header; keys never stand in an address.

import { Problem } from "./problem.js";
import { at } from "./root.js";
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

/** Repeats an action, with another key each time, as long as its key is refused. */
export async function withKey(action) {
  for (;;) {
    const key = storedKey();
    try {
      return await action();
    } catch (error) {
      if (error.status !== 401) throw error;
      if (storedKey() === key) await askForKey(error);
    }
  }
}

/** One request; throws Problem unless the answer is a success. */
export function request(method, path, { json, headers = {}, body, signal } = {}) {
  return withKey(async () => {
    const response = await connected(
      fetch(path, {
        method,
        signal,
        body: json === undefined ? body : JSON.stringify(json),
        headers: {
          ...keyHeaders(),
          ...(json === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
      }),
    );
    if (response.ok) return response;
    throw await Problem.fromResponse(response);
  });
}

/** What a fetch, or reading its body, gives; a lost connection becomes a Problem. */
export async function connected(promise) {
  try {
    return await promise;
  } catch (error) {
    throw error instanceof TypeError ? Problem.unreachable() : error;
  }
}

const json = async (...parts) => connected((await request(...parts)).json());
const blob = async (...parts) => connected((await request(...parts)).blob());
const part = encodeURIComponent;
const path = (...parts) => at(`v1/${parts.map(part).join("/")}`);

export const me = () => json("GET", path("me"));
export const models = async () => (await json("GET", path("models"))).items;
export const ticket = async () => (await json("POST", path("tickets"))).ticket;

/** Whether a key is known to the server; the answer of /v1/me or null. */
export async function tryKey(key) {
  const response = await connected(fetch(path("me"), { headers: keyHeaders(key) }));
  if (response.ok) return connected(response.json());
  const problem = await Problem.fromResponse(response);
  if (problem.status === 401) return null;
  throw problem;
}

export const scenes = (cursor) =>
  json("GET", `${path("scenes")}?limit=50${cursor ? `&cursor=${part(cursor)}` : ""}`);
export const scene = (id) => json("GET", path("scenes", id));
export const createScene = (name) => json("POST", path("scenes"), { json: { name } });
export const renameScene = (id, name) =>
  json("PATCH", path("scenes", id), { json: { name } });
export const keepUp = (id, up) => json("PATCH", path("scenes", id), { json: { up } });
export const deleteScene = (id) => request("DELETE", path("scenes", id));
export const thumbnail = (id, signal) =>
  blob("GET", path("scenes", id, "thumbnail"), { signal });

export const imagePath = (id, name) =>
  `${path("scenes", id, "images")}/${name.split("/").map(part).join("/")}`;
export const datasetPath = (id) => path("scenes", id, "dataset");
export const videoPath = (id) => path("scenes", id, "video");
export const filePath = (id) => path("scenes", id, "file");
export const images = async (id) =>
  (await json("GET", path("scenes", id, "images"))).items;
/** An uploaded image, if it is of a kind that browsers show. */
export const image = async (id, name, signal) => {
  if (!/\.(png|jpe?g|webp|avif|bmp)$/i.test(name))
    throw new Problem({ title: "Browsers do not show such images" });
  return blob("GET", imagePath(id, name), { signal });
};
/** The first uploaded photograph of a kind that browsers show. */
export const firstImage = async (id, signal) => {
  const isShown = ({ name }) =>
    /\.(png|jpe?g|webp|avif|bmp)$/i.test(name) && !/(^|\/)masks?\//.test(name);
  const first = (await images(id)).find(isShown);
  if (!first) throw new Problem({ title: "No image of the scene can be shown" });
  return image(id, first.name, signal);
};
export const putCameras = (id, text) =>
  json("PUT", path("scenes", id, "cameras"), {
    body: text,
    headers: { "Content-Type": "application/json" },
  });
export const validation = (id, weights, signal) =>
  json("GET", `${path("scenes", id, "validation")}?weights=${part(weights)}`, { signal });

export const expectation = (id, options, signal) =>
  json("POST", path("scenes", id, "expectation"), { json: options, signal });
export const pose = (id) => json("POST", path("scenes", id, "pose"), { json: {} });
export const makeMasks = (id, force) =>
  json("POST", path("scenes", id, "masks"), { json: { force } });
export const masks = (id) => json("GET", path("scenes", id, "masks"));
export const maskPreview = (id, name, signal) =>
  blob(
    "GET",
    `${path("scenes", id, "masks")}/${name.split("/").map(part).join("/")}`,
    { signal },
  );
export const decideMasks = (id, accepted) =>
  json("PATCH", path("scenes", id, "masks"), { json: { accepted } });
export const build = (id, options) =>
  json("POST", path("scenes", id, "build"), { json: options });
export const job = (id) => json("GET", path("jobs", id));
export const cancelJob = (id) => json("POST", path("jobs", id, "cancel"));
export const jobEvents = (id, headers, signal) =>
  request("GET", path("jobs", id, "events"), { headers, signal });
export const jobs = async (sceneId, signal) =>
  (await json("GET", `${path("jobs")}?scene_id=${sceneId}`, { signal })).items;
export const jobResultPath = (id) => path("jobs", id, "result");

export const inputs = async (id) =>
  (await json("GET", path("scenes", id, "inputs"))).items;
export const inputImage = (id, index) =>
  blob("GET", path("scenes", id, "inputs", index));
export const inputThumbnail = (id, index, signal) =>
  blob("GET", path("scenes", id, "inputs", index, "thumbnail"), { signal });

export const heldOut = (id, signal) =>
  blob("GET", path("scenes", id, "held-out"), { signal });

export const renderPath = (id) => path("scenes", id, "render");
export const render = (id, order) => blob("POST", renderPath(id), { json: order });
export const video = (id, order) =>
  json("POST", path("scenes", id, "videos"), { json: order });
export const streamPath = (id) => path("scenes", id, "stream");

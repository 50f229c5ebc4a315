// One scene in the list.

import * as api from "../lib/api.js";
import { patiently } from "../lib/backoff.js";
import { el, fill } from "../lib/dom.js";
import { askedText, confirmed } from "../lib/dialogs.js";
import { fileName, saveFrom } from "../lib/download.js";
import { age, bytes, count, duration } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { isFinal, jobText } from "../lib/jobs.js";
import { lazyImage } from "../lib/lazy-image.js";
import { menu } from "../lib/menus.js";
import { guarded, notify } from "../lib/notices.js";
import { keepUpload, storedUpload } from "../lib/session.js";
import { sceneAddress } from "../walk/links.js";
import { isUnframed, UNFRAMED } from "./unframed.js";

const POLL_MS = 1500;
/** What a scene whose state is "building" is at. */
const AT_WORK = { pose: "finding cameras", mask: "cutting out" };
const STATES = {
  empty: "no images yet",
  uploading: "not built",
  building: "building",
  ready: "ready",
  failed: "failed",
};

/** {element, update}: `update(scene)` shows a scene, and keeps what is the same;
 * `actions` are {changed(), resume(scene), isOpen(scene)}. */
export function sceneCard(actions, models) {
  const picture = el("div", { class: "card-picture" });
  const link = el("a", { class: "card-link" });
  const menuPlace = el("div");
  const badge = el("span");
  const time = el("time");
  const size = el("p", { class: "card-size muted tabular" });
  const unframed = el("p", { class: "card-error" }, UNFRAMED);
  const interrupted = el("p", { class: "card-note" });
  const failure = el("div");
  const build = el("div");
  const element = el(
    "li",
    { class: "card" },
    picture,
    el(
      "div",
      { class: "card-body" },
      el("div", { class: "card-title" }, el("h3", {}, link), menuPlace),
      el("p", { class: "card-meta muted tabular" }, badge, time),
      size,
      interrupted,
      unframed,
      failure,
      build,
    ),
  );
  const update = (scene) => {
    const { id, name, state, created_at: created, updated_at: updated } = scene;
    Object.assign(element.dataset, { scene: id, state });
    const jobId = state === "building" && scene.job_id;
    link.href = sceneAddress(id);
    link.textContent = name;
    badge.className = `badge badge-${state}`;
    badge.textContent =
      (state === "building" && AT_WORK[scene.job_kind]) || STATES[state];
    time.dateTime = created;
    time.textContent = age(created);
    size.textContent = sizeText(scene);
    unframed.hidden = !isUnframed(scene, models);
    interrupted.textContent = actions.isOpen(scene) ? "" : interruptionOf(scene);
    interrupted.hidden = !interrupted.textContent;
    const shows = scene.num_images > 0 || state === "ready";
    renew(picture, shows && updated, () => pictureOf(scene));
    renew(failure, JSON.stringify(scene.error), () => scene.error && failureOf(scene));
    renew(build, jobId, () => jobId && buildLine(scene, actions));
    if (!menuPlace.querySelector("[open]")) {
      const key = JSON.stringify([name, state, scene.job_id, scene.num_images > 0, scene.has_video]);
      renew(menuPlace, key, () => actionMenu(scene, actions));
    }
  };
  return { element, update };
}

/** Fills a place anew where `key`, which stands for what it shows, is another one. */
function renew(place, key, make) {
  if (place.dataset.key === String(key)) return;
  place.dataset.key = key;
  const hadFocus = place.contains(document.activeElement);
  const content = make();
  fill(place, content);
  place.hidden = !content;
  if (hadFocus) place.querySelector("summary")?.focus();
}

const pictureOf = ({ id, state, num_images: num }) =>
  state === "ready"
    ? lazyImage((signal) => api.thumbnail(id, signal), { alt: "" })
    : num > 0
      ? lazyImage((signal) => api.firstImage(id, signal), { alt: "" })
      : icon("cube");

const failureOf = ({ state, error }) =>
  el(
    "p",
    { class: "card-error" },
    state === "ready" && "The last build failed. ",
    error.problem,
    " ",
    el("span", { class: "muted" }, error.remedy),
  );

/** What to do about an upload from this device that did not end; "" if there is none. */
function interruptionOf({ id, num_images: numImages, has_cameras: hasCameras }) {
  const numFiles = storedUpload(id);
  return numFiles === null || hasCameras || numImages >= numFiles
    ? ""
    : `The upload stopped at ${numImages} of ${count(numFiles, "file")}. Drop the same files here again: only the rest is sent.`;
}

function sizeText(scene) {
  const stored = bytes((scene.scene_bytes ?? 0) + scene.input_bytes);
  if (scene.state !== "ready") {
    const { num_images: all, num_masks: numMasks } = scene;
    const masks = numMasks > 0 ? `, ${count(numMasks, "mask")}` : "";
    return `${count(all - numMasks, "image")}${masks}, ${stored}`;
  }
  return `${scene.width} × ${scene.height}, ${count(scene.num_views, "view")}, ${stored}`;
}

/** Progress in the list: asked for now and then, so that many builds need no stream. */
function buildLine(scene, { changed }) {
  const bar = el("progress", {
    max: 1,
    value: 0,
    "aria-label": `Work on ${scene.name}`,
  });
  const text = el("span", { class: "muted tabular" });
  const line = el("div", { class: "job-line" }, bar, text);
  const onLost = () => {
    text.textContent = "connection lost, trying again";
  };
  const look = guarded(async () => {
    const job = await patiently(() => api.job(scene.job_id), { onLost });
    bar.value = job.progress;
    text.textContent = jobText(job, duration);
    if (isFinal(job)) changed();
    else if (line.isConnected) setTimeout(look, POLL_MS);
  });
  look();
  return line;
}

function actionMenu(scene, { changed, resume }) {
  const rename = guarded(async () => {
    const name = await askedText("Rename the scene", "Name", scene.name);
    if (name === null) return;
    await api.renameScene(scene.id, name);
    changed();
  });
  const remove = guarded(async () => {
    const text = `“${scene.name}”, its images and its scene file are deleted for good.`;
    if (!(await confirmed("Delete this scene?", text, "Delete"))) return;
    await api.deleteScene(scene.id);
    keepUpload(scene.id, null);
    changed();
  });
  const download = guarded(async () => {
    const notice = notify("Downloading the scene file …", { kind: "progress" });
    const onProgress = (received, total) => {
      const of = total ? ` of ${bytes(total)}` : "";
      notice.querySelector("p").textContent =
        `Downloading the scene file: ${bytes(received)}${of}`;
    };
    const name = fileName(scene.name, ".scene");
    await saveFrom(api.filePath(scene.id), name, onProgress).finally(() =>
      notice.remove(),
    );
  });
  const cancel = guarded(async () => {
    await api.cancelJob(scene.job_id);
    changed();
  });
  const canBuild =
    ["uploading", "failed", "ready"].includes(scene.state) &&
    (scene.num_images > 0 || scene.has_video);
  return menu("", {
    icon: icon("more"),
    title: `Actions for ${scene.name}`,
    items: [
      { label: "Rename", action: rename },
      scene.state === "ready" && { label: "Download the scene file", action: download },
      scene.state === "building" && { label: "Cancel the work", action: cancel },
      canBuild && {
        label: scene.state === "ready" ? "Build again" : "Check and build",
        action: () => resume(scene, true),
      },
      ["empty", "uploading", "failed"].includes(scene.state) && {
        label: "Add files",
        action: () => resume(scene, false),
      },
      { label: "Delete", danger: true, action: remove },
    ].filter(Boolean),
  });
}

// One scene in the list.

import * as api from "../lib/api.js";
import { el } from "../lib/dom.js";
import { askedText, confirmed } from "../lib/dialogs.js";
import { fileName, saveFrom } from "../lib/download.js";
import { age, bytes, count, duration } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { isFinal, jobText } from "../lib/jobs.js";
import { lazyImage } from "../lib/lazy-image.js";
import { menu } from "../lib/menus.js";
import { guarded, notify } from "../lib/notices.js";
import { sceneAddress } from "../walk/links.js";

const STATES = {
  empty: "no images yet",
  uploading: "not built",
  building: "building",
  ready: "ready",
  failed: "failed",
};

/** `actions` are {changed(), resume(scene)}. */
export function sceneCard(scene, actions) {
  const place = el("div", { class: "card-picture" });
  if (scene.state === "ready") {
    place.append(lazyImage((signal) => api.thumbnail(scene.id, signal), { alt: "" }));
  } else {
    place.append(icon("cube"));
  }
  return el(
    "li",
    { class: "card", dataset: { scene: scene.id, state: scene.state } },
    place,
    el(
      "div",
      { class: "card-body" },
      el(
        "div",
        { class: "card-title" },
        el(
          "h3",
          {},
          el("a", { href: sceneAddress(scene.id), class: "card-link" }, scene.name),
        ),
        actionMenu(scene, actions),
      ),
      el(
        "p",
        { class: "card-meta muted tabular" },
        el("span", { class: `badge badge-${scene.state}` }, STATES[scene.state]),
        el("time", { datetime: scene.created_at }, age(scene.created_at)),
      ),
      el("p", { class: "card-size muted tabular" }, sizeText(scene)),
      scene.state === "failed" &&
        scene.error &&
        el(
          "p",
          { class: "card-error" },
          scene.error.problem,
          " ",
          el("span", { class: "muted" }, scene.error.remedy),
        ),
      scene.state === "building" && scene.job_id && buildLine(scene, actions),
    ),
  );
}

function sizeText(scene) {
  const stored = bytes((scene.scene_bytes ?? 0) + scene.input_bytes);
  if (scene.state !== "ready") return `${count(scene.num_images, "image")}, ${stored}`;
  return `${scene.width} × ${scene.height}, ${count(scene.num_views, "view")}, ${stored}`;
}

/** Progress in the list: asked for now and then, so that many builds need no stream. */
function buildLine(scene, { changed }) {
  const bar = el("progress", {
    max: 1,
    value: 0,
    "aria-label": `Build of ${scene.name}`,
  });
  const text = el("span", { class: "muted tabular" });
  const line = el("div", { class: "job-line" }, bar, text);
  const look = async () => {
    const job = await api.job(scene.job_id);
    bar.value = job.progress;
    text.textContent = jobText(job, duration);
    if (isFinal(job)) changed();
    else if (line.isConnected) setTimeout(guarded(look), 1500);
  };
  setTimeout(guarded(look), 0);
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
    changed();
  });
  const download = guarded(async () => {
    const notice = notify("Downloading the scene file …");
    await saveFrom(
      api.filePath(scene.id),
      fileName(scene.name, ".scene"),
      (received, total) => {
        const of = total ? ` of ${bytes(total)}` : "";
        notice.querySelector("p").textContent =
          `Downloading the scene file: ${bytes(received)}${of}`;
      },
    );
  });
  const cancel = guarded(async () => {
    await api.cancelJob(scene.job_id);
    changed();
  });
  const canBuild =
    ["uploading", "failed", "ready"].includes(scene.state) && scene.num_images > 0;
  return menu("", {
    icon: icon("more"),
    title: `Actions for ${scene.name}`,
    items: [
      { label: "Rename", action: rename },
      scene.state === "ready" && { label: "Download the scene file", action: download },
      scene.state === "building" && { label: "Cancel the build", action: cancel },
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

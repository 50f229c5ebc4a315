// A posing as it goes on: its stages, each photograph as it gets its camera or is left
// out, and the cameras in space.

import * as api from "../lib/api.js";
import { el, fill } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { smallPicture } from "./small-picture.js";

const STAGES = ["decode", "features", "matching", "mapping", "framing"];
const STATES = {
  waiting: { text: "no camera yet" },
  placed: { text: "placed", icon: "check" },
  "left-out": { text: "left out", icon: "close" },
};

/**
 * {element, show(job), finish(posing), end()}.
 *
 * `show` takes the job at each change, `finish` its report; `end` when the view is no
 * longer shown. `files` are those that were sent from this page, by their names in the
 * scene: their thumbnails need no server.
 */
export function posingView({ sceneId, files = new Map() }) {
  const stages = STAGES.map((name) => el("li", {}, el("span", {}, name)));
  const counts = el("p", { class: "muted tabular" });
  const canvas = el("canvas", {
    class: "cameras-canvas",
    role: "img",
    tabindex: 0,
    hidden: true,
  });
  const list = el("ul", { class: "photo-grid", "aria-label": "Photographs", tabindex: 0 });
  const element = el(
    "section",
    { class: "posing-view", "aria-label": "Finding the cameras" },
    el("ol", { class: "stages", "aria-label": "Stages" }, stages),
    el("div", { class: "posing-now" }, canvas, list),
    counts,
  );
  const rows = new Map();
  let cameras = null;
  let isOver = false;

  const showStage = (stage) => {
    const now = STAGES.indexOf(stage);
    if (now < 0) return;
    stages.forEach((node, index) => {
      node.dataset.state = index < now ? "done" : index === now ? "now" : "to come";
      if (index === now) node.setAttribute("aria-current", "step");
      else node.removeAttribute("aria-current");
    });
  };
  const showPhotographs = (names, placed, leftOut) => {
    for (const name of names) {
      if (rows.has(name)) continue;
      const row = photograph(sceneId, name, files.get(name));
      rows.set(name, row);
      list.append(row.node);
    }
    for (const [name, row] of rows) {
      const reason = leftOut.get(name);
      row.set(placed.has(name) ? "placed" : reason ? "left-out" : "waiting", reason);
    }
    const without = leftOut.size ? `, ${leftOut.size} left out` : "";
    counts.textContent = `${placed.size} of ${count(rows.size, "photograph")} placed${without}`;
  };
  const showCameras = async (placed) => {
    if (placed.length === 0 || isOver) return;
    canvas.hidden = false;
    canvas.setAttribute("aria-label", `The cameras of ${count(placed.length, "photograph")}; arrow keys turn them`);
    canvas.dataset.count = placed.length;
    cameras ??= import("./camera-sketch.js").then(({ CameraSketch }) =>
      CameraSketch.on(canvas),
    );
    const sketch = await cameras;
    if (sketch === null) canvas.hidden = true;
    else if (isOver) sketch.dispose();
    else sketch.show(placed);
  };

  const show = async ({ stage, sketch }) => {
    showStage(stage);
    if (!sketch) return;
    const placed = new Set(sketch.placed.map(({ name }) => name));
    const leftOut = new Map(sketch.left_out.map(({ name, reason }) => [name, reason]));
    showPhotographs(sketch.photographs, placed, leftOut);
    await showCameras(sketch.placed);
  };
  const finish = ({ left_out: without }) => {
    element.hidden = rows.size === 0; // it was too quick to be seen
    const leftOut = new Map(without.map(({ name, reason }) => [name, reason]));
    const placed = [...rows.keys()].filter((name) => !leftOut.has(name));
    for (const node of stages) node.dataset.state = "done";
    showPhotographs([], new Set(placed), leftOut);
  };
  const end = async () => {
    isOver = true;
    (await cameras)?.dispose();
  };
  return { element, show, finish, end };
}

/** One thumbnail; `set(state, reason)`. */
function photograph(sceneId, name, file) {
  const state = el("span", { class: "photo-state" });
  const picture = smallPicture(
    file ? async () => file : (signal) => api.image(sceneId, name, signal),
  );
  const node = el("li", {}, picture, state);
  const set = (value, reason) => {
    if (node.dataset.state === value) return;
    node.dataset.state = value;
    const { text, icon: mark } = STATES[value];
    node.title = reason ? `${name}: ${reason}` : `${name}: ${text}`;
    fill(
      state,
      mark && icon(mark),
      el("span", { class: "for-readers" }, node.title),
    );
  };
  set("waiting");
  return { node, set };
}

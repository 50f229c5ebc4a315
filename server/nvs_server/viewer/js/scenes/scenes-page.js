// The first page: a place to drop a capture, and the scenes that are there.

import { button, el, fill } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { filesOfDrop, filesOfInput } from "./dropped-files.js";
import { sceneList } from "./scene-list.js";
import { UploadPanel } from "./upload-panel.js";

const REFRESH_MS = 15000;
/** What phones offer their camera roll for. */
const CAMERA_ROLL = "image/*,video/*";

/** Fills the page. */
export async function scenesPage(root, { models }) {
  const panels = el("div", { class: "panels" });
  const open = new Set();
  let continued = null;

  const openPanel = (scene) => {
    const panel = new UploadPanel({ models, scene });
    open.add(panel);
    panel.addEventListener("change", list.refresh);
    panel.addEventListener("close", () => {
      open.delete(panel);
      return list.refresh();
    });
    panels.prepend(panel.element);
    panel.element.scrollIntoView({ block: "nearest" });
    return panel;
  };
  const take = async (files, scene = null) => {
    if (files.length) await openPanel(scene).take(files);
  };
  const list = sceneList({
    models,
    isOpen: ({ id }) => [...open].some((panel) => panel.scene?.id === id),
    resume: (scene, isComplete) => {
      if (isComplete) openPanel(scene).resume();
      else chooseFolder(scene);
    },
  });
  const chooseFolder = (scene = null) => {
    continued = scene;
    folder.click();
  };
  const folder = chooser(
    { webkitdirectory: true, "aria-label": "Folder to upload" },
    (files) => take(files, continued),
  );
  const files = chooser({ "aria-label": "Files to upload" }, take);
  const chooseFiles = (accept) => () => {
    files.accept = accept;
    files.click();
  };
  const zone = dropZone(
    button("Photos or a video", {
      icon: icon("camera"),
      class: "primary for-touch",
      onclick: chooseFiles(CAMERA_ROLL),
    }),
    button("Choose folder", {
      icon: icon("folder"),
      class: "primary for-pointer",
      onclick: () => chooseFolder(),
    }),
    button("Choose files", { onclick: chooseFiles("") }),
    folder,
    files,
  );
  fill(
    root,
    el("main", { class: "scenes-page", id: "main" }, zone, panels, list.element),
  );
  takeDrops(zone, take);
  await list.refresh();
  setInterval(() => {
    if (document.visibilityState === "visible") list.refresh();
  }, REFRESH_MS);
}

function chooser(props, take) {
  const input = el("input", {
    type: "file",
    multiple: true,
    hidden: true,
    onchange: async () => {
      const files = filesOfInput(input);
      input.value = "";
      await take(files);
    },
    ...props,
  });
  return input;
}

const dropZone = (...choices) =>
  el(
    "section",
    { class: "drop-zone", "aria-label": "Upload" },
    icon("upload"),
    el(
      "div",
      { class: "drop-text" },
      el("p", { class: "drop-title for-pointer" }, "Drop a capture here"),
      el("p", { class: "drop-title for-touch" }, "Choose a capture"),
      el(
        "p",
        { class: "muted" },
        "Photographs or a video; photographs with ",
        el("code", {}, "opencv_cameras.json"),
        " or ",
        el("code", {}, "transforms.json"),
        "; a zip of any dataset layout; or a scene file.",
      ),
    ),
    el("div", { class: "drop-actions" }, choices),
  );

/** The whole page takes drops. */
function takeDrops(zone, take) {
  const mark = (isOver) => zone.classList.toggle("is-over", isOver);
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) mark(false);
  });
  window.addEventListener("drop", async (event) => {
    event.preventDefault();
    mark(false);
    await take(await filesOfDrop(event.dataTransfer));
  });
}

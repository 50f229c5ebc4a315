// The first page: a place to drop a capture, and the scenes that are there.

import * as api from "../lib/api.js";
import { button, el, fill } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { guarded } from "../lib/notices.js";
import { stateCard } from "../states.js";
import { filesOfDrop, filesOfInput } from "./dropped-files.js";
import { sceneCard } from "./scene-card.js";
import { UploadPanel } from "./upload-panel.js";

const REFRESH_MS = 15000;

/** Fills the page. */
export async function scenesPage(root, { models }) {
  const list = el("ul", { class: "cards" });
  const more = button("Show more", { hidden: true });
  const panels = el("div", { class: "panels" });
  let cursor = null;
  let continued = null;

  const refresh = guarded(async () => {
    const page = await api.scenes();
    if (list.querySelector("details[open]")) return;
    cursor = page.next_cursor;
    more.hidden = cursor === null;
    fill(
      list,
      page.items.length
        ? page.items.map((scene) => sceneCard(scene, actions))
        : emptyState(),
    );
  });
  more.addEventListener(
    "click",
    guarded(async () => {
      const page = await api.scenes(cursor);
      cursor = page.next_cursor;
      more.hidden = cursor === null;
      list.append(...page.items.map((scene) => sceneCard(scene, actions)));
    }),
  );

  const openPanel = (scene) => {
    const panel = new UploadPanel({ models, scene });
    panel.addEventListener("change", refresh);
    panel.addEventListener("close", refresh);
    panels.prepend(panel.element);
    panel.element.scrollIntoView({ block: "nearest" });
    return panel;
  };
  const actions = {
    changed: refresh,
    resume: (scene, isComplete) => {
      if (isComplete) openPanel(scene).resume();
      else {
        continued = scene;
        folder.click();
      }
    },
  };
  const take = guarded(async (files) => {
    const scene = continued;
    continued = null;
    if (files.length) await openPanel(scene).take(files);
  });

  const { zone, folder } = dropZone(take);
  fill(
    root,
    el(
      "main",
      { class: "scenes-page", id: "main" },
      zone,
      panels,
      el(
        "section",
        { "aria-labelledby": "scenes-title" },
        el(
          "header",
          { class: "section-head" },
          el("h2", { id: "scenes-title" }, "Scenes"),
          button("", {
            icon: icon("refresh"),
            title: "Refresh the list",
            class: "icon-button",
            onclick: refresh,
          }),
        ),
        list,
        more,
      ),
    ),
  );
  takeDrops(zone, take);
  await refresh();
  setInterval(() => {
    if (document.visibilityState === "visible" && cursor === null) refresh();
  }, REFRESH_MS);
}

const emptyState = () =>
  el(
    "li",
    { class: "empty" },
    stateCard({
      icon: "cube",
      title: "No scenes yet",
      text: "Drop a folder of photographs with their cameras above: it becomes a scene to walk around in.",
    }),
  );

function dropZone(take) {
  const chooser = (props) => {
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
  };
  const folder = chooser({ webkitdirectory: true, "aria-label": "Folder to upload" });
  const files = chooser({ "aria-label": "Files to upload" });
  const zone = el(
    "section",
    { class: "drop-zone", "aria-label": "Upload" },
    icon("upload"),
    el(
      "div",
      { class: "drop-text" },
      el("p", { class: "drop-title" }, "Drop a capture here"),
      el(
        "p",
        { class: "muted" },
        "A folder with photographs and ",
        el("code", {}, "opencv_cameras.json"),
        " or ",
        el("code", {}, "transforms.json"),
        "; a zip of any dataset layout; or a scene file.",
      ),
    ),
    el(
      "div",
      { class: "drop-actions" },
      button("Choose folder", {
        icon: icon("folder"),
        class: "primary",
        onclick: () => folder.click(),
      }),
      button("Choose files", { onclick: () => files.click() }),
    ),
    folder,
    files,
  );
  return { zone, folder };
}

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

// The page around the stage: top bar, drawer, side panels.

import { header } from "../header.js";
import { button, el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { menu } from "../lib/menus.js";
import { notify } from "../lib/notices.js";
import { metersPanel } from "./meters-panel.js";
import { cameraJson, copyText, curlCommand, pythonProgram } from "./share.js";

/** Puts the parts of a Walk on the page; returns the button of the timeline. */
export function layOut(walk) {
  const { root, me, scene, stage, timeline, connection } = walk;
  const pathButton = button("Path", {
    icon: icon("film"),
    class: "small",
    "aria-pressed": "false",
    title: "Keyframes and video (T)",
    onclick: () => walk.togglePath(),
  });
  const main = el(
    "main",
    { id: "main", class: "walk" },
    el(
      "div",
      { class: "stage-column" },
      connection.banner,
      stage.element,
      timeline.element,
    ),
    el(
      "aside",
      { class: "side", "aria-label": "Panels" },
      walk.camera.element,
      walk.inputList.element,
      walk.heldOut,
      metersPanel(walk.meters),
    ),
  );
  root.append(header({ me, middle: title(scene), end: tools(walk, pathButton) }), main);
  if (!walk.motion.overlay) {
    main.dataset.webgl = "none";
    notify(
      "This browser has no WebGL that works: the input cameras are not drawn in the picture. Everything else works.",
    );
  }
  return pathButton;
}

const title = (scene) => [
  el("h1", { class: "scene-name", title: scene.name }, scene.name),
  el(
    "span",
    { class: "muted tabular scene-facts" },
    `${scene.width} × ${scene.height} · ${count(scene.num_views, "view")} · ${scene.weights}`,
  ),
];

function tools(walk, pathButton) {
  return [
    walk.connection.chip,
    button("Share", {
      icon: icon("link"),
      class: "small",
      title: "Copy a link to this view",
      onclick: () => walk.share(),
    }),
    button("Snapshot", {
      icon: icon("camera"),
      class: "small",
      title: "Picture and camera (P)",
      onclick: () => walk.snapshot(),
    }),
    copyMenu(walk),
    pathButton,
    button("", {
      icon: icon("help"),
      class: "icon-button",
      title: "Keys and pointer (?)",
      onclick: () => walk.showHelp(),
    }),
  ];
}

function copyMenu(walk) {
  const { scene, view } = walk;
  const access = { needsKey: walk.me.auth === "key" };
  return menu("Copy", {
    icon: icon("copy"),
    items: [
      {
        label: "Camera as JSON",
        action: () => copyText(cameraJson(view, walk.size), "Camera"),
      },
      {
        label: "Render as curl",
        action: () =>
          copyText(curlCommand(scene.id, view, walk.size, access), "Command"),
      },
      {
        label: "Render as Python",
        action: () =>
          copyText(pythonProgram(scene.id, view, walk.size, access), "Program"),
      },
    ],
  });
}

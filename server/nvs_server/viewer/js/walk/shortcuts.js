// Keys that do one thing, and the page that explains all keys.

import { el } from "../lib/dom.js";
import { openDialog } from "../lib/dialogs.js";

const SLIDER_KEYS = /^(Arrow|Home|End|Page)/;

/** Whether a key means something to the control that has the focus, to a video or to a
 * dialog. */
export function isTaken({ key, target }) {
  if (target.closest("dialog, select, textarea, video")) return true;
  if (target.closest("input[type=range], [role=slider]")) return SLIDER_KEYS.test(key);
  if (target.closest("button, summary, a, input[type=checkbox]"))
    return key === " " || key === "Enter";
  return target.closest("input") !== null;
}

const MOVING = [
  [["W", "A", "S", "D"], "walk forward, left, back, right"],
  [["Q", "E"], "down, up"],
  [["←", "→", "↑", "↓"], "turn about the scene (fly mode: look around)"],
  [["+", "−"], "closer, away"],
  [["[", "]"], "narrower, wider field of view"],
  ["Shift", "with keys that walk or turn: four times as fast"],
];
const POINTER = [
  ["drag", "turn (fly mode: look around)"],
  ["right drag, two fingers", "shift"],
  ["wheel, pinch", "closer, away"],
  ["arrows on the picture", "walk, on touch screens"],
  ["click a camera", "fly to that input camera"],
];

/** Handles {key: [action, what it does]}; returns a function that shows the help. */
export function shortcuts(actions) {
  document.addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.repeat ||
      isTaken(event)
    )
      return;
    const action =
      actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action[0]();
  });
  const rows = Object.entries(actions).map(([key, [, text]]) => [nameOf(key), text]);
  return () =>
    openDialog(
      "Keys and pointer",
      el(
        "div",
        { class: "help" },
        table("Moving", MOVING),
        table("Pointer and touch", POINTER),
        table("Actions", rows),
      ),
      { className: "dialog-wide" },
    );
}

const nameOf = (key) =>
  ({ " ": "Space" })[key] ?? (key.length === 1 ? key.toUpperCase() : key);

function table(title, rows) {
  return el(
    "section",
    {},
    el("h3", {}, title),
    el(
      "dl",
      { class: "keys" },
      rows.map(([key, text]) => [
        el(
          "dt",
          {},
          (Array.isArray(key) ? key : [key]).map((one) => el("kbd", {}, one)),
        ),
        el("dd", {}, text),
      ]),
    ),
  );
}

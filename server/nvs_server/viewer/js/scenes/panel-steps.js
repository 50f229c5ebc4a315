// What the upload panel shows before an upload, after it, and when it cannot go on.

import { button, el, field } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { sceneAddress } from "../walk/links.js";
import { descriptionOf } from "./capture.js";

/** What was recognised; `onSend(name)` hears of the wish to upload it. */
export function confirmForm(found, { scene, onSend }) {
  const name = el("input", {
    type: "text",
    value: scene?.name ?? found.name,
    maxlength: 200,
    required: true,
  });
  return el(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        onSend(name.value.trim() || found.name);
      },
    },
    el("p", {}, descriptionOf(found)),
    !scene && field("Name", name),
    el(
      "div",
      { class: "form-actions" },
      button("Upload", { type: "submit", class: "primary", icon: icon("upload") }),
    ),
  );
}

/** The scene to which an upload of the same files was cut off; `onContinue()` and
 * `onNew()` hear of what to do. */
export const continueChoice = (found, { scene, numPresent }, { onContinue, onNew }) => [
  el("p", {}, descriptionOf(found)),
  el(
    "p",
    {},
    numPresent === 0
      ? `The upload of “${scene.name}” was begun and has no files yet.`
      : `The upload of “${scene.name}” was begun: the server has ${numPresent} of these ${count(found.images.length, "file")}, which are not sent again.`,
  ),
  el(
    "div",
    { class: "form-actions" },
    button("Continue the upload", {
      class: "primary",
      icon: icon("upload"),
      onclick: onContinue,
    }),
    button("Make a new scene", { onclick: onNew }),
  ),
];

/** A problem with its remedy; `again` is offered as a way to go on. */
export const failure = (problem, remedy, again) => [
  el(
    "div",
    { class: "state-line", role: "alert" },
    icon("warning"),
    el("div", {}, el("p", {}, problem), el("p", { class: "muted" }, remedy)),
  ),
  again &&
    el(
      "div",
      { class: "form-actions" },
      button("Try again", { icon: icon("refresh"), class: "primary", onclick: again }),
    ),
];

/** The way to a scene that is ready. */
export const readyScene = (scene) => [
  el("p", { class: "state-line good" }, icon("check"), "The scene is ready."),
  el(
    "div",
    { class: "form-actions" },
    el(
      "a",
      { class: "button primary", href: sceneAddress(scene.id) },
      icon("cube"),
      "Walk around",
    ),
  ),
];

// The input photographs: each flies to its camera. Where there is no WebGL, and for
// keyboards and screen readers, this is what the frustums are for others.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { lazyImage } from "../lib/lazy-image.js";

/** `onPick(index)` and `onCompare()`. */
export function inputsPanel({ sceneId, inputs, onPick, onCompare }) {
  const compare = button("Compare", {
    icon: icon("compare"),
    class: "small",
    title: "The nearest photograph beside its render (C)",
    onclick: onCompare,
  });
  const buttons = inputs.map((input) =>
    el(
      "button",
      {
        type: "button",
        class: "input-button",
        title: input.name,
        "aria-label": `Fly to input ${input.index + 1}, ${input.name}`,
        onclick: () => onPick(input.index),
      },
      lazyImage((signal) => api.inputThumbnail(sceneId, input.index, signal), {
        alt: "",
      }),
    ),
  );
  const element = el(
    "section",
    { class: "side-section", "aria-label": "Inputs" },
    el(
      "div",
      { class: "side-head" },
      el("h2", {}, count(inputs.length, "input")),
      compare,
    ),
    el("div", { class: "inputs-grid" }, buttons),
  );
  let marked = null;
  const mark = (index) => {
    if (index === marked) return;
    buttons[marked]?.removeAttribute("aria-current");
    buttons[index]?.setAttribute("aria-current", "true");
    marked = index;
  };
  return { element, mark, compare };
}

// Masks of a capture: asked for, looked at on thumbnails, accepted or refused.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";
import { lazyImage } from "../lib/lazy-image.js";

/** Agreement with the others under which a mask is not chosen at first. */
const DOUBTFUL = 0.6;

/** How many masks are used, and the way to others; `onMake()` hears of the wish. */
export function maskOffer({ num_used: numUsed }, onMake) {
  return el(
    "section",
    { class: "mask-offer", "aria-label": "What is around the thing" },
    el(
      "p",
      { class: "muted" },
      numUsed > 0
        ? `${count(numUsed, "mask")} will be used: what is around the thing becomes white.`
        : "Weights for objects saw them before white. What is around the thing can be cut away.",
    ),
    button(numUsed > 0 ? "Cut it out anew" : "Cut the thing out", {
      class: "small",
      onclick: onMake,
    }),
  );
}

/**
 * Thumbnails of proposed masks, each to be accepted or refused.
 *
 * `agreements` holds how well they agree, by image, where that is known; `onDecide`
 * gets the images whose masks are accepted.
 */
export function maskChoice(sceneId, proposed, agreements, onDecide) {
  const boxes = proposed.map((name) =>
    el("input", {
      type: "checkbox",
      value: name,
      checked: (agreements.get(name) ?? 1) >= DOUBTFUL,
      onchange: () => update(),
    }),
  );
  const use = button("", { class: "primary" });
  const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const update = () => {
    const num = chosen().length;
    use.textContent =
      num === 0 ? "Use no masks" : `Use ${num} of ${count(boxes.length, "mask")}`;
  };
  const setAll = (value) => () => {
    for (const box of boxes) box.checked = value;
    update();
  };
  use.addEventListener("click", () => onDecide(chosen()));
  update();
  return [
    el(
      "p",
      {},
      "The pink line is what is kept. Take the tick away where it is wrong: that photograph then counts with all that is around the thing.",
    ),
    el(
      "ul",
      { class: "mask-list", "aria-label": "Masks" },
      proposed.map((name, index) => thumbnail(sceneId, name, boxes[index], agreements)),
    ),
    el(
      "div",
      { class: "form-actions" },
      use,
      button("Choose all", { onclick: setAll(true) }),
      button("Choose none", { onclick: setAll(false) }),
    ),
  ];
}

function thumbnail(sceneId, name, box, agreements) {
  const agreement = agreements.get(name);
  const isDoubtful = agreement !== undefined && agreement < DOUBTFUL;
  return el(
    "li",
    {},
    el(
      "label",
      { class: "mask-thumbnail" },
      lazyImage((signal) => api.maskPreview(sceneId, name, signal), { alt: "" }),
      el("span", { class: "mask-name" }, box, el("span", {}, name)),
      isDoubtful &&
        el("span", { class: "mask-doubt" }, icon("warning"), "unlike the others"),
    ),
  );
}

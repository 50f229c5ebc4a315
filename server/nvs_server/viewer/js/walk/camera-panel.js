// Controls of the camera: how it moves, its lens, up axis, home, picture size.

import { button, el, field, inlineField, select } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { AXES, axisName, axisText, isSameAxis } from "../cameras/axes.js";
import { levelled } from "../cameras/navigation.js";

const FACTORS = [0.5, 1, 1.5, 2, 3, 4];

/**
 * Sizes a picture can have at rest: parts of the scene's own within the model's limits.
 * `isLarge` are those of more than twice the size of the training.
 */
export function fullSizes(scene, model) {
  const patch = model.patch_size;
  const trained = Math.max(model.trained_height ?? Infinity, model.trained_width ?? 0);
  const sizes = FACTORS.map((factor) => {
    const height = Math.round((scene.height * factor) / patch) * patch;
    const width = Math.round((scene.width * factor) / patch) * patch;
    return { height, width, factor, isLarge: Math.max(height, width) > 2 * trained };
  });
  return sizes.filter(
    ({ height, width, factor }) =>
      factor === 1 ||
      (Math.min(height, width) >= 32 &&
        height <= model.max_height &&
        width <= model.max_width),
  );
}

/**
 * The section; `actions` are {setMode(mode), home(), setFull(size), setSpeed(factor),
 * keepUp(axis), showFrustums(bool)}; `hasOverlay` is false without WebGL.
 */
export function cameraPanel({ view, sizes, mode, hasOverlay, actions }) {
  const modes = ["orbit", "fly"].map((name) =>
    button(name === "orbit" ? "Orbit" : "Fly", {
      "aria-pressed": String(name === mode),
      dataset: { mode: name },
      onclick: () => actions.setMode(name),
    }),
  );
  const fov = el("input", {
    type: "range",
    min: 10,
    max: 120,
    step: 0.5,
    oninput: () => view.setFov(Number(fov.value), "panel"),
  });
  const fovText = el("output", { class: "tabular" });
  const speed = el("input", {
    type: "range",
    min: -2,
    max: 2,
    step: 0.1,
    value: 0,
    oninput: () => actions.setSpeed(2 ** Number(speed.value)),
  });
  const upOf = (name) => (name === "auto" ? view.survey.up : AXES[name]);
  const up = select(
    [
      ["auto", `as found: ${axisText(view.survey.up)}`],
      ...Object.keys(AXES).map((name) => [name, name]),
    ],
    {
      value: axisOf(view),
      onchange: () => {
        view.up = upOf(up.value);
        view.set({ pose: levelled(view.pose, view.up) }, "panel");
      },
    },
  );
  const keepUp = button("Keep", {
    class: "small",
    title: "Keep this up axis with the scene, for its orbits and for others",
    onclick: async () => {
      await actions.keepUp(view.up);
      up.options[0].textContent = `as found: ${axisText(view.survey.up)}`;
      follow();
    },
  });
  const full = select(
    sizes.map((size, index) => [index, sizeText(size)]),
    {
      value: sizes.findIndex(({ factor }) => factor === 1),
      onchange: () => actions.setFull(sizes[full.value]),
    },
  );
  const frustums = el("input", {
    type: "checkbox",
    checked: true,
    onchange: () => actions.showFrustums(frustums.checked),
  });
  const follow = () => {
    if (!isSameAxis(upOf(up.value), view.up)) up.value = axisOf(view);
    keepUp.hidden = isSameAxis(view.up, view.survey.up);
    fov.value = view.fovDegrees;
    fovText.textContent = `${view.fovDegrees.toFixed(1)}°`;
  };
  view.addEventListener("change", follow);
  follow();
  const element = el(
    "section",
    { class: "side-section", "aria-label": "Camera" },
    el("h2", {}, "Camera"),
    el(
      "div",
      { class: "mode-line" },
      el(
        "div",
        { class: "segments", role: "group", "aria-label": "How the camera moves" },
        modes,
      ),
      button("Home", {
        icon: icon("home"),
        class: "small",
        title: "The first input camera (H)",
        onclick: actions.home,
      }),
    ),
    field("Field of view", el("span", { class: "range-line" }, fov, fovText)),
    field("Walking speed", speed),
    el(
      "div",
      { class: "rows" },
      el("div", { class: "mode-line" }, inlineField("Up axis", up), keepUp),
      inlineField("Picture at rest", full),
    ),
    hasOverlay && el("label", { class: "check" }, frustums, "Show the input cameras"),
  );
  const setMode = (name) => {
    for (const node of modes)
      node.setAttribute("aria-pressed", String(node.dataset.mode === name));
  };
  return { element, setMode };
}

function sizeText({ height, width, factor, isLarge }) {
  const notes = [factor === 1 && "as built", isLarge && "patches may show"];
  const said = notes.filter(Boolean).join(", ");
  return `${width} × ${height}${said && ` (${said})`}`;
}

function axisOf({ up, survey }) {
  return isSameAxis(up, survey.up) ? "auto" : (axisName(up) ?? "auto");
}

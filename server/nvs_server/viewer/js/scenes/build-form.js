// What to build with: weights, framing, size, number of views; and what to expect of it.

import { AXES, axisText } from "../cameras/axes.js";
import { button, el, field, select } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { expectationLine } from "./expectation.js";

const SIZES = [64, 96, 128, 192, 256, 384, 512, 768, 960, 1024, 1536, 2048];
const METHODS = {
  kmeans: "in clusters",
  farthest: "far from each other",
  uniform: "evenly in order",
  random: "at random",
};
const FRAMINGS = {
  auto: "as the cameras and the weights say",
  object: "an object at the centre",
  mean_camera: "a scene around the mean camera",
  none: "as they are",
};
const CONVENTIONS = {
  opencv: "as their format says",
  opengl: "with y up and z backward instead (OpenGL)",
  inverted: "inverted: world to camera, or camera to world",
  "inverted-opengl": "inverted, with y up and z backward (OpenGL)",
};
const HOLDOUTS = [
  ["", "none"],
  [4, "every 4th"],
  [8, "every 8th"],
  [16, "every 16th"],
];

/** A form; `onBuild(options)` gets the body of the build request, `onWeights(id)` the
 * weights when others are chosen. */
export function buildForm({
  sceneId,
  models,
  numImages,
  onBuild,
  onWeights = () => {},
  label = "Build the scene",
}) {
  const weights = select(
    models.map((model) => [model.id, modelText(model)]),
    {
      value: (models.find((model) => model.is_default) ?? models[0]).id,
      onchange: () => {
        adapt();
        onWeights(weights.value);
      },
    },
  );
  const about = el("span", { class: "field-hint" });
  const size = select([]);
  const views = el("input", {
    type: "range",
    min: 1,
    step: 1,
    oninput: () => showViews(),
  });
  const viewsText = el("output", { class: "tabular" });
  const method = select(Object.entries(METHODS), { value: "kmeans" });
  const framing = select(Object.entries(FRAMINGS), { value: "auto" });
  const convention = select(Object.entries(CONVENTIONS), { value: "opencv" });
  const up = select(
    [["", "as found"], ...Object.keys(AXES).map((name) => [name, name])],
    { value: "" },
  );
  const holdout = select(HOLDOUTS, { value: "" });
  const submit = button(label, { type: "submit", class: "primary" });
  const expected = expectationLine(sceneId, (told) => {
    submit.disabled = told?.verdict === "hopeless" && framing.value === "auto";
    if (told) up.options[0].textContent = `as found: ${axisText(told.up)}`;
  });
  const current = () => models.find((model) => model.id === weights.value);
  const showViews = () => {
    const num = Number(views.value);
    viewsText.textContent = num === numImages ? `all ${num}` : `${num} of ${numImages}`;
    method.disabled = num === numImages;
  };

  function adapt() {
    const model = current();
    const largest = Math.max(model.max_height, model.max_width);
    const usable = SIZES.filter(
      (side) => side <= largest && side % model.patch_size === 0,
    );
    size.replaceChildren(
      el("option", { value: "" }, ownSize(model)),
      ...usable.map((side) =>
        el("option", { value: side }, `${side} pixels on the longer side`),
      ),
    );
    views.max = Math.min(numImages, model.max_views);
    views.value = views.max;
    about.textContent = model.description;
    showViews();
  }

  function chosen() {
    const num = Number(views.value);
    return {
      weights: weights.value,
      ...(size.value && { size: Number(size.value) }),
      ...(num < numImages && { views: { count: num, method: method.value } }),
      ...(framing.value !== "auto" && { framing: framing.value }),
      ...(up.value && { up: AXES[up.value] }),
      ...(convention.value !== "opencv" && { convention: convention.value }),
      ...(holdout.value && { holdout: Number(holdout.value) }),
    };
  }

  const form = el(
    "form",
    {
      class: "build-form",
      onsubmit: (event) => {
        event.preventDefault();
        onBuild(chosen());
      },
      onchange: () => expected.ask(chosen()),
    },
    field("Weights", weights, about),
    field("Framing of the cameras", framing),
    field("Up axis of the capture", up),
    field("Poses were stored", convention),
    expected.element,
    field("Picture size", size, "Larger pictures take longer to build and to render."),
    field(
      "Views",
      el("span", { class: "range-line" }, views, viewsText),
      "The photographs that the network is given.",
    ),
    field(
      "Views kept out",
      holdout,
      "Rendered and measured afterwards: how good it is for this capture.",
    ),
    el(
      "details",
      { class: "more" },
      el("summary", {}, "More choices"),
      field("Which views", method),
    ),
    el("div", { class: "form-actions" }, submit),
  );
  adapt();
  expected.ask(chosen());
  return form;
}

function ownSize({ trained_height: height, trained_width: width }) {
  return height === null
    ? "the weights' own"
    : `${width} × ${height}, as the weights were trained`;
}

function modelText(model) {
  const millions = (model.num_parameters / 1e6).toFixed(
    model.num_parameters < 1e7 ? 1 : 0,
  );
  const views = count(model.max_views, "view");
  return `${model.id}: ${model.poses}s, ${millions} M parameters, up to ${views}`;
}

// An input photograph beside the render from that very camera, with a slider between
// them, and the map of the difference.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { Problem } from "../lib/problem.js";
import { SETTLED } from "./pacer.js";
import { LARGEST_SHOWN, colourOf, errorMap } from "./error-map.js";

/** The layer over the stage: `index` is the input asked for, `shown` the one whose
 * pictures are there; null without one. Dispatches "close" and "step" (detail −1 or
 * 1). */
export class Compare extends EventTarget {
  #request = null;

  constructor({ sceneId }) {
    super();
    Object.assign(this, { sceneId, index: null, shown: null });
    this.photograph = el("canvas", {
      class: "layer",
      role: "img",
      "aria-label": "Input photograph",
    });
    this.render = el("canvas", {
      class: "layer",
      role: "img",
      "aria-label": "Render from that camera",
    });
    this.map = el("canvas", {
      class: "layer",
      role: "img",
      "aria-label": "Map of the error",
      hidden: true,
    });
    this.line = el("div", { class: "compare-line", "aria-hidden": "true" });
    this.slider = el("input", {
      type: "range",
      class: "compare-slider",
      min: 0,
      max: 100,
      step: 0.5,
      value: 50,
      "aria-label": "Border between photograph and render",
      oninput: () => this.#split(),
    });
    this.caption = el("span", { class: "compare-name" });
    this.numbers = el("span", { class: "compare-numbers tabular" });
    this.note = el("p", { class: "compare-note", hidden: true });
    this.toggle = button("Error map", {
      "aria-pressed": "false",
      onclick: () => this.#showMap(this.map.hidden),
    });
    this.left = el("span", { class: "compare-tag compare-left" }, "Photograph");
    this.right = el("span", { class: "compare-tag compare-right" }, "Render");
    this.element = el(
      "div",
      { class: "compare", hidden: true },
      this.photograph,
      this.render,
      this.map,
      this.line,
      this.left,
      this.right,
      this.slider,
      this.#bar(),
      this.note,
    );
  }

  #bar() {
    const step = (name, title, by) =>
      button("", {
        icon: icon(name),
        title,
        class: "icon-button",
        onclick: () => this.dispatchEvent(new CustomEvent("step", { detail: by })),
      });
    this.legend = el(
      "span",
      { class: "legend", hidden: true },
      "0",
      el("canvas", {
        width: 64,
        height: 1,
        class: "legend-bar",
        "aria-hidden": "true",
      }),
      `≥ ${LARGEST_SHOWN}`,
    );
    paintLegend(this.legend.querySelector("canvas"));
    return el(
      "div",
      { class: "compare-bar" },
      step("back", "Previous input (,)", -1),
      this.caption,
      step("next", "Next input (.)", 1),
      this.numbers,
      this.legend,
      this.toggle,
      button("", {
        icon: icon("close"),
        title: "Close the comparison (C)",
        class: "icon-button",
        onclick: () => this.close(),
      }),
    );
  }

  /** Whether there is a comparison, or will be once its pictures are loaded. */
  get isOpen() {
    return this.index !== null;
  }

  close() {
    const wasShown = this.shown !== null;
    this.#request = null;
    this.index = null;
    this.shown = null;
    this.element.hidden = true;
    if (wasShown) this.dispatchEvent(new CustomEvent("close"));
  }

  /** Shows one input {index, name, camera, height, width}; loads both pictures. Where
   * that fails, what was shown stays; does nothing once something else was asked for. */
  async open(input, numInputs) {
    const request = Symbol();
    this.#request = request;
    this.index = input.index;
    this.element.dataset.state = "loading";
    let pictures;
    try {
      pictures = await this.#load(input);
    } catch (error) {
      if (this.#request !== request) return;
      this.index = this.shown;
      this.element.dataset.state = "shown";
      throw error;
    }
    if (this.#request === request) this.#show(input, pictures, numInputs);
  }

  async #load(input) {
    const order = {
      camera: input.camera,
      height: input.height,
      width: input.width,
      ...SETTLED,
    };
    const [photograph, rendered] = await Promise.all([
      this.#photograph(input.index),
      api.render(this.sceneId, order).then((blob) => createImageBitmap(blob)),
    ]);
    return { photograph, rendered };
  }

  #show(input, { photograph, rendered }, numInputs) {
    this.shown = input.index;
    paint(this.photograph, photograph.bitmap, input);
    paint(this.render, rendered, input);
    this.element.hidden = false;
    this.note.hidden = !photograph.isThumbnail;
    this.note.textContent =
      "This scene was uploaded as a file, of whose photographs the page has small copies only: no error map.";
    this.caption.textContent = `${input.name.split("/").pop()} · ${input.index + 1} of ${numInputs}`;
    this.caption.title = input.name;
    this.#measure(photograph.isThumbnail);
    this.#split();
    this.element.dataset.state = "shown";
    this.slider.focus({ preventScroll: true });
  }

  async #photograph(index) {
    try {
      const blob = await api.inputImage(this.sceneId, index);
      return { bitmap: await createImageBitmap(blob), isThumbnail: false };
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      const blob = await api.inputThumbnail(this.sceneId, index);
      return { bitmap: await createImageBitmap(blob), isThumbnail: true };
    }
  }

  #measure(isThumbnail) {
    this.toggle.disabled = isThumbnail;
    if (isThumbnail) {
      this.numbers.textContent = "";
      this.#showMap(false);
      return;
    }
    const { width, height } = this.render;
    const pixels = (canvas) =>
      canvas.getContext("2d").getImageData(0, 0, width, height).data;
    const {
      pixels: map,
      meanError,
      psnrDecibels,
    } = errorMap(pixels(this.photograph), pixels(this.render));
    this.map.width = width;
    this.map.height = height;
    this.map.getContext("2d").putImageData(new ImageData(map, width, height), 0, 0);
    this.numbers.textContent = `${psnrDecibels.toFixed(1)} dB · mean error ${meanError.toFixed(3)}`;
    this.#showMap(!this.map.hidden);
  }

  #showMap(isShown) {
    this.map.hidden = !isShown;
    this.legend.hidden = !isShown;
    this.toggle.setAttribute("aria-pressed", String(isShown));
    for (const part of [this.line, this.left, this.right, this.slider])
      part.hidden = isShown;
  }

  #split() {
    const percent = this.slider.value;
    this.render.style.clipPath = `inset(0 0 0 ${percent}%)`;
    this.line.style.left = `${percent}%`;
    this.slider.setAttribute("aria-valuetext", `${percent} % photograph`);
  }
}

function paint(canvas, bitmap, { height, width }) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
}

function paintLegend(canvas) {
  const context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    context.fillStyle = `rgb(${colourOf(x / (canvas.width - 1)).join(",")})`;
    context.fillRect(x, 0, 1, 1);
  }
}

// The picture area: canvases of the same place and shape, as large as fits.

import { el } from "../lib/dom.js";

/** `frame` is the box of the picture; layers are stacked inside. */
export class Stage {
  constructor({ label, aspect, onResize }) {
    this.aspect = aspect;
    this.onResize = onResize;
    this.picture = el("canvas", {
      class: "layer picture",
      role: "img",
      "aria-label": "The rendered view",
    });
    this.overlay = el("canvas", { class: "layer overlay", "aria-hidden": "true" });
    this.hint = el("div", { class: "stage-hint", hidden: true });
    this.frame = el(
      "div",
      {
        class: "frame",
        tabindex: "0",
        role: "application",
        "aria-label": `${label}. Drag or use the arrow keys to turn, W A S D to walk, ? for help.`,
        dataset: { state: "waiting" },
      },
      this.picture,
      this.overlay,
      this.hint,
    );
    this.element = el("div", { class: "stage" }, this.frame);
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.element;
    const width = Math.floor(Math.min(clientWidth, clientHeight * this.aspect));
    const height = Math.floor(width / this.aspect);
    if (width < 1 || height < 1) return;
    this.frame.style.width = `${width}px`;
    this.frame.style.height = `${height}px`;
    this.onResize(height, width);
  }

  /** State for tests and style sheets: waiting, moving or settled. */
  set state(value) {
    this.frame.dataset.state = value;
  }

  /** A label at the pointer, or none. */
  showHint(text, event) {
    this.hint.hidden = !text;
    if (!text) return;
    const box = this.frame.getBoundingClientRect();
    this.hint.textContent = text;
    this.hint.style.left = `${event.clientX - box.left + 14}px`;
    this.hint.style.top = `${event.clientY - box.top + 14}px`;
  }
}

// The track of the timeline: keys to drag, a ruler, a playhead.

import { el } from "../lib/dom.js";

const NUDGE_SECONDS = 0.1;

/** Dispatches "select" (detail: index), "seek" (detail: seconds) and "delete" (detail:
 * index). */
export class Track extends EventTarget {
  constructor(keyframes) {
    super();
    this.keyframes = keyframes;
    this.selected = null;
    this.playhead = 0;
    this.heldSpan = null;
    this.head = el("div", { class: "playhead", "aria-hidden": "true" });
    this.lane = el("div", { class: "lane" });
    this.ruler = el("div", { class: "ruler", "aria-hidden": "true" });
    this.element = el("div", { class: "track" }, this.ruler, this.lane, this.head);
    this.element.addEventListener("pointerdown", (event) => this.#scrub(event));
    keyframes.addEventListener("change", () => this.draw());
  }

  /** Seconds over the whole width; it stays while a key is dragged. */
  get span() {
    return this.heldSpan ?? Math.max(1, this.keyframes.seconds);
  }

  draw() {
    const { keys } = this.keyframes;
    if (this.selected !== null && this.selected >= keys.length) this.selected = null;
    const buttons = this.lane.querySelectorAll(".key");
    if (buttons.length !== keys.length) {
      this.lane.replaceChildren(...keys.map((_, index) => this.#key(index)));
    }
    this.lane.querySelectorAll(".key").forEach((node, index) => {
      const { seconds } = keys[index];
      node.style.left = `${(100 * seconds) / this.span}%`;
      node.classList.toggle("is-selected", index === this.selected);
      node.setAttribute("aria-valuenow", seconds.toFixed(2));
      node.setAttribute("aria-valuemax", this.span.toFixed(2));
      node.setAttribute("aria-valuetext", `${seconds.toFixed(1)} seconds`);
    });
    this.#drawRuler();
    this.setPlayhead(this.playhead);
  }

  setPlayhead(seconds) {
    this.playhead = Math.min(this.span, Math.max(0, seconds));
    this.head.style.left = `${(100 * this.playhead) / this.span}%`;
  }

  select(index) {
    this.selected = index;
    this.draw();
    this.dispatchEvent(new CustomEvent("select", { detail: index }));
  }

  #key(index) {
    const node = el("div", {
      class: "key",
      role: "slider",
      tabindex: "0",
      "aria-label": `Key ${index + 1}`,
      "aria-valuemin": "0",
    });
    node.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      node.setPointerCapture(event.pointerId);
      node.focus();
      this.select(index);
      this.heldSpan = this.span;
    });
    node.addEventListener("lostpointercapture", () => {
      this.heldSpan = null;
      this.draw();
    });
    node.addEventListener("pointermove", (event) => {
      if (node.hasPointerCapture(event.pointerId))
        this.keyframes.move(index, this.#secondsAt(event));
    });
    node.addEventListener("focus", () => {
      if (this.selected !== index) this.select(index);
    });
    node.addEventListener("keydown", (event) => this.#pressed(event, index));
    return node;
  }

  #pressed(event, index) {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[event.key];
    if (by)
      this.keyframes.move(
        index,
        this.keyframes.keys[index].seconds + by * NUDGE_SECONDS,
      );
    else if (event.key === "Delete" || event.key === "Backspace") {
      this.dispatchEvent(new CustomEvent("delete", { detail: index }));
      const { children } = this.lane;
      children[Math.min(index, children.length - 1)]?.focus();
    } else if (event.key === "Enter") this.select(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #scrub(event) {
    if (this.keyframes.keys.length === 0) return;
    this.element.setPointerCapture(event.pointerId);
    const seek = (now) =>
      this.dispatchEvent(new CustomEvent("seek", { detail: this.#secondsAt(now) }));
    seek(event);
    this.element.addEventListener("pointermove", seek);
    const end = () => this.element.removeEventListener("pointermove", seek);
    this.element.addEventListener("pointerup", end, { once: true });
    this.element.addEventListener("pointercancel", end, { once: true });
  }

  #secondsAt(event) {
    const box = this.lane.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.span;
  }

  #drawRuler() {
    const step =
      [0.5, 1, 2, 5, 10, 30, 60].find((size) => this.span / size <= 12) ?? 120;
    const ticks = [];
    const end = this.keyframes.keys.length === 0 ? -1 : this.span + 1e-6;
    for (let time = 0; time <= end; time += step) {
      const tick = el("span", { class: "tick tabular" }, `${time} s`);
      tick.style.left = `${(100 * time) / this.span}%`;
      ticks.push(tick);
    }
    this.ruler.replaceChildren(...ticks);
  }
}

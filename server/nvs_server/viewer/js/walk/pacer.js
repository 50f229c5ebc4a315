// Decides what to ask the stream for: small pictures while the camera moves, one of
// full size and without loss once it rests.

import { cameraOf } from "../cameras/lens.js";
import { ladder, LevelChooser } from "./ladder.js";

const STILL_MS = 180;
const MOVING = { format: "jpeg", quality: 80 };
/** The settled picture: its bytes are those of POST …/render with the same order. */
export const SETTLED = { format: "png", quality: 90 };

/** The order of the settled picture of a view, as the render endpoint takes it. */
export const settledOrder = (view, size) => ({
  camera: cameraOf(view, size.height, size.width),
  ...size,
  ...SETTLED,
});

/** Dispatches "moving" and "settled" (detail: the shown frame). */
export class Pacer extends EventTarget {
  #timer = null;

  constructor({ view, stream, full, patch }) {
    super();
    Object.assign(this, { view, stream });
    this.setFull(full, patch);
    view.addEventListener("change", () => this.#moved());
  }

  /** Changes the size of the picture at rest. */
  setFull(full, patch) {
    this.full = full;
    this.patch = patch;
    this.chooser = new LevelChooser(ladder(full, patch));
  }

  /** Asks for the picture at rest, now. */
  settle() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.stream.request({ ...settledOrder(this.view, this.full), isSettled: true });
  }

  /** To be told of every frame that was drawn. */
  shown({ order, elapsedMs }) {
    const size = { height: order.height, width: order.width };
    if (order.isSettled) {
      this.chooser.recordSingle(size, elapsedMs);
      if (this.#timer === null)
        this.dispatchEvent(new CustomEvent("settled", { detail: order }));
    } else {
      this.chooser.record(size, elapsedMs);
    }
  }

  #moved() {
    if (this.#timer === null) this.dispatchEvent(new CustomEvent("moving"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.settle(), STILL_MS);
    const size = this.chooser.level;
    this.stream.request({
      camera: cameraOf(this.view, size.height, size.width),
      ...size,
      ...MOVING,
      isSettled: false,
    });
  }
}

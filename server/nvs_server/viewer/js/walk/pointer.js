// Pointer controls in plain maths: looking around in fly mode, and everything where
// there is no WebGL and so no three.js.

import { dollied, looked, orbited, walked } from "../cameras/navigation.js";
import { position } from "../cameras/rigid.js";
import { distance } from "../cameras/vectors.js";

const TURN_RADIANS = Math.PI;
const WHEEL = 0.0012;

/** Moves a View by drag, two fingers and wheel; `mode` is orbit or fly. */
export class PointerControls {
  #pointers = new Map();

  constructor({ view, element }) {
    Object.assign(this, { view, element, mode: "orbit", enabled: true });
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
    element.addEventListener("wheel", (event) => this.#wheel(event), {
      passive: false,
    });
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  #down(event) {
    if (!this.enabled) return;
    this.element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
  }

  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!this.enabled || !last) return;
    const before = this.#spread();
    this.#pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const parts = [
      (event.clientX - last[0]) / this.element.clientHeight,
      (event.clientY - last[1]) / this.element.clientHeight,
    ];
    if (this.#pointers.size > 1) {
      this.#shift(parts.map((part) => part / this.#pointers.size));
      if (before > 0) this.#closer(before / this.#spread());
    } else if (event.buttons & 2) {
      this.#shift(parts);
    } else {
      this.#turn(parts);
    }
  }

  #turn([dx, dy]) {
    const { view } = this;
    const pose =
      this.mode === "orbit"
        ? orbited(
            view.pose,
            view.target,
            view.up,
            -dx * TURN_RADIANS,
            dy * TURN_RADIANS,
          )
        : looked(view.pose, view.up, (dx * TURN_RADIANS) / 3, (dy * TURN_RADIANS) / 3);
    view.set({ pose }, "pointer");
  }

  #shift([dx, dy]) {
    const { view } = this;
    const reach = distance(position(view.pose), view.target) / view.lens.fy;
    view.set({ pose: walked(view.pose, [-dx * reach, dy * reach, 0]) }, "pointer");
  }

  #closer(factor) {
    const { view } = this;
    view.set({ pose: dollied(view.pose, view.target, factor) }, "pointer");
  }

  #wheel(event) {
    if (!this.enabled) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    this.#closer(Math.exp(Math.max(-200, Math.min(200, pixels)) * WHEEL));
  }

  #spread() {
    const [a, b] = [...this.#pointers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
  }
}

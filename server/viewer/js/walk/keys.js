// Held keys that move the camera: WASD and QE walk, arrows turn, + and − come closer,
// [ and ] change the field of view; Shift is faster.

import { dollied, looked, orbited, walked } from "../cameras/navigation.js";
import { isTaken } from "./shortcuts.js";

const WALK = {
  KeyW: [0, 0, 1],
  KeyS: [0, 0, -1],
  KeyA: [-1, 0, 0],
  KeyD: [1, 0, 0],
  KeyE: [0, 1, 0],
  KeyQ: [0, -1, 0],
};
const TURN = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};
const CLOSER = { Equal: -1, NumpadAdd: -1, Minus: 1, NumpadSubtract: 1 };
const LENS = { BracketLeft: -1, BracketRight: 1 };
const HELD = { ...WALK, ...TURN, ...CLOSER, ...LENS };

const RADII_PER_SECOND = 0.6;
const RADIANS_PER_SECOND = 1.0;
const FOV_DEGREES_PER_SECOND = 20;
const FASTER = 4;

/** Moves a View while keys are held. `speed` is a factor. */
export class HeldKeys {
  #held = new Set();
  #isFast = false;

  constructor({ view, getMode }) {
    Object.assign(this, { view, getMode, speed: 1, enabled: true });
    document.addEventListener("keydown", (event) => this.#down(event));
    document.addEventListener("keyup", (event) => {
      this.#held.delete(event.code);
      this.#isFast = event.shiftKey;
    });
    window.addEventListener("blur", () => this.#held.clear());
  }

  #down(event) {
    this.#isFast = event.shiftKey;
    if (!this.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTaken(event) || !(event.code in HELD)) return;
    event.preventDefault();
    this.#held.add(event.code);
  }

  /** Called before each picture; `seconds` since the last call. */
  update(seconds) {
    if (this.#held.size === 0) return;
    const pace = Math.min(seconds, 0.1) * this.speed * (this.#isFast ? FASTER : 1);
    for (const code of this.#held) this.#apply(code, pace);
  }

  #apply(code, pace) {
    const { view } = this;
    if (code in WALK) {
      const reach = pace * RADII_PER_SECOND * view.survey.radius;
      view.set(
        {
          pose: walked(
            view.pose,
            WALK[code].map((part) => part * reach),
          ),
        },
        "keys",
      );
    } else if (code in TURN) {
      const [across, up] = TURN[code].map((part) => part * pace * RADIANS_PER_SECOND);
      const pose =
        this.getMode() === "orbit"
          ? orbited(view.pose, view.target, view.up, across, up)
          : looked(view.pose, view.up, -across, up);
      view.set({ pose }, "keys");
    } else if (code in CLOSER) {
      const factor = Math.exp(CLOSER[code] * pace);
      view.set({ pose: dollied(view.pose, view.target, factor) }, "keys");
    } else {
      view.setFov(view.fovDegrees + LENS[code] * pace * FOV_DEGREES_PER_SECOND, "keys");
    }
  }
}

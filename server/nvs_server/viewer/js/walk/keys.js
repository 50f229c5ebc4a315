// Held keys that move the camera: WASD and QE walk, arrows turn, + and − come closer,
// [ and ] change the field of view; Shift walks and turns faster.
//
// Walking goes by the place of a key, which is the same on every keyboard; anything
// else by what the key types, whose place (and need of Shift) depends on the layout.

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
const CLOSER = { "+": -1, "=": -1, "-": 1 };
const LENS = { "[": -1, "]": 1 };
const HELD = { ...WALK, ...TURN, ...CLOSER, ...LENS };

const nameOf = ({ code, key }) => (code in WALK ? code : key);

const RADII_PER_SECOND = 0.6;
const RADIANS_PER_SECOND = 1.0;
const FOV_DEGREES_PER_SECOND = 20;
const FASTER = 4;

/** Moves a View while keys are held. `speed` is a factor. */
export class HeldKeys {
  /** Names by code: with Shift the same key types something else. */
  #held = new Map();
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
    const name = nameOf(event);
    if (isTaken(event) || !(name in HELD)) return;
    event.preventDefault();
    this.#held.set(event.code, name);
  }

  /** Holds a walking key down, by its code, as if it were pressed. */
  press(code) {
    if (this.enabled) this.#held.set(code, code);
  }

  /** Lets it go. */
  release(code) {
    this.#held.delete(code);
  }

  /** Called before each picture; `seconds` since the last call. */
  update(seconds) {
    if (this.#held.size === 0) return;
    const pace = Math.min(seconds, 0.1) * this.speed;
    for (const name of this.#held.values()) this.#apply(name, pace);
  }

  #apply(name, pace) {
    const { view } = this;
    const fast = pace * (this.#isFast ? FASTER : 1);
    if (name in WALK) {
      const reach = fast * RADII_PER_SECOND * view.survey.radius;
      view.set(
        {
          pose: walked(
            view.pose,
            WALK[name].map((part) => part * reach),
          ),
        },
        "keys",
      );
    } else if (name in TURN) {
      const [across, up] = TURN[name].map((part) => part * fast * RADIANS_PER_SECOND);
      const pose =
        this.getMode() === "orbit"
          ? orbited(view.pose, view.target, view.up, across, up)
          : looked(view.pose, view.up, -across, up);
      view.set({ pose }, "keys");
    } else if (name in CLOSER) {
      const factor = Math.exp(CLOSER[name] * pace);
      view.set({ pose: dollied(view.pose, view.target, factor) }, "keys");
    } else {
      view.setFov(view.fovDegrees + LENS[name] * pace * FOV_DEGREES_PER_SECOND, "keys");
    }
  }
}

// A smooth flight of the camera to another one; anything else that moves it ends the
// flight.

import { blendViews } from "../cameras/spline.js";

const SECONDS = 0.7;

/** Flies a View; jumps where the user prefers calm. */
export class Flight {
  #frame = null;

  constructor({ view, isCalm }) {
    Object.assign(this, { view, isCalm });
    view.addEventListener("change", ({ detail }) => {
      if (detail.source !== "flight") this.stop();
    });
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }

  /** Ends exactly at `goal` {pose, lens}. The first step comes at once: it stops
   * controls that are still swinging out, which would end the flight. */
  to(goal) {
    this.stop();
    if (this.isCalm) {
      this.view.set(goal, "flight");
      return;
    }
    const from = this.view.now;
    this.view.set(from, "flight");
    const start = performance.now();
    const step = () => {
      const time = Math.min(1, (performance.now() - start) / (SECONDS * 1000));
      if (time < 1) {
        const eased = time * time * (3 - 2 * time);
        this.view.set(blendViews(from, goal, eased), "flight");
        this.#frame = requestAnimationFrame(step);
      } else {
        this.#frame = null;
        this.view.set(goal, "flight");
      }
    };
    this.#frame = requestAnimationFrame(step);
  }
}

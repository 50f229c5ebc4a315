// Everything that moves the camera, and the layer that follows it at once.

import { Flight } from "./flight.js";
import { HeldKeys } from "./keys.js";
import { PointerControls } from "./pointer.js";

/** Orbit and overlay need WebGL and are null without it; the rest always works. */
export class Motion {
  constructor({ view, element, isCalm }) {
    this.mode = "orbit";
    this.flight = new Flight({ view, isCalm });
    this.keys = new HeldKeys({ view, getMode: () => this.mode });
    this.pointer = new PointerControls({ view, element });
    this.orbit = null;
    this.overlay = null;
  }

  /** Loads three.js only where it can be used; goes without where it fails. */
  static async of({ view, element, inputs, onPick, onHover }) {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const motion = new Motion({ view, element, isCalm });
    if (!hasWebGl()) return motion;
    try {
      const [{ Orbit }, { Overlay }] = await Promise.all([
        import("./orbit.js"),
        import("./overlay.js"),
      ]);
      const overlay = new Overlay({ canvas: element, view, inputs, onPick, onHover });
      const orbit = new Orbit({ view, element, isCalm });
      Object.assign(motion, { overlay, orbit });
    } catch (error) {
      console.warn(error);
    }
    return motion;
  }

  setMode(mode) {
    this.mode = mode;
    this.pointer.mode = mode;
    this.pointer.enabled = mode === "fly" || this.orbit === null;
    if (!this.orbit) return;
    this.orbit.enabled = mode === "orbit";
    this.orbit.sync();
  }

  /** Moves and draws before each picture of the browser. */
  start() {
    let last = performance.now();
    const step = (now) => {
      const seconds = Math.max(0, (now - last) / 1000);
      last = now;
      this.keys.update(seconds);
      this.orbit?.update(seconds);
      this.overlay?.update();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

const hasWebGl = () => document.createElement("canvas").getContext("webgl2") !== null;

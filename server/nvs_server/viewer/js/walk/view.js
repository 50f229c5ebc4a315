// The camera that the page shows: where it is, and its lens. Everything that moves the
// camera writes here; everything that follows it listens here.

import { fovOfLens, lensOfFov } from "../cameras/lens.js";
import { forward, position } from "../cameras/rigid.js";
import { add, dot, scale, subtract } from "../cameras/vectors.js";

/** Dispatches "change" with detail {source} whenever pose or lens change. */
export class View extends EventTarget {
  /** `aspect` is width / height of the picture; `survey` is from cameras/aggregate. */
  constructor({ pose, lens, aspect, survey }) {
    super();
    Object.assign(this, { pose, lens, aspect, survey, up: survey.up });
  }

  /** Moves the camera. `source` names who did it, so that it can tell its own moves. */
  set({ pose = this.pose, lens = this.lens }, source) {
    this.pose = pose;
    this.lens = lens;
    this.dispatchEvent(new CustomEvent("change", { detail: { source } }));
  }

  /** A copy of pose and lens. */
  get now() {
    return { pose: this.pose, lens: this.lens };
  }

  get fovDegrees() {
    return fovOfLens(this.lens);
  }

  /** Sets the vertical field of view; the lens becomes a plain one. */
  setFov(degrees, source) {
    const clamped = Math.min(120, Math.max(10, degrees));
    this.set({ lens: lensOfFov(clamped, this.aspect) }, source);
  }

  /** The point to turn about: the scene's focus as deep as it lies, straight ahead. */
  get target() {
    const eye = position(this.pose);
    const ahead = forward(this.pose);
    const depth = dot(subtract(this.survey.focus, eye), ahead);
    const { radius } = this.survey;
    return add(eye, scale(ahead, depth > 0.1 * radius ? depth : radius));
  }
}

// A camera path as keyframes: views at times, and the smooth path through them.

import { splineThrough } from "../cameras/spline.js";

const APART_SECONDS = 0.1;
const USUAL_SECONDS = 2;

/** How time runs along the path. */
export const EASES = {
  none: "Even",
  ends: "Slow at the ends",
  keys: "Rest at each key",
};

const smooth = (t) => t * t * (3 - 2 * t);

/** Keys {seconds, pose, lens} in order of time; the first is at 0. Dispatches "change". */
export class Keyframes extends EventTarget {
  constructor() {
    super();
    this.keys = [];
    this.ease = "none";
    this.isLoop = false;
    this.closingSeconds = USUAL_SECONDS;
  }

  get lastSeconds() {
    return this.keys.at(-1)?.seconds ?? 0;
  }

  /** Length of the path in seconds. */
  get seconds() {
    return this.lastSeconds + (this.#closes ? this.closingSeconds : 0);
  }

  get #closes() {
    return this.isLoop && this.keys.length > 1;
  }

  /** Adds a view: inside the path at `seconds`, else behind its end. Returns its index. */
  add(view, seconds = Infinity) {
    const key = { ...view, seconds };
    const isInside = this.keys.length > 1 && seconds > 0 && seconds < this.lastSeconds;
    if (!isInside)
      key.seconds = this.keys.length ? this.lastSeconds + USUAL_SECONDS : 0;
    const index = this.keys.filter((other) => other.seconds <= key.seconds).length;
    this.keys.splice(index, 0, key);
    if (isInside) this.#separate();
    this.#changed();
    return index;
  }

  /** Replaces the view of a key. */
  update(index, view) {
    Object.assign(this.keys[index], view);
    this.#changed();
  }

  /** Moves a key in time, between its neighbours; the first stays at 0. */
  move(index, seconds) {
    if (index === 0) return;
    const before = this.keys[index - 1].seconds + APART_SECONDS;
    const after = (this.keys[index + 1]?.seconds ?? Infinity) - APART_SECONDS;
    this.keys[index].seconds = Math.min(after, Math.max(before, seconds));
    this.#changed();
  }

  remove(index) {
    this.keys.splice(index, 1);
    const start = this.keys[0]?.seconds ?? 0;
    for (const key of this.keys) key.seconds -= start;
    this.#changed();
  }

  /** Stretches the path to a length. */
  setSeconds(seconds) {
    const least = APART_SECONDS * Math.max(1, this.keys.length);
    if (this.seconds === 0) return;
    const factor = Math.max(least, seconds) / this.seconds;
    for (const key of this.keys) key.seconds *= factor;
    this.closingSeconds *= factor;
    this.#changed();
  }

  set({
    ease = this.ease,
    isLoop = this.isLoop,
    keys = this.keys,
    closingSeconds = this.closingSeconds,
  }) {
    Object.assign(this, { ease, isLoop, keys, closingSeconds });
    this.#changed();
  }

  /** The view at a time from 0 to `seconds`; needs a key. */
  at(seconds) {
    if (this.keys.length === 1)
      return { pose: this.keys[0].pose, lens: this.keys[0].lens };
    this.curve ??= splineThrough(this.keys, this.#closes ? this.closingSeconds : 0);
    const total = this.seconds;
    let time = Math.min(total, Math.max(0, seconds));
    if (this.ease === "ends") time = smooth(time / total) * total;
    const isAfter = time >= this.lastSeconds;
    const segment = isAfter
      ? this.keys.length - (this.#closes ? 1 : 2)
      : this.keys.findLastIndex((key) => key.seconds <= time);
    const start = this.keys[segment].seconds;
    const end = this.keys[segment + 1]?.seconds ?? total;
    const fraction = (time - start) / (end - start);
    return this.curve(segment, this.ease === "keys" ? smooth(fraction) : fraction);
  }

  /** Views of a video: both ends of an open path, or one step short of the start. */
  frames(fps) {
    const steps = Math.max(1, Math.round(this.seconds * fps));
    const num = this.keys.length === 1 ? 1 : steps + (this.#closes ? 0 : 1);
    return Array.from({ length: num }, (_, i) => this.at((this.seconds * i) / steps));
  }

  /** Keys that came too near to each other are pushed apart. */
  #separate() {
    for (let i = 1; i < this.keys.length; i += 1) {
      this.keys[i].seconds = Math.max(
        this.keys[i].seconds,
        this.keys[i - 1].seconds + APART_SECONDS,
      );
    }
  }

  #changed() {
    this.curve = null;
    this.dispatchEvent(new Event("change"));
  }
}

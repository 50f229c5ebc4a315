// Which resolution to ask for while the camera moves, from measured latency.

const FACTORS = [1, 0.75, 0.5, 0.375, 0.25];
const SHORTEST_PX = 48;
const SMOOTHING = 0.25;

/** Sizes {height, width} from full to low, all multiples of the patch size. */
export function ladder(full, patch) {
  const levels = [];
  for (const factor of FACTORS) {
    const side = (value) =>
      Math.max(patch, Math.round((value * factor) / patch) * patch);
    const level =
      factor === 1 ? full : { height: side(full.height), width: side(full.width) };
    const last = levels.at(-1);
    const isSmaller = !last || level.height * level.width < last.height * last.width;
    const isUsable = factor === 1 || Math.min(level.height, level.width) >= SHORTEST_PX;
    if (isSmaller && isUsable) levels.push(level);
  }
  return levels;
}

/** Keeps the latency of frames in motion near a target. */
export class LevelChooser {
  constructor(levels, targetMs = 100) {
    this.levels = levels;
    this.targetMs = targetMs;
    this.index = Math.min(1, levels.length - 1);
    this.smoothMs = null;
  }

  get level() {
    return this.levels[this.index];
  }

  /** The time of a picture that was alone in the pipe; chooses the level to start with. */
  recordSingle(size, elapsedMs) {
    if (this.smoothMs !== null) return;
    const expected = (level) => 2 * elapsedMs * pixelRatio(level, size);
    const index = this.levels.findIndex((level) => expected(level) <= this.targetMs);
    this.index = index < 0 ? this.levels.length - 1 : index;
  }

  /** The time from pose to picture of a frame in motion. */
  record(size, elapsedMs) {
    if (size.height !== this.level.height || size.width !== this.level.width) return;
    this.smoothMs =
      this.smoothMs === null
        ? elapsedMs
        : this.smoothMs + SMOOTHING * (elapsedMs - this.smoothMs);
    if (this.smoothMs > 1.3 * this.targetMs) this.#move(1);
    else if (this.index > 0) {
      const above = this.levels[this.index - 1];
      if (this.smoothMs * pixelRatio(above, this.level) < 0.8 * this.targetMs)
        this.#move(-1);
    }
  }

  #move(step) {
    const index = this.index + step;
    if (index < 0 || index >= this.levels.length) return;
    const from = this.level;
    this.index = index;
    this.smoothMs *= pixelRatio(this.level, from);
  }
}

const pixelRatio = (a, b) => (a.height * a.width) / (b.height * b.width);

// How long an upload goes on, by what was sent in the last seconds.

const WINDOW_MS = 15000;
const SHORTEST_MS = 1000;

export class TimeLeft {
  #samples = [];

  /** Notes how many bytes were sent by now. */
  note(sentBytes, nowMs = performance.now()) {
    this.#samples.push({ sentBytes, nowMs });
    while (nowMs - this.#samples[0].nowMs > WINDOW_MS) this.#samples.shift();
  }

  /** Seconds for so many more bytes; null while nothing can be said. */
  secondsFor(bytes) {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.nowMs - first.nowMs < SHORTEST_MS) return null;
    const rate = (1000 * (last.sentBytes - first.sentBytes)) / (last.nowMs - first.nowMs);
    return rate > 0 ? bytes / rate : null;
  }
}

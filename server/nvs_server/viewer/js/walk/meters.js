// Frame rates and latency as they were measured, nothing smoothed away.

const WINDOW_MS = 2000;
const KEPT = 1000;

/** Parts of the latency, in the order in which they happen. */
export const PARTS = ["network", "queue", "load", "model", "encode", "decode"];

/** Collects what is known about each frame. */
export class Meters {
  constructor(now = () => performance.now()) {
    this.now = now;
    this.records = [];
    this.last = null;
  }

  /** A frame of the stream after it was shown, or found stale. */
  add({ header, sentAt, receivedAt, isShown, decodeMs, shownAt, numBytes }) {
    const { queue_ms, load_ms, model_ms, encode_ms } = header.timings;
    const server = queue_ms + load_ms + model_ms + encode_ms;
    const parts = {
      network: Math.max(0, receivedAt - sentAt - server),
      queue: queue_ms,
      load: load_ms,
      model: model_ms,
      encode: encode_ms,
      decode: decodeMs,
    };
    this.last = {
      parts,
      totalMs: shownAt - sentAt,
      height: header.height,
      width: header.width,
      format: header.format,
      tier: header.tier,
      numBytes,
    };
    this.records.push({
      receivedAt,
      shownAt,
      isShown,
      totalMs: shownAt - sentAt,
      parts,
    });
    if (this.records.length > KEPT) this.records.shift();
  }

  /** Rates over the last two seconds and the spread of latency. */
  get summary() {
    const since = this.now() - WINDOW_MS;
    const rate = (time, records) =>
      (records.filter((record) => record[time] >= since).length * 1000) / WINDOW_MS;
    const recent = this.records.filter((record) => record.shownAt >= since);
    const totals = recent.map((record) => record.totalMs).sort((a, b) => a - b);
    const at = (part) =>
      totals[Math.min(totals.length - 1, Math.floor(part * totals.length))];
    return {
      serverFps: rate("receivedAt", this.records),
      shownFps: rate(
        "shownAt",
        this.records.filter((record) => record.isShown),
      ),
      medianMs: totals.length ? at(0.5) : undefined,
      p95Ms: totals.length ? at(0.95) : undefined,
      last: this.last,
    };
  }
}

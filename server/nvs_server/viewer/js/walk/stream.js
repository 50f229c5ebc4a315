// The render stream: poses go out, pictures come back, over one WebSocket.
//
// Latest pose wins: at most two requests are unanswered, and a newer one replaces the
// one that waits. A request counts as answered once its picture has been shown, so that
// nothing piles up behind a slow decoder. A lost connection is taken up again.

import { backoffSeconds, pause } from "../lib/backoff.js";
import { Problem } from "../lib/problem.js";
import { parseFrame } from "./frames.js";

const MAX_IN_FLIGHT = 2;
const PING_SECONDS = 20;
const SILENCE_SECONDS = 60;

/** What the service means by its close codes, where trying again at once is no use. */
const FINAL = {
  4403: "forbidden",
  4404: "gone",
  4409: "not-built",
};

/**
 * Dispatches "status" with detail {state, seconds?, attempt?}: connecting, open,
 * waiting (lost; tries again in `seconds`), busy (the same, the server has no place),
 * forbidden, gone or not-built (final); and "problem" with detail a Problem.
 */
export class FrameStream extends EventTarget {
  #socket = null;
  #abort = new AbortController();
  #wake = null;
  #inFlight = new Map();
  #waiting = null;
  #sequence = 0;
  #limit = MAX_IN_FLIGHT;
  #lastSeen = 0;
  #paused = false;

  /**
   * Args: `address()` is async and gives the WebSocket's address with a fresh ticket;
   * `show(frame)` is async, draws {order, header, image, sentAt, receivedAt}, and
   * resolves once that is done.
   */
  constructor({ address, show }) {
    super();
    this.address = address;
    this.show = show;
    this.state = "closed";
  }

  /** Connects, and reconnects until `stop`. Call `resume` on "open" to ask again. */
  async start() {
    const { signal } = this.#abort;
    let attempt = 0;
    while (!signal.aborted) {
      this.#status({ state: "connecting", attempt });
      const outcome = await this.#connection(() => {
        attempt = 0;
      });
      if (signal.aborted) return;
      if (outcome.final) {
        this.#status({ state: outcome.final });
        return;
      }
      attempt += 1;
      const seconds = outcome.retryAfterSeconds ?? backoffSeconds(attempt);
      this.#status({ state: outcome.busy ? "busy" : "waiting", seconds, attempt });
      const wake = new AbortController();
      this.#wake = wake;
      await pause(seconds, AbortSignal.any([signal, wake.signal])).catch(() => {});
    }
  }

  /** Ends the stream for good. */
  stop() {
    this.#abort.abort();
    this.#socket?.close();
  }

  /** Ends the pause before the next attempt to connect. */
  retryNow() {
    this.#wake?.abort();
  }

  /** Asks for a picture: {camera, height, width, format, quality, …}. */
  request(order) {
    this.#waiting = order;
    this.#pump();
  }

  get numInFlight() {
    return this.#inFlight.size;
  }

  async #connection(onOpen) {
    let socket;
    try {
      socket = new WebSocket(await this.address());
    } catch (error) {
      if (error.name !== "Problem") throw error;
      if (error.isTemporary) {
        return {
          busy: error.status === 429,
          retryAfterSeconds: error.retryAfterSeconds,
        };
      }
      this.#problem(error);
      return { final: error.status === 404 ? "gone" : "forbidden" };
    }
    if (this.#abort.signal.aborted) {
      socket.close();
      return {};
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#inFlight.clear();
    this.#lastSeen = performance.now();
    const watch = setInterval(() => this.#watch(socket), PING_SECONDS * 1000);
    const code = await new Promise((resolve) => {
      socket.onclose = (event) => resolve(event.code);
      socket.onmessage = (event) => {
        this.#lastSeen = performance.now();
        if (typeof event.data === "string") this.#text(JSON.parse(event.data), onOpen);
        else this.#frame(event.data);
      };
    });
    clearInterval(watch);
    this.#socket = null;
    this.#inFlight.clear();
    return { final: FINAL[code], busy: code === 4429 };
  }

  #text(message, onOpen) {
    if (message.type === "ready") {
      onOpen();
      this.#limit = Math.min(MAX_IN_FLIGHT, message.max_in_flight);
      this.#status({ state: "open" });
      this.#pump();
    } else if (message.type === "dropped") {
      this.#answered(message.sequence);
    } else if (message.type === "problem") {
      const problem = Problem.fromDocument(message.problem);
      if (typeof message.sequence === "number")
        this.#refused(message.sequence, problem);
      this.#problem(problem);
    }
  }

  async #frame(data) {
    const receivedAt = performance.now();
    const { header, image } = parseFrame(data);
    const sent = this.#inFlight.get(header.sequence);
    if (!sent) return;
    try {
      await this.show({ ...sent, header, image, receivedAt });
    } finally {
      if (this.#inFlight.get(header.sequence) === sent) this.#answered(header.sequence);
    }
  }

  /** The newest request, if it may succeed later, is asked again after a pause, unless a
   * newer one has come by then. */
  async #refused(sequence, problem) {
    const order = this.#inFlight.get(sequence)?.order;
    if (!problem.isTemporary) {
      this.#answered(sequence);
      return;
    }
    this.#inFlight.delete(sequence);
    const isNewest = sequence === this.#sequence - 1;
    if (isNewest) this.#waiting ??= order;
    if (this.#paused) return;
    this.#paused = true;
    await pause(problem.retryAfterSeconds ?? 1, this.#abort.signal).catch(() => {});
    this.#paused = false;
    this.#pump();
  }

  #answered(sequence) {
    this.#inFlight.delete(sequence);
    this.#pump();
  }

  #pump() {
    const isOpen = this.state === "open" && this.#socket?.readyState === WebSocket.OPEN;
    if (!isOpen || this.#paused || !this.#waiting || this.#inFlight.size >= this.#limit)
      return;
    const order = this.#waiting;
    this.#waiting = null;
    const sequence = this.#sequence;
    this.#sequence += 1;
    this.#inFlight.set(sequence, { order, sequence, sentAt: performance.now() });
    const { height, width, camera, format, quality } = order;
    this.#socket.send(
      JSON.stringify({ sequence, camera, height, width, format, quality }),
    );
  }

  /** A socket that stays silent is dead, whatever the operating system says. */
  #watch(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (performance.now() - this.#lastSeen > SILENCE_SECONDS * 1000) socket.close();
    else socket.send(JSON.stringify({ type: "ping" }));
  }

  #status(detail) {
    this.state = detail.state;
    this.dispatchEvent(new CustomEvent("status", { detail }));
  }

  #problem(problem) {
    this.dispatchEvent(new CustomEvent("problem", { detail: problem }));
  }
}

// Sends the files of a capture, a few at a time, and goes on after a lost connection
// with what the server does not have yet.

import * as api from "../lib/api.js";
import { patiently } from "../lib/backoff.js";
import { mediaTypeOf } from "./capture.js";
import { canHash, sha256 } from "./digest.js";
import { putFile } from "./transfer.js";

const AT_ONCE = 3;

/**
 * Dispatches "change" while `items` {name, file, state, sentBytes, problem} go from
 * waiting over hashing, sending to done, skipped (the server had it) or failed; and
 * "lost" (detail: seconds until the next attempt) and "found" with the connection.
 */
export class Uploader extends EventTarget {
  constructor(sceneId, images) {
    super();
    this.sceneId = sceneId;
    this.abort = new AbortController();
    this.items = images.map((image) => ({
      ...image,
      state: "waiting",
      sentBytes: 0,
      problem: null,
    }));
  }

  get totalBytes() {
    return this.items.reduce((sum, item) => sum + item.file.size, 0);
  }

  get sentBytes() {
    return this.items.reduce((sum, item) => sum + item.sentBytes, 0);
  }

  /** Sends everything; resolves to the items that failed for good. */
  async run() {
    const present = new Map(
      (await this.#patiently(() => api.images(this.sceneId))).map((image) => [
        image.name,
        image,
      ]),
    );
    const queue = [...this.items];
    const worker = async () => {
      for (let item = queue.shift(); item; item = queue.shift())
        await this.#send(item, present.get(item.name));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return this.items.filter((item) => item.state === "failed");
  }

  /** Ends the upload; what has arrived stays. */
  cancel() {
    this.abort.abort();
  }

  async #send(item, present) {
    const headers = { "Content-Type": mediaTypeOf(item.name) };
    if (canHash) {
      this.#set(item, { state: "hashing" });
      const { hex, header } = await sha256(item.file);
      headers["Content-Digest"] = header;
      item.isPresent = present?.sha256 === hex;
    } else {
      item.isPresent = present?.num_bytes === item.file.size;
    }
    if (item.isPresent) {
      this.#set(item, { state: "skipped", sentBytes: item.file.size });
      return;
    }
    try {
      await this.#patiently(() => {
        this.#set(item, { state: "sending", sentBytes: 0 });
        return putFile(api.imagePath(this.sceneId, item.name), item.file, {
          headers,
          signal: this.abort.signal,
          onProgress: (sent) =>
            this.#set(item, { sentBytes: Math.min(sent, item.file.size) }),
        });
      });
      this.#set(item, { state: "done", sentBytes: item.file.size });
    } catch (error) {
      if (error.name !== "Problem") throw error;
      this.#set(item, { state: "failed", sentBytes: 0, problem: error });
    }
  }

  async #patiently(action) {
    let isLost = false;
    const onLost = (detail) => {
      isLost = true;
      this.dispatchEvent(new CustomEvent("lost", { detail }));
    };
    const result = await patiently(action, { signal: this.abort.signal, onLost });
    if (isLost) this.dispatchEvent(new Event("found"));
    return result;
  }

  #set(item, values) {
    Object.assign(item, values);
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }
}

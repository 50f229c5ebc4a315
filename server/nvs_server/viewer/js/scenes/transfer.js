// One file to the server. XMLHttpRequest, because fetch cannot tell how much is sent.

import { keyHeaders, withKey } from "../lib/api.js";
import { Problem } from "../lib/problem.js";

/** PUTs a blob; `onProgress(bytes)`. Returns the JSON of the answer, throws Problem. */
export const putFile = (path, blob, options) =>
  withKey(() => send(path, blob, options));

function send(path, blob, { headers = {}, onProgress = () => {}, signal }) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    const stop = () => call.abort();
    const finish = (action, value) => {
      signal?.removeEventListener("abort", stop);
      action(value);
    };
    call.open("PUT", path);
    for (const [name, value] of Object.entries({ ...keyHeaders(), ...headers })) {
      call.setRequestHeader(name, value);
    }
    call.upload.addEventListener("progress", (event) => onProgress(event.loaded));
    call.addEventListener("load", () => {
      if (call.status < 300) finish(resolve, JSON.parse(call.responseText));
      else finish(reject, problemOf(call));
    });
    call.addEventListener("error", () => finish(reject, Problem.unreachable()));
    call.addEventListener("abort", () =>
      finish(reject, new DOMException("The upload was cancelled", "AbortError")),
    );
    if (signal?.aborted) {
      call.abort();
      reject(signal.reason);
      return;
    }
    signal?.addEventListener("abort", stop);
    call.send(blob);
  });
}

const problemOf = (call) =>
  Problem.fromAnswer(call, call.responseText, call.getResponseHeader("Retry-After"));

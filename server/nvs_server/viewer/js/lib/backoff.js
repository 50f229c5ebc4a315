// Trying again: pauses between attempts, and waiting that can be cut short.

/** Seconds to wait before attempt `number` (1, 2, …): doubling up to 10, ± 20 %. */
export function backoffSeconds(number, random = Math.random) {
  return Math.min(10, 0.5 * 2 ** (number - 1)) * (0.8 + 0.4 * random());
}

/**
 * Repeats an action as long as the server is gone or has no time, at most `most` times;
 * `onLost({seconds, problem})` is called before each pause.
 */
export async function patiently(
  action,
  { signal, onLost = () => {}, most = Infinity } = {},
) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      if (!error.isTemporary || attempt >= most) throw error;
      const seconds = error.retryAfterSeconds ?? backoffSeconds(attempt);
      onLost({ seconds, problem: error });
      await pause(seconds, signal);
    }
  }
}

/** A pause; ends at once when the signal aborts (rejecting) or the browser is online
 * again. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(finish, seconds * 1000);
    window.addEventListener("online", finish);
    signal?.addEventListener("abort", stop);
    function clear() {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      signal?.removeEventListener("abort", stop);
    }
    function finish() {
      clear();
      resolve();
    }
    function stop() {
      clear();
      reject(signal.reason);
    }
    if (signal?.aborted) stop();
  });
}

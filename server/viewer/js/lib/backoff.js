// Pauses between attempts, and waiting that can be cut short.

/** Seconds to wait before attempt `number` (1, 2, …): doubling up to 10, ± 20 %. */
export function backoffSeconds(number, random = Math.random) {
  return Math.min(10, 0.5 * 2 ** (number - 1)) * (0.8 + 0.4 * random());
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

// The API key: for this tab, or on this device when the user says so.

const NAME = "nvs-key";

/** The stored key, or null. */
export function storedKey() {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
}

/** Keeps a key until the tab closes, or for good. */
export function keepKey(key, remember) {
  forgetKey();
  (remember ? localStorage : sessionStorage).setItem(NAME, key);
}

/** Removes the key from this tab and this device. */
export function forgetKey() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}

// The API key: for this tab, or on this device when the user says so. In a frame on
// another site's page browsers may refuse storage: then it is kept until the page is left.

const NAME = "nvs-key";

let keptHere = null;

/** The stored key, or null. */
export function storedKey() {
  for (const storage of storages()) {
    const key = storage.getItem(NAME);
    if (key !== null) return key;
  }
  return keptHere;
}

/** Keeps a key until the tab closes, or for good. */
export function keepKey(key, remember) {
  forgetKey();
  const [tab, device] = storages();
  if (tab) (remember ? device : tab).setItem(NAME, key);
  else keptHere = key;
}

/** Removes the key from this tab and this device. */
export function forgetKey() {
  for (const storage of storages()) storage.removeItem(NAME);
  keptHere = null;
}

/** Those of the tab and of the device, or none. */
function storages() {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}

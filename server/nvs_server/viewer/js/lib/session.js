// What a reload of the page keeps: the API key, for this tab or on this device when the
// user says so; the camera path of each scene, for this tab; and how many files an upload
// that was begun on this device has. In a frame on another site's page browsers may refuse
// storage: then a key is kept until the page is left.

const NAME = "nvs-key";
const pathName = (sceneId) => `nvs-path-${sceneId}`;
const uploadName = (sceneId) => `nvs-upload-${sceneId}`;

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

/** The text that `keepPath` was given for a scene, or null. */
export const storedPath = (sceneId) =>
  storages()[0]?.getItem(pathName(sceneId)) ?? null;

/** Keeps the text of a scene's camera path until the tab closes; null removes it. */
export function keepPath(sceneId, text) {
  const [tab] = storages();
  if (text === null) tab?.removeItem(pathName(sceneId));
  else tab?.setItem(pathName(sceneId), text);
}

/** How many files an upload to a scene has that did not end, or null. */
export function storedUpload(sceneId) {
  const num = storages()[1]?.getItem(uploadName(sceneId)) ?? null;
  return num === null ? null : Number(num);
}

/** Keeps how many files an upload to a scene has; null once all of them are there. */
export function keepUpload(sceneId, numFiles) {
  const [, device] = storages();
  if (numFiles === null) device?.removeItem(uploadName(sceneId));
  else device?.setItem(uploadName(sceneId), numFiles);
}

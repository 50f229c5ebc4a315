// The scene to which files were being sent when the page was left: its images are some of
// them. The server is asked, so that it is found from another browser too.

import * as api from "../lib/api.js";

/** Scenes whose images are looked at, newest first. */
const MOST_LOOKED_AT = 10;

/**
 * {scene, numPresent} of what `recognise` found, or null.
 *
 * Of photographs those count that the server has by the same name and size, whose bytes
 * are compared when they are sent; of a whole file there is only the scene of its name.
 */
export async function unfinishedScene({ name, images = [] }) {
  const sizes = new Map(images.map((image) => [image.name, image.file.size]));
  const { items } = await api.scenes();
  const waiting = items.filter((scene) => !scene.has_cameras && !scene.has_video);
  const begun = waiting.filter((scene) => scene.num_images > 0);
  for (const scene of begun.slice(0, MOST_LOOKED_AT)) {
    const present = await api.images(scene.id);
    const isPart = present.every((image) => sizes.get(image.name) === image.num_bytes);
    if (isPart) return { scene, numPresent: present.length };
  }
  const empty = waiting.find(
    (scene) => scene.state === "empty" && scene.name === name,
  );
  return empty ? { scene: empty, numPresent: 0 } : null;
}

// Scenes whose capture was left where it was, though a build today would frame it.

/** Whether a scene is one; builds of earlier releases framed no objects. */
export function isUnframed({ state, unframed, scene_bytes: bytes, weights }, models) {
  if (state === "building" || !bytes) return false;
  const model = models.find(({ id }) => id === weights);
  return unframed ?? model?.poses === "object";
}

export const UNFRAMED = "Built unframed: build again.";

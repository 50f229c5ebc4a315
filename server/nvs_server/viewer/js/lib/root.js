// Where the service lies: at / or under whatever a proxy puts before it.

/** The address of its root, three folders above this file. */
export const root = new URL("../../../", import.meta.url);

/** The address of a path from the root, such as "v1/me". */
export const at = (path) => new URL(path, root).href;

// What each key does while walking.

import { shortcuts } from "./shortcuts.js";

/** Returns a function that shows the help. */
export function walkShortcuts(walk) {
  const showHelp = shortcuts({
    f: [() => walk.setMode(walk.mode === "orbit" ? "fly" : "orbit"), "orbit or fly"],
    h: [() => walk.home(), "home: the first input camera"],
    c: [() => walk.toggleCompare(), "compare with the nearest photograph"],
    ",": [() => walk.step(-1), "previous input"],
    ".": [() => walk.step(1), "next input"],
    p: [() => walk.snapshot(), "snapshot"],
    t: [() => walk.togglePath(), "timeline of the path"],
    k: [() => walk.addKey(), "add a key to the path"],
    " ": [() => walk.timeline.toggle(), "play or pause the path"],
    "?": [() => showHelp(), "this page"],
    Escape: [() => walk.compare.close(), "close the comparison"],
  });
  return showHelp;
}

// The scenes that are there, newest first, kept up to date in place.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { icon } from "../lib/icons.js";
import { stateCard } from "../states.js";
import { sceneCard } from "./scene-card.js";

/** {element, refresh}; `models` are those that are served, `resume(scene, isComplete)` goes
 * on with a scene, `isOpen(scene)` tells whether a panel does. */
export function sceneList({ models, resume, isOpen }) {
  const cards = new Map();
  const empty = emptyState();
  const list = el("ul", { class: "cards" });
  const lost = el("p", { class: "muted", role: "status" });
  const more = button("Show more", {
    hidden: true,
    onclick: () => {
      wanted = cards.size + 1;
      return refresh();
    },
  });
  let wanted = 1;
  let latest = 0;

  /** Shows what there is now, with as many pages as were shown before. */
  async function refresh() {
    latest += 1;
    const turn = latest;
    try {
      const { scenes, isAll } = await scenesUpTo(wanted);
      if (turn !== latest) return;
      lost.textContent = "";
      more.hidden = isAll;
      show(scenes);
    } catch (error) {
      if (error.name !== "Problem") throw error;
      if (turn === latest)
        lost.textContent = `The list may be out of date. ${error.detail || error.title} ${error.remedy}`;
    }
  }

  function show(scenes) {
    const ids = new Set(scenes.map(({ id }) => id));
    for (const [id, card] of cards) {
      if (ids.has(id)) continue;
      card.element.remove();
      cards.delete(id);
    }
    if (scenes.length > 0) empty.remove();
    else list.append(empty);
    scenes.forEach((scene, index) => {
      if (!cards.has(scene.id))
        cards.set(scene.id, sceneCard({ changed: refresh, resume, isOpen }, models));
      const card = cards.get(scene.id);
      if (list.children[index] !== card.element)
        list.insertBefore(card.element, list.children[index] ?? null);
      card.update(scene);
    });
  }

  const element = el(
    "section",
    { "aria-labelledby": "scenes-title" },
    el(
      "header",
      { class: "section-head" },
      el("h2", { id: "scenes-title" }, "Scenes"),
      button("", {
        icon: icon("refresh"),
        title: "Refresh the list",
        class: "icon-button",
        onclick: refresh,
      }),
    ),
    lost,
    list,
    more,
  );
  return { element, refresh };
}

/** Pages until there are `num` scenes, and whether these are all. */
async function scenesUpTo(num) {
  const scenes = [];
  let cursor = null;
  do {
    const page = await api.scenes(cursor);
    scenes.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && scenes.length < num);
  return { scenes, isAll: cursor === null };
}

const emptyState = () =>
  el(
    "li",
    { class: "empty" },
    stateCard({
      icon: "cube",
      title: "No scenes yet",
      text: "Drop a folder of photographs with their cameras above: it becomes a scene to walk around in.",
    }),
  );

// The page's start: who is there, which page it is, and what to do when the server does
// not answer.

import * as api from "./lib/api.js";
import { el, fill } from "./lib/dom.js";
import { root as home } from "./lib/root.js";
import { header } from "./header.js";
import { askForKey } from "./sign-in.js";
import { stateCard } from "./states.js";
import { problemCard, untilAnswered } from "./until-answered.js";
import { sceneIdOf, scenePartOf } from "./walk/links.js";

const root = document.getElementById("app");
api.onUnauthorised(askForKey);

/** The answers that every page needs; waits for a server that is gone. */
async function introduction() {
  const place = el("main", { id: "main", class: "centred" });
  fill(root, place);
  try {
    return await untilAnswered(place, () => Promise.all([api.me(), api.models()]));
  } catch (error) {
    if (error.name === "Problem") fill(place, problemCard(error));
    throw error;
  }
}

/** The card for an address that no scene can have. */
const noSuchPage = () =>
  stateCard({
    icon: "warning",
    state: "not-found",
    title: "There is no such scene",
    text: "The address is not that of a scene: a part of it is missing or wrong.",
    remedy: "Copy the link again, or open the scene from the list.",
    actions: [el("a", { class: "button", href: home.href }, "All scenes")],
  });

async function start() {
  const [me, models] = await introduction();
  const sceneId = sceneIdOf(location.pathname);
  fill(root);
  if (sceneId) {
    const { walkPage } = await import("./walk/walk-page.js");
    await walkPage(root, { me, models, sceneId });
  } else if (scenePartOf(location.pathname)) {
    const place = el("main", { id: "main", class: "centred" });
    root.append(header({ me }), place);
    fill(place, noSuchPage());
  } else {
    const { scenesPage } = await import("./scenes/scenes-page.js");
    const place = el("div", { class: "page" });
    root.append(header({ me }), place);
    await scenesPage(place, { models });
  }
}

await start();

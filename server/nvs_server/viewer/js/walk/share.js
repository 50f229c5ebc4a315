// Taking a view along: as a link, as JSON, as a curl command, as Python, as a picture.

import * as api from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { openDialog } from "../lib/dialogs.js";
import { fileName, saveBlob, saveJson } from "../lib/download.js";
import { icon } from "../lib/icons.js";
import { notify } from "../lib/notices.js";
import { root } from "../lib/root.js";
import { cameraOf } from "../cameras/lens.js";
import { documentOf } from "../paths/path-json.js";
import { settledOrder } from "./pacer.js";

/** Puts text on the clipboard, or shows it where that is not allowed. */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${what} copied`);
  } catch {
    const area = el("textarea", {
      class: "code",
      readonly: true,
      rows: 12,
      "aria-label": what,
    });
    area.value = text;
    openDialog(`Copy: ${what}`, area, { className: "dialog-wide" });
    area.select();
  }
}

/** The camera in pixels of a size, as the service's API takes it. */
export function cameraJson(view, size) {
  return JSON.stringify(
    { ...cameraOf(view, size.height, size.width), ...size },
    null,
    1,
  );
}

/** A command that renders the view; the key comes from the environment. */
export function curlCommand(sceneId, view, size, { needsKey }) {
  const lines = [
    `curl --fail-with-body -X POST '${api.renderPath(sceneId)}'`,
    needsKey && '-H "Authorization: Bearer $NVS_KEY"',
    "-H 'Content-Type: application/json'",
    `-d '${JSON.stringify(settledOrder(view, size))}'`,
    "-o view.png",
  ];
  return lines.filter(Boolean).join(" \\\n  ");
}

/** A Python program that renders the view. */
export function pythonProgram(sceneId, view, size, { needsKey }) {
  const { world_from_camera: pose, ...intrinsics } = cameraOf(
    view,
    size.height,
    size.width,
  );
  const rows = pose.map((row) => `        [${row.join(", ")}],`).join("\n");
  const numbers = Object.entries(intrinsics)
    .map(([name, value]) => `    ${name}=${value},`)
    .join("\n");
  const server = root.href.replace(/\/$/, "");
  const key = needsKey ? ', key=os.environ["NVS_KEY"]' : "";
  return `${needsKey ? "import os\n\n" : ""}from nvs.client import Client, PosedCamera

camera = PosedCamera(
    world_from_camera=[
${rows}
    ],
${numbers}
)
with Client("${server}"${key}) as client:
    picture = client.render("${sceneId}", camera, height=${size.height}, width=${size.width})
picture.save("view.png")
`;
}

/** Renders the view at full size and offers the picture and its camera. */
export async function snapshot(scene, view, size) {
  const order = settledOrder(view, size);
  const now = view.now;
  const blob = await api.render(scene.id, order);
  const url = URL.createObjectURL(blob);
  const name = fileName(scene.name, "");
  const path = documentOf([now], { ...size, fps: 30 });
  openDialog(
    "Snapshot",
    el(
      "figure",
      { class: "snapshot" },
      el("img", { src: url, alt: `The view, ${size.width} × ${size.height} pixels` }),
      el(
        "figcaption",
        { class: "muted tabular" },
        `${size.width} × ${size.height} pixels, PNG. The camera is a path of one frame, which `,
        el("code", {}, "nvs render --path camera.json"),
        " reads.",
      ),
    ),
    {
      actions: [
        button("Camera JSON", {
          icon: icon("download"),
          onclick: () => saveJson(path, `${name}-camera.json`),
        }),
        button("PNG", {
          icon: icon("download"),
          class: "primary",
          onclick: () => saveBlob(blob, `${name}.png`),
        }),
      ],
      onClose: () => URL.revokeObjectURL(url),
    },
  );
}

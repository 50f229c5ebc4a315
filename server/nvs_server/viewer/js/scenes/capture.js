// Recognises what was dropped: a posed capture, photographs or a video to be posed, a
// zip of a dataset, or a scene file.

import { bytes, count } from "../lib/format.js";
import { zipOf } from "../lib/zip.js";

const IMAGE = /\.(jpe?g|png|webp|tiff?|bmp|avif|hei[cf]|hif)$/i;
const VIDEO_TYPES = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  webm: "video/webm",
  mkv: "video/x-matroska",
  avi: "video/x-msvideo",
  "3gp": "video/3gpp",
  mts: "video/mp2t",
};
/** Fewer fix no path. */
const FEWEST_PHOTOGRAPHS = 3;
/** In the folders where masks of images are. */
const MASK = /(^|\/)masks?\//;
const HIDDEN = /(^|\/)(\.|__MACOSX|Thumbs\.db)/;
const CAMERA_FILES = [
  [/^opencv_cameras\.json$/, "OpenCV cameras"],
  [/^transforms\.json$/, "nerfstudio transforms"],
  [/^transforms_train\.json$/, "Blender transforms"],
  [/^transforms.*\.json$/, "transforms"],
];
const OTHER_LAYOUT = /(^|\/)(cameras\.(bin|txt)|images\.(bin|txt)|poses_bounds\.npy)$/i;
/** Of no use to the server, and often larger than all the images. */
const DATABASE = /\.db$/i;

const MEDIA_TYPES = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  tif: "image/tiff",
  tiff: "image/tiff",
  bmp: "image/bmp",
  avif: "image/avif",
  heic: "image/heic",
  heif: "image/heic",
  hif: "image/heic",
};

const ending = (name) => name.split(".").pop().toLowerCase();

/** Content type of an image by its name. */
export const mediaTypeOf = (name) => MEDIA_TYPES[ending(name)];

/** Content type of a video by its name; undefined if it is none. */
export const videoTypeOf = (name) => VIDEO_TYPES[ending(name)];

/**
 * Sorts files {path, file}.
 *
 * Returns {kind: "zip" | "scene" | "video", name, file} (a folder in a layout that only the server
 * reads is packed into a zip here), {kind: "capture", name, images: [{name,
 * file}], numMasks, cameras: {name, layout, text}, numSkipped}, {kind: "photographs", name,
 * images, numMasks} without cameras, or {kind: "problem", problem, remedy}. Masks are among
 * the images.
 */
export async function recognise(files) {
  const visible = files.filter(({ path }) => !HIDDEN.test(path));
  if (visible.length === 0) {
    return problem(
      "There are no files in this.",
      "Drop a folder of photographs with their cameras.",
    );
  }
  if (visible.length === 1) {
    const [{ path, file }] = visible;
    const name = stem(path);
    if (/\.zip$/i.test(path)) return { kind: "zip", name, file };
    if (/\.(scene|safetensors)$/i.test(path)) return { kind: "scene", name, file };
  }
  const { top, inside } = withoutTop(visible);
  const pictures = inside.filter(({ path }) => IMAGE.test(path));
  const masks = pictures.filter(({ path }) => MASK.test(path));
  const images = pictures.filter(({ path }) => !MASK.test(path));
  const videos = inside.filter(({ path }) => videoTypeOf(path));
  if (images.length === 0 && videos.length === 1) {
    const [{ path, file }] = videos;
    return { kind: "video", name: stem(path), file };
  }
  if (images.length === 0) {
    return problem(
      "There are no images in this.",
      "Images end in .jpg, .png, .webp, .tif, .bmp, .heic or .avif; of videos, drop one.",
    );
  }
  const found = camerasIn(inside);
  if (!found) return withoutCameras(top, inside, images, masks);
  const text = await found.file.text();
  const named = namedImages(text, found.path);
  if (named === null) {
    return problem(`${found.path} is not JSON.`, "Export the cameras again.");
  }
  const wanted = chosen(images, named);
  if (wanted.length === 0) {
    return problem(
      `${found.path} names none of the ${images.length} images in this folder.`,
      `It names, for example, ${named[0] ?? "nothing"}: put the images where it says.`,
    );
  }
  return {
    kind: "capture",
    name: top || stem(found.path),
    images: asNamed([...wanted, ...masks]),
    numMasks: masks.length,
    cameras: { name: found.path, layout: found.layout, text },
    numSkipped: images.length - wanted.length,
  };
}

/** A line about what was recognised. */
export function descriptionOf(found) {
  if (found.kind === "zip") return `A zip of a dataset, ${bytes(found.file.size)}.`;
  if (found.kind === "scene")
    return `A scene file, ${bytes(found.file.size)}: it is ready once uploaded.`;
  if (found.kind === "video")
    return `A video, ${bytes(found.file.size)}: frames are chosen of it and their cameras found.`;
  const size = found.images.reduce((sum, image) => sum + image.file.size, 0);
  const num = found.images.length - found.numMasks;
  const masks = found.numMasks ? ` with ${count(found.numMasks, "mask")}` : "";
  if (found.kind === "photographs")
    return `${count(num, "photograph")}${masks}, ${bytes(size)}, without cameras: they are found once uploaded.`;
  const skipped = found.numSkipped
    ? ` ${count(found.numSkipped, "image")} without a camera stay here.`
    : "";
  return `${count(num, "image")}${masks}, ${bytes(size)}, with ${found.cameras.layout} (${found.cameras.name}).${skipped}`;
}

const asNamed = (files) => files.map(({ path, file }) => ({ name: path, file }));
const problem = (text, remedy) => ({ kind: "problem", problem: text, remedy });
const stem = (path) =>
  path
    .split("/")
    .pop()
    .replace(/\.[^.]+$/, "");
const baseName = (path) => path.split("/").pop();
const depth = (path) => path.split("/").length;

/** Drops the one folder that holds everything. */
function withoutTop(files) {
  const tops = new Set(
    files.map(({ path }) => (path.includes("/") ? path.split("/")[0] : "")),
  );
  const [top] = tops;
  if (tops.size !== 1 || !top) return { top: "", inside: files };
  const inside = files.map(({ path, file }) => ({
    path: path.slice(top.length + 1),
    file,
  }));
  return { top, inside };
}

/** The camera file nearest the top, of the most telling name. */
function camerasIn(files) {
  const candidates = files.flatMap(({ path, file }) => {
    const rank = CAMERA_FILES.findIndex(([pattern]) => pattern.test(baseName(path)));
    return rank < 0 ? [] : [{ path, file, rank, layout: CAMERA_FILES[rank][1] }];
  });
  candidates.sort((a, b) => depth(a.path) - depth(b.path) || a.rank - b.rank);
  return candidates[0];
}

async function withoutCameras(top, files, images, masks) {
  if (files.some(({ path }) => OTHER_LAYOUT.test(path))) {
    const file = await zipOf(files.filter(({ path }) => !DATABASE.test(path)));
    if (file) return { kind: "zip", name: top || "dataset", file };
    return problem(
      "This dataset is larger than 4 GiB, too large to be packed here.",
      "Put the whole folder in a zip and drop that.",
    );
  }
  if (images.length < FEWEST_PHOTOGRAPHS) {
    return problem(
      `There are only ${images.length} images, and no file with their cameras.`,
      `Drop ${FEWEST_PHOTOGRAPHS} or more that overlap (20 are better): their cameras are found here. Or add opencv_cameras.json or transforms.json.`,
    );
  }
  return {
    kind: "photographs",
    name: top || stem(images[0].path),
    images: asNamed([...images, ...masks]),
    numMasks: masks.length,
  };
}

/** Image paths that a camera file names, relative to the top; null if it is not JSON. */
function namedImages(text, camerasPath) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    return null;
  }
  const frames = Array.isArray(document) ? document : document?.frames;
  if (!Array.isArray(frames)) return [];
  const folder = camerasPath.includes("/")
    ? `${camerasPath.replace(/\/[^/]*$/, "")}/`
    : "";
  return frames
    .map((frame) => frame?.file_path)
    .filter((path) => typeof path === "string")
    .map((path) => folder + path.replace(/^(\.\/)+/, ""));
}

/** The images that are named, by path or else by a base name that only one has. */
function chosen(images, named) {
  const byPath = new Map(images.map((image) => [image.path, image]));
  const byBase = Map.groupBy(images, (image) => baseName(image.path));
  const wanted = new Set();
  for (const path of named) {
    const exact =
      byPath.get(path) ??
      IMAGE_ENDINGS.map((end) => byPath.get(path + end)).find(Boolean);
    const alike = byBase.get(baseName(path)) ?? [];
    if (exact) wanted.add(exact);
    else if (alike.length === 1) wanted.add(alike[0]);
  }
  return [...wanted];
}

/** Blender's files leave the ending out. */
const IMAGE_ENDINGS = [".png", ".jpg", ".jpeg", ".webp"];

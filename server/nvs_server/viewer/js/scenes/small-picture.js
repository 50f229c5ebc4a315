// Thumbnails of photographs, which may be large: decoded one at a time, once they are
// seen, and kept at the size that they are shown at.

const WIDTH_PX = 144;

let turn = Promise.resolve();

/** A <canvas> of what `getBlob(signal)` gives; it stays empty where the browser does not
 * show such files. */
export function smallPicture(getBlob) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 0;
  canvas.setAttribute("aria-hidden", "true");
  const abort = new AbortController();
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    turn = turn.then(() => canvas.isConnected && draw(canvas, getBlob, abort.signal));
  });
  observer.observe(canvas);
  return canvas;
}

async function draw(canvas, getBlob, signal) {
  try {
    const bitmap = await createImageBitmap(await getBlob(signal), {
      resizeWidth: WIDTH_PX,
      resizeQuality: "medium",
    });
    Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  } catch (error) {
    const isExpected = ["Problem", "InvalidStateError", "AbortError"];
    if (!isExpected.includes(error.name)) throw error;
  }
}

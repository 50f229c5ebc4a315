// Images that need the key: fetched when they scroll into view, shown as blobs.

/** An <img> that loads itself through `fetchBlob(signal)` once it is visible. */
export function lazyImage(fetchBlob, { alt, className = "" }) {
  const image = new Image();
  image.alt = alt;
  image.className = className;
  const abort = new AbortController();
  const observer = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    try {
      const url = URL.createObjectURL(await fetchBlob(abort.signal));
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.src = url;
    } catch (error) {
      if (error.name !== "Problem" && error.name !== "AbortError") throw error;
      image.classList.add("image-missing");
    }
  });
  observer.observe(image);
  return image;
}

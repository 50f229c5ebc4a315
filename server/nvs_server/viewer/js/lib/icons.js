// The page's icons: strokes on a 16 × 16 grid.

const PATHS = {
  back: "M9.5 3.5 5 8l4.5 4.5",
  camera: "M2 5h3l1-1.8h4L11 5h3v8H2zM8 11.2a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  compare: "M8 2v12M2.5 4H6v8H2.5zM10 4h3.5v8H10z",
  copy: "M5.5 5.5h8v8h-8zM10.5 3V2.5h-8v8H3",
  cube: "M8 1.8 13.5 5v6L8 14.2 2.5 11V5zM2.5 5 8 8.2 13.5 5M8 8.2v6",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  film: "M2 3h12v10H2zM5 3v10M11 3v10M2 6.3h3M2 9.6h3M11 6.3h3M11 9.6h3",
  folder: "M2 4h4l1.5 1.8H14V13H2z",
  help: "M6 6.2a2 2 0 1 1 2.6 2c-.5.2-.6.6-.6 1.2M8 12v.1",
  home: "M2.5 8 8 3l5.5 5M4 7v6h8V7",
  key: "M10.5 9a3.2 3.2 0 1 0-3-2.2L2.5 11.8V13.5H5V12h1.5v-1.5H8l.8-.9",
  link: "M6.8 9.2 9.2 6.8M7 4.5l1.2-1.2a3 3 0 0 1 4.3 4.3L11.3 9M9 11.5l-1.2 1.2a3 3 0 0 1-4.3-4.3L4.7 7",
  more: "M3.5 8.2a.2.2 0 1 0 0-.4.2.2 0 0 0 0 .4M8 8.2a.2.2 0 1 0 0-.4.2.2 0 0 0 0 .4M12.5 8.2a.2.2 0 1 0 0-.4.2.2 0 0 0 0 .4",
  next: "M6.5 3.5 11 8l-4.5 4.5",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.2 12.5 8 5 12.8z",
  plus: "M8 3v10M3 8h10",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5 5 13.5h6l.5-9M7 7v4M9 7v4",
  upload: "M8 10.5v-8M4.5 6 8 2.5 11.5 6M2.5 13.5h11",
  warning: "M8 2.2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1",
};

/** An icon, hidden from screen readers: the control around it has the name. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 16 16",
    width: "16",
    height: "16",
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "1.5",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
    "aria-hidden": "true",
    class: "icon",
  })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

// Building and finding elements. Styles come from style sheets only: the page's
// Content-Security-Policy forbids style attributes.

/**
 * An element with properties and children.
 *
 * Properties: `class`, `dataset`, `onclick` and other `on…` listeners; anything else is
 * an attribute (true: empty attribute; false, null, undefined: left out).
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  append(node, children);
  return node;
}

/** Replaces everything inside a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** A button with an icon, a label, or both; an icon alone needs `title`. */
export function button(label, { icon, title, ...props } = {}) {
  const name = title ?? (icon && !label ? props["aria-label"] : undefined);
  return el(
    "button",
    { type: "button", title: name, "aria-label": label ? undefined : name, ...props },
    icon,
    label && el("span", {}, label),
  );
}

/** A labelled form control. */
export function field(label, control, hint) {
  return el(
    "label",
    { class: "field" },
    el("span", { class: "field-label" }, label),
    control,
    hint && el("span", { class: "field-hint" }, hint),
  );
}

/** A labelled form control on one line. */
export function inlineField(label, control) {
  const node = field(label, control);
  node.classList.add("inline");
  return node;
}

/** A select with options of [value, text]. */
export function select(options, props = {}) {
  const { value, ...rest } = props;
  const node = el(
    "select",
    rest,
    options.map(([id, text]) => el("option", { value: id }, text)),
  );
  if (value !== undefined) node.value = value;
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== undefined && child !== null && child !== false) node.append(child);
  }
}

import { element, find } from "./dom.js";
import { imageRow } from "./rows.js";
import { plural } from "./words.js";

/**
 * The table of what was found. Rows are made as somebody gets to them: 20,000 at once would keep a browser busy for seconds.
 *
 * @typedef {import("../page-data.ts").PageData} PageData
 * @typedef {import("../page-data.ts").PageImage} PageImage
 */

const CHUNK = 100;
/** What goes to paper. */
const PRINTED = 1_000;

/**
 * @param {PageData} data
 * @returns {(images: readonly PageImage[]) => void} shows these
 */
export function openTable(data) {
  const [rows, hits] = [find("#rows", HTMLElement), find("#hits", HTMLElement)];
  const [more, button] = [find(".more", HTMLElement), find("#more", HTMLButtonElement)];
  /** @type {readonly PageImage[]} */
  let images = [];
  let shown = 0;

  const grow = (/** @type {number} */ count) => {
    const next = images.slice(shown, shown + count);
    rows.append(...next.map((image, at) => imageRow(image, data, shown + at)));
    shown += next.length;
    const left = images.length - shown;
    more.hidden = left === 0;
    button.textContent = `Show more: ${plural(left, "image")} left`;
  };
  const show = (/** @type {readonly PageImage[]} */ found) => {
    images = found;
    shown = 0;
    rows.replaceChildren();
    if (found.length === 0) rows.append(nothingRow());
    const all = plural(data.images.length, "image");
    hits.textContent = found.length === data.images.length ? all : `${found.length.toLocaleString("en")} of ${all}`;
    grow(CHUNK);
  };

  button.addEventListener("click", () => grow(CHUNK));
  new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && grow(CHUNK), {
    rootMargin: "600px",
  }).observe(more);
  addEventListener("beforeprint", () => grow(Math.max(0, PRINTED - shown)));
  return show;
}

function nothingRow() {
  const text = "No image is like that. Clear a filter to see more.";
  return element("tr", { role: "row" }, element("td", { role: "cell", colspan: "6", class: "nothing" }, text));
}

import { details } from "./details.js";
import { element } from "./dom.js";
import { age, shortImage, time } from "./words.js";

/**
 * Rows of the table: one for each image, and a second one that says all, made when it is opened.
 *
 * @typedef {import("../page-data.ts").PageData} PageData
 * @typedef {import("../page-data.ts").PageImage} PageImage
 */

const PINNING = { pinned: "pinned", unpinned: "no", moved: "tag has moved" };

/**
 * @param {PageImage} image
 * @param {PageData} data
 * @param {number} index where it stands, for the name of its details
 */
export function imageRow(image, data, index) {
  const id = `details-${index}`;
  const name = shortImage(image.image);
  const button = element(
    "button",
    { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id },
    element("code", { class: "brief" }, name),
  );
  const row = element(
    "tr",
    { role: "row" },
    cell("verdict", element("span", { class: `badge ${image.verdict}` }, image.verdict)),
    cell("image", button),
    cell("why", element("div", { class: "brief" }, ...whyOf(image, data))),
    cell("pinning", PINNING[image.pinning]),
    cell("signed", signedOf(image, data)),
    cell("uses", ...usesOf(image)),
  );
  button.addEventListener("click", () => toggle(row, button, image, data, id));
  return row;
}

/**
 * @param {string} kind
 * @param {readonly (Node | string | undefined)[]} children
 */
function cell(kind, ...children) {
  return element("td", { role: "cell", class: kind }, ...children);
}

/**
 * @param {HTMLElement} row
 * @param {HTMLElement} button
 * @param {PageImage} image
 * @param {PageData} data
 * @param {string} id
 */
function toggle(row, button, image, data, id) {
  const isOpen = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!isOpen));
  row.classList.toggle("opened", !isOpen);
  if (isOpen) row.nextElementSibling?.remove();
  else
    row.after(
      element(
        "tr",
        { role: "row", id, class: "more" },
        element("td", { role: "cell", colspan: "6" }, details(image, data)),
      ),
    );
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 * @returns {(Node | string)[]}
 */
function whyOf(image, data) {
  if (image.code !== undefined) {
    const finding = data.findings[image.reasons?.[0] ?? -1];
    return [
      element("span", { class: `code ${image.verdict}` }, image.code),
      ` ${finding?.found ?? finding?.message ?? ""}`,
    ];
  }
  const names = (image.signers ?? []).flatMap(([at]) => data.signers[at]?.name ?? []);
  return [
    names.join(", "),
    ...(image.warnings === undefined ? [] : [element("span", { class: "code undetermined" }, "warning")]),
  ];
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function signedOf({ signedAt }, data) {
  if (signedAt === undefined) return "–";
  return element("time", { datetime: new Date(signedAt).toISOString(), title: time(signedAt) }, age(signedAt, data.at));
}

/** @param {PageImage} image */
function usesOf({ uses }) {
  const [first] = uses;
  return [
    String(uses.length),
    first === undefined ? undefined : element("span", { class: "muted place" }, ` ${first.at}`),
  ];
}

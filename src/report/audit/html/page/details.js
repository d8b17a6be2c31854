import { element } from "./dom.js";
import { age, plural, time } from "./words.js";

/**
 * All that is known of one image.
 *
 * @typedef {import("../page-data.ts").PageData} PageData
 * @typedef {import("../page-data.ts").PageImage} PageImage
 * @typedef {import("../page-data.ts").PageUse} PageUse
 */

/** Uses that are listed until all are asked for. */
const USES_SHOWN = 50;

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
export function details(image, data) {
  return element(
    "div",
    { class: "details" },
    findingsPart("Why", image.reasons, image.verdict, data),
    findingsPart("Warnings", image.warnings, "undetermined", data),
    driftPart(image, data),
    signersPart(image, data),
    usesPart(image, data),
    factsPart(image, data),
  );
}

/**
 * @param {string} title
 * @param {readonly (Node | undefined)[]} children
 */
function part(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

/**
 * @param {readonly (readonly [string, string | Node | undefined])[]} rows
 */
function facts(rows) {
  const items = rows.map(([name, value]) =>
    value === undefined || value === ""
      ? undefined
      : element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  );
  return element("dl", { class: "facts" }, ...items);
}

/**
 * @param {string} title
 * @param {readonly number[] | undefined} indexes
 * @param {string} kind
 * @param {PageData} data
 */
function findingsPart(title, indexes, kind, data) {
  const findings = (indexes ?? []).flatMap((at) => data.findings[at] ?? []);
  if (findings.length === 0) return undefined;
  const items = findings.map(({ code, message, found, wanted, place, next }) =>
    element(
      "li",
      {},
      element("p", {}, element("span", { class: `code ${kind}` }, code), ` ${message}`),
      facts([
        ["found", found],
        ["wanted", place === undefined ? wanted : `${wanted ?? ""} (${place})`],
        ["next", next],
      ]),
    ),
  );
  return part(title, element("ul", { class: "findings" }, ...items));
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function driftPart(image, data) {
  if (image.tagDigest !== undefined) {
    const rows = /** @type {const} */ ([
      ["pinned", code(image.digest)],
      ["tag now", code(image.tagDigest)],
    ]);
    return part("The tag has moved", facts(rows));
  }
  const finding = data.findings[image.tagFinding ?? -1];
  if (finding === undefined) return undefined;
  return part(
    "The tag could not be looked at",
    facts([
      [finding.code, finding.message],
      ["found", finding.found],
      ["next", finding.next],
    ]),
  );
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function signersPart(image, data) {
  if (image.signers === undefined) return undefined;
  const items = image.signers.map(([at, signedAt]) => {
    const { name, id, format } = data.signers[at] ?? { name: "", id: "", format: "" };
    const when = signedAt === undefined ? "no proven time" : `${time(signedAt)}, ${age(signedAt, data.at)}`;
    const line = element("span", { class: "muted" }, `${format}, ${when}`);
    return element("li", {}, element("strong", {}, name), element("br"), line, element("br"), element("code", {}, id));
  });
  return part("Signed by", element("ul", { class: "signers" }, ...items));
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function usesPart({ uses }, data) {
  if (uses.length === 0) return undefined;
  const list = element("ul", { class: "uses" }, ...uses.slice(0, USES_SHOWN).map((use) => useItem(use, data)));
  const left = uses.slice(USES_SHOWN);
  if (left.length === 0) return part("Used in", list);
  const button = element("button", { type: "button" }, `${plural(left.length, "more place")}`);
  button.addEventListener("click", () => {
    list.append(...left.map((use) => useItem(use, data)));
    button.remove();
  });
  return part("Used in", list, button);
}

/**
 * @param {PageUse} use
 * @param {PageData} data
 */
function useItem(use, data) {
  const place = element("code", {}, use.at);
  const where = use.link === undefined ? place : element("a", { href: use.link, rel: "noreferrer" }, place);
  const owner = data.owners[use.owner];
  const rest = [use.what, owner, use.as === undefined ? undefined : `written as ${use.as}`].filter(Boolean).join(" · ");
  return element("li", {}, where, element("br"), element("span", { class: "muted" }, rest));
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function factsPart(image, data) {
  const { digest, because, rule, checked, notChecked, scannedAt } = image;
  const text = (/** @type {number | undefined} */ at) => (at === undefined ? undefined : data.texts[at]);
  return part(
    "Facts",
    facts([
      ["name", code(image.image)],
      ["digest", code(digest) ?? "not known"],
      ["because", text(because)],
      ["rule", text(rule)],
      ["checked", text(checked)],
      ["not checked", text(notChecked)],
      ["scanned", scannedAt === undefined ? undefined : `${time(scannedAt)}, ${age(scannedAt, data.at)}`],
    ]),
  );
}

/** @param {string | undefined} text */
function code(text) {
  return text === undefined ? undefined : element("code", {}, text);
}

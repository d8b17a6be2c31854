/**
 * Which images are shown, and in which order. Pure: the addresses of filtered pages, and the filters of addresses, too.
 *
 * @typedef {import("../page-data.ts").PageData} PageData
 * @typedef {import("../page-data.ts").PageImage} PageImage
 *
 * @typedef {object} Query
 * @property {string} q words, all of which have to be somewhere in what is known of an image
 * @property {string} verdict
 * @property {string} reason
 * @property {string} owner
 * @property {string} pinning
 * @property {string} age an index of AGES, or "unknown"
 * @property {string} sort a column; "" is the order of the data: what needs action first
 * @property {string} order "" is ascending, "desc" descending
 */

const DAY = 86_400_000;
/** Where the spans of the chart of ages begin. */
export const AGES = [0, DAY, 7 * DAY, 28 * DAY, 91 * DAY, 365 * DAY];

/** @type {Query} */
export const EVERYTHING = { q: "", verdict: "", reason: "", owner: "", pinning: "", age: "", sort: "", order: "" };
const NAMES = /** @type {(keyof Query)[]} */ (Object.keys(EVERYTHING));

/**
 * @param {PageData} data
 * @returns {(query: Query) => PageImage[]} what is found, in order
 */
export function searcher(data) {
  /** @type {Map<PageImage, string>} */
  const texts = new Map();
  const textOf = (/** @type {PageImage} */ image) => {
    const text = texts.get(image) ?? searchText(image, data);
    texts.set(image, text);
    return text;
  };
  return (query) => {
    const words = query.q.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = data.images.filter(
      (image) => isWanted(image, query, data) && words.every((word) => textOf(image).includes(word)),
    );
    return sorted(hits, query, data);
  };
}

/**
 * @param {PageImage} image
 * @param {PageData} data
 */
function searchText(image, data) {
  const findings = [...(image.reasons ?? []), ...(image.warnings ?? [])].map((at) => data.findings[at]);
  const signers = (image.signers ?? []).map((at) => data.signers[at]);
  return [
    image.image,
    image.digest,
    image.verdict,
    image.tagDigest,
    image.rule === undefined ? undefined : data.texts[image.rule],
    ...findings.flatMap((one) => [one?.code, one?.message, one?.found, one?.wanted, one?.place]),
    ...signers.flatMap((one) => [one?.name, one?.id]),
    ...image.uses.flatMap((use) => [use.at, use.what, use.as, data.owners[use.owner]]),
  ]
    .filter((text) => text !== undefined)
    .join("\n")
    .toLowerCase();
}

/**
 * @param {PageImage} image
 * @param {Query} query
 * @param {PageData} data
 */
function isWanted(image, query, data) {
  return (
    (query.verdict === "" || image.verdict === query.verdict) &&
    (query.reason === "" || image.code === query.reason) &&
    (query.pinning === "" || image.pinning === query.pinning) &&
    (query.age === "" || ageOf(image, data.at) === query.age) &&
    (query.owner === "" || image.uses.some((use) => data.owners[use.owner] === query.owner))
  );
}

/**
 * The span that an accepted image is counted in; the others have no age.
 *
 * @param {PageImage} image
 * @param {number} now
 */
export function ageOf(image, now) {
  if (image.verdict !== "accepted") return undefined;
  if (image.signedAt === undefined) return "unknown";
  const age = Math.max(0, now - image.signedAt);
  return String(AGES.findLastIndex((from) => age >= from));
}

/** @type {Readonly<Record<string, (image: PageImage, data: PageData) => string | number>>} */
const KEYS = {
  image: ({ image }) => image,
  why: ({ code, signers }, data) => code ?? data.signers[signers?.[0] ?? -1]?.name ?? "",
  pinning: ({ pinning }) => ["moved", "unpinned", "pinned"].indexOf(pinning),
  signed: ({ signedAt }) => signedAt ?? Number.NEGATIVE_INFINITY,
  uses: ({ uses }) => -uses.length,
};

/**
 * @param {PageImage[]} images
 * @param {Query} query
 * @param {PageData} data
 */
function sorted(images, { sort, order }, data) {
  const key = KEYS[sort];
  const ascending = key === undefined ? images : sortedBy(images, (image) => key(image, data));
  return order === "desc" ? ascending.toReversed() : ascending;
}

/**
 * @param {PageImage[]} images
 * @param {(image: PageImage) => string | number} key
 */
function sortedBy(images, key) {
  const keyed = images.map((image) => ({ image, key: key(image) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return keyed.map(({ image }) => image);
}

/**
 * `#verdict=refused&q=nginx`: so that a view can be sent to somebody.
 *
 * @param {Query} query
 */
export function formatQuery(query) {
  const set = NAMES.filter((name) => query[name] !== "").map((name) => [name, query[name]]);
  return set.length === 0 ? "" : `#${new URLSearchParams(set)}`;
}

/**
 * @param {string} hash
 * @returns {Query} everything, where the address names a section or nothing
 */
export function parseQuery(hash) {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const query = { ...EVERYTHING };
  for (const name of NAMES) query[name] = parameters.get(name) ?? "";
  return query;
}

import type { PageData, PageImage } from "./page-data.ts";

/**
 * Which images the page shows, and in which order; the address of a filtered page, and the filters of an address. It runs
 * in the page, and knows nothing of it.
 */

export interface Query {
  /** Words, all of which have to be somewhere in what is known of an image. */
  readonly q: string;
  readonly verdict: string;
  readonly reason: string;
  readonly owner: string;
  readonly pinning: string;
  /** An index of AGES, or `unknown`. */
  readonly age: string;
  /** A column; the order of the data, what needs action first, where it is empty. */
  readonly sort: string;
  /** `desc`, or empty. */
  readonly order: string;
}

export const EVERYTHING: Query = {
  q: "",
  verdict: "",
  reason: "",
  owner: "",
  pinning: "",
  age: "",
  sort: "",
  order: "",
};
const NAMES = Object.keys(EVERYTHING) as (keyof Query)[];

const DAY = 86_400_000;

interface Span {
  readonly name: string;
  /** For a column of a chart. */
  readonly short: string;
  readonly from: number;
}

/** The spans in which signatures are counted by their age, in milliseconds; each ends where the next one begins. */
export const AGES: readonly Span[] = [
  { name: "under a day ago", short: "<1 d", from: 0 },
  { name: "1–7 days ago", short: "1–7 d", from: DAY },
  { name: "1–4 weeks ago", short: "1–4 w", from: 7 * DAY },
  { name: "1–3 months ago", short: "1–3 m", from: 28 * DAY },
  { name: "3–12 months ago", short: "3–12 m", from: 91 * DAY },
  { name: "over a year ago", short: ">1 y", from: 365 * DAY },
];

/** The index of the span; what claims to be from the future counts as new. */
export function spanOf(signedAt: number, now: number): number {
  const age = Math.max(0, now - signedAt);
  return AGES.findLastIndex(({ from }) => age >= from);
}

/** What a query finds, in order. Texts are put together when they are first searched. */
export function searcher(data: PageData): (query: Query) => readonly PageImage[] {
  const texts = new Map<PageImage, string>();
  const textOf = (image: PageImage): string => {
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

function searchText(image: PageImage, { findings, signers, owners, texts }: PageData): string {
  const said = [...(image.reasons ?? []), ...(image.warnings ?? [])].map((at) => findings[at]);
  return [
    image.image,
    image.digest,
    image.verdict,
    image.tagDigest,
    texts[image.rule ?? -1],
    ...said.flatMap((one) => [one?.code, one?.message, one?.found, one?.wanted, one?.place]),
    ...(image.signers ?? []).flatMap(([at]) => [signers[at]?.name, signers[at]?.id]),
    ...image.uses.flatMap((use) => [use.at, use.what, use.as, owners[use.owner]]),
  ]
    .filter((text) => text !== undefined)
    .join("\n")
    .toLowerCase();
}

function isWanted(image: PageImage, query: Query, { at, owners }: PageData): boolean {
  return (
    (query.verdict === "" || image.verdict === query.verdict) &&
    (query.reason === "" || image.code === query.reason) &&
    (query.pinning === "" || image.pinning === query.pinning) &&
    (query.age === "" || ageOf(image, at) === query.age) &&
    (query.owner === "" || image.uses.some((use) => owners[use.owner] === query.owner))
  );
}

/** The span that an accepted image is counted in; the others have no age. */
function ageOf({ verdict, signedAt }: PageImage, now: number): string | undefined {
  if (verdict !== "accepted") return undefined;
  return signedAt === undefined ? "unknown" : String(spanOf(signedAt, now));
}

type Key = (image: PageImage, data: PageData) => string | number;

const KEYS: Readonly<Record<string, Key>> = {
  image: ({ image }) => image,
  why: ({ code, signers }, data) => code ?? data.signers[signers?.[0]?.[0] ?? -1]?.name ?? "",
  pinning: ({ pinning }) => ["moved", "unpinned", "pinned"].indexOf(pinning),
  signed: ({ signedAt }) => signedAt ?? Number.NEGATIVE_INFINITY,
  uses: ({ uses }) => -uses.length,
};

function sorted(images: readonly PageImage[], { sort, order }: Query, data: PageData): readonly PageImage[] {
  const key = Object.hasOwn(KEYS, sort) ? KEYS[sort] : undefined;
  const ascending = key === undefined ? images : sortedBy(images, (image) => key(image, data));
  return order === "desc" ? ascending.toReversed() : ascending;
}

function sortedBy(images: readonly PageImage[], keyOf: (image: PageImage) => string | number): readonly PageImage[] {
  return images
    .map((image) => ({ image, key: keyOf(image) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ image }) => image);
}

/** `#verdict=refused&q=nginx`, so that a view can be sent to somebody; empty for everything. */
export function formatQuery(query: Query): string {
  const set = NAMES.filter((name) => query[name] !== "").map((name): [string, string] => [name, query[name]]);
  return set.length === 0 ? "" : `#${new URLSearchParams(set)}`;
}

/** Everything, where the address names a section or nothing. */
export function parseQuery(hash: string): Query {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  return { ...EVERYTHING, ...Object.fromEntries(NAMES.map((name) => [name, parameters.get(name) ?? ""])) };
}

import { bounded, type Finding, toFinding } from "../errors.ts";
import { parseReference } from "../oci/reference.ts";
import type { Mention, PinSlot, SourcePlace, SourceProblem } from "./mention.ts";

/** Part of a file's text, in UTF-16 offsets. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the characters from `from` to `to` of a value stand verbatim in the file; undefined where they do not: they come
 * from a variable, or are written with escapes. Never asked about nothing.
 */
export type Locate = (from: number, to: number) => Span | undefined;

/** A value that stands in the file as it is, from `offset` on. */
export function standsAt(offset: number): Locate {
  return (from, to) => ({ start: offset + from, end: offset + to });
}

/** What a text in the place of an image is: a reference, and how it is pinned or why it is not; or why it is none. */
export type ReferenceText = Pick<Mention, "image" | "slot" | "fixed"> | { readonly finding: Finding };

const NOT_VERBATIM = "the end of the reference does not stand in the file as it is read: it is written with escapes";

/** @param fixed Why there is no slot where `locate` finds none. */
export function readReferenceText(text: string, locate: Locate, fixed = NOT_VERBATIM): ReferenceText {
  const finding = findingAbout(text);
  if (finding !== undefined) return { finding };
  const slot = referenceSlot(text, locate);
  return { image: text, ...(slot === undefined ? { fixed } : { slot }) };
}

/**
 * Where a digest goes in a reference: in the place of the one that is there, else behind what is written, tag or none.
 * A reference without a tag stays without: `nginx` means `nginx:latest` and becomes `nginx@sha256:…`, which every engine
 * reads, and which does not say that the tag has anything to do with what runs.
 */
export function referenceSlot(reference: string, locate: Locate): PinSlot | undefined {
  const at = reference.indexOf("@");
  if (at === -1) {
    const last = locate(reference.length - 1, reference.length);
    return last && { start: last.end, end: last.end, before: "@", after: "" };
  }
  const digest = locate(at + 1, reference.length);
  return digest && { ...digest, before: "", after: "" };
}

/** Why a text cannot be what an image is called, undefined where it can. */
export function findingAbout(text: string): Finding | undefined {
  const foreign = FOREIGN.find(({ pattern }) => pattern.test(text));
  if (foreign !== undefined) return invalid(`not an image reference: ${foreign.what}`, { ...foreign, found: text });
  try {
    parseReference(text);
    return undefined;
  } catch (thrown) {
    const { message, found, wanted } = toFinding(thrown);
    return invalid(message, { found: found ?? text, wanted });
  }
}

/** What is written where others fill in a name; the first that matches says it. */
const FOREIGN: readonly {
  readonly pattern: RegExp;
  readonly what: string;
  readonly wanted?: string;
  readonly next?: string;
}[] = [
  { pattern: /^$/, what: "it is empty", wanted: "[registry/]repository[:tag][@digest]" },
  {
    pattern: /\$\{\{/,
    what: "it has an expression that only the service that runs it can evaluate",
    wanted: "a name, a tag and a digest that stand there",
    next: "write the reference out, or list the images that it can become in a file and audit that too",
  },
  {
    pattern: /\{\{|\}\}|\{%/,
    what: "it has a template in it",
    wanted: "the text that the template makes",
    next: "render the template first and name what comes out: helm template … | countersign audit -",
  },
  {
    pattern: /^ko:\/\//,
    what: "it names code in Go that ko builds an image of",
    wanted: "the image that was built",
    next: "name what ko makes of it: ko resolve -f … | countersign audit -",
  },
  {
    pattern: /\$/,
    what: "it has a variable in it that has no value here",
    wanted: "the value itself, or a default",
    next: "write the value, or render the file first and name what comes out",
  },
  {
    pattern: /[<>]/,
    what: "it has a placeholder in it",
    wanted: "the name that is meant",
    next: "replace the placeholder, or leave the file out",
  },
  { pattern: /\s/, what: "it has white space in it", wanted: "one reference without spaces" },
];

/** `source-invalid`, its words as short as an error's are. */
export function invalid(
  message: string,
  { found, wanted, next }: Pick<Finding, "found" | "wanted" | "next"> = {},
): Finding {
  return bounded({ code: "source-invalid", message, found, wanted, next });
}

/** The same about a place. */
export function problemAt(place: SourcePlace, ...about: Parameters<typeof invalid>): SourceProblem {
  return { place, finding: invalid(...about) };
}

import { CountersignError } from "../errors.ts";
import { parseLocation } from "../oci/location.ts";
import type { Mention, Reading, SourceProblem, SourceText } from "./mention.ts";
import { placesIn } from "./places.ts";
import { invalid, readReferenceText, standsAt } from "./slot.ts";

/** An image, and what may follow it on its line. */
const LINE = /^[ \t]*(?<image>[^ \t\r\n]+)(?<rest>.*)$/;
const COMMENT = /^[ \t]*#/;

/**
 * One image a line. Empty lines and comments (`#` at the beginning of a line, or behind white space) are passed over; anything
 * else is said. Images in layouts and archives (`oci:DIR`, `oci-archive:FILE` …) can be named too: nothing is pinned there.
 */
export function readList(file: SourceText): Reading {
  const placeOf = placesIn(file);
  const mentions: Mention[] = [];
  const problems: SourceProblem[] = [];
  let start = file.text.startsWith("\u{feff}") ? 1 : 0;
  for (const line of file.text.slice(start).split("\n")) {
    const { image, rest = "" } = COMMENT.test(line) ? {} : (LINE.exec(line.replace(/\r$/, ""))?.groups ?? {});
    if (image !== undefined) {
      const at = start + line.indexOf(image);
      const place = placeOf(at);
      const read = readLine(image, rest, at);
      if ("finding" in read) problems.push({ place, finding: read.finding });
      else mentions.push({ ...read, kind: "list", place });
    }
    start += line.length + 1;
  }
  return { mentions, problems };
}

function readLine(image: string, rest: string, at: number): ReturnType<typeof readReferenceText> {
  if (rest.trim() !== "" && !/^[ \t]+#/.test(rest)) {
    const found = `${image}${rest}`;
    return {
      finding: invalid("a line is not one image", {
        found,
        wanted: "one image a line, comments behind #",
      }),
    };
  }
  return isLocation(image) ? { image, fixed: "it is no image in a registry" } : readReferenceText(image, standsAt(at));
}

function isLocation(text: string): boolean {
  try {
    return parseLocation(text).kind !== "registry";
  } catch (thrown) {
    if (thrown instanceof CountersignError) return false;
    throw thrown;
  }
}

/** A line that is one word, as images are. */
const WORD = /^(?:[A-Za-z0-9]|\[[0-9A-Fa-f:])[^\s{}"',]*(?<!:)$/;

/** What a line says without its comment, and where the line begins. */
export interface SaidLine {
  readonly said: string;
  readonly at: number;
}

/** Whether a text that says nothing else of itself can be a list: every line that is no comment is one word. */
export function looksLikeList(text: string): boolean {
  const lines = saidLines(text);
  return lines.length > 0 && lines.every(({ said }) => WORD.test(said));
}

/** The first line by which a text is no list. */
export function unlikeList(text: string): SaidLine | undefined {
  return saidLines(text).find(({ said }) => !WORD.test(said));
}

function saidLines(text: string): readonly SaidLine[] {
  let at = 0;
  const lines = text.split("\n").map((line) => {
    const said = line.replace(/[ \t]#.*$/, "").trim();
    at += line.length + 1;
    return { said, at: at - line.length - 1 };
  });
  return lines.filter(({ said }) => said !== "" && !said.startsWith("#"));
}

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

/** Whether a text that says nothing else of itself can be a list: every line that is no comment is one word. */
export function looksLikeList(text: string): boolean {
  const lines = text.split("\n").map((line) => line.replace(/[ \t]#.*$/, "").trim());
  const said = lines.filter((line) => line !== "" && !line.startsWith("#"));
  return said.length > 0 && said.every((line) => /^(?:[A-Za-z0-9]|\[[0-9A-Fa-f:])[^\s{}"',]*(?<!:)$/.test(line));
}

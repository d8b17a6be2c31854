import type { SourcePlace } from "./mention.ts";
import type { Span } from "./slot.ts";

/** A value of a source and where it stands. Offsets are UTF-16 units of the file's text. */
export interface SourceNode {
  readonly kind: "map" | "list" | "scalar";
  /** Of the value as it is written, quotes included; behind the colon or dash where nothing is written. */
  readonly start: number;
  readonly end: number;
  /** Where it begins. */
  readonly place: SourcePlace;
  /** `!reference`, `!!str`: as it is written. */
  readonly tag: string | undefined;
  /** What is written in it reaches further: another map takes over what stands in this one, an alias repeats this scalar. */
  readonly isShared: boolean;
  /** A member of a map; undefined where there is none, and of what is no map. */
  get(name: string): SourceNode | undefined;
  /** The members of a map in order, those that are merged into it last; none of what is no map. */
  entries(): readonly SourceEntry[];
  /** None of what is no list. */
  items(): readonly SourceNode[];
  /** A scalar's text; numbers and truth values as they are written. undefined of null and of what is no scalar. */
  text(): string | undefined;
  /** Where the characters from `from` to `to` of a scalar's text stand verbatim in the file. */
  span(from: number, to: number): Span | undefined;
  placeOf(offset: number): SourcePlace;
}

export interface SourceEntry {
  readonly name: string;
  /** Where the name stands. */
  readonly at: number;
  /** Behind the colon, where there is one on its line. */
  readonly colon: number | undefined;
  /** Behind what is written as its value, which may be an alias: the value itself stands elsewhere then. */
  readonly end: number;
  readonly value: SourceNode;
}

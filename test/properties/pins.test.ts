import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import { checkPins } from "../../src/core/pins/check.ts";
import { choosePins, type Known, type PinResult } from "../../src/core/pins/choose.ts";
import { formatLock, type Lock, parseLock } from "../../src/core/pins/lock.ts";
import { lockedBy, withEntries } from "../../src/core/pins/locking.ts";
import { groupPins, pinnableIn, toPinnable } from "../../src/core/pins/pinnable.ts";
import { rewriteFiles } from "../../src/core/pins/rewrite.ts";
import type { Reading, SourceText } from "../../src/core/sources/mention.ts";
import { readSource } from "../../src/core/sources/read.ts";
import { accepted, digestFor, NOW, unsigned } from "../support/pins.ts";
import { property } from "../support/property.ts";

const STANDARD = digestFor("policy");
const DIGESTS = /sha256:[0-9a-f]{64}/g;

function readFile(file: SourceText): Reading {
  return pinnableIn(readSource(file, { isNamed: true }));
}

/** The tag of every name is accepted, but where `isBad` says otherwise. */
function decide(file: SourceText, lock: Lock, isBad: (name: string) => boolean): readonly PinResult[] {
  const pinnables = readFile(file).mentions.map(toPinnable);
  const results = groupPins(pinnables, lock).flatMap((group) => {
    const tag = digestFor(group.name);
    const judge = (digest: Digest) => [digest, isBad(group.name) ? unsigned(digest) : accepted(digest)] as const;
    const judged = new Map([tag, group.locked?.digest ?? tag, ...group.pinned].map(judge));
    const known: Known = { tag, judged };
    const choice = choosePins(group, known, { update: false, now: NOW });
    return "results" in choice ? choice.results : assert.fail("more was asked");
  });
  return pinnables.flatMap(({ mention }) => results.find((one) => one.mention === mention) ?? []);
}

function pin(file: SourceText, lock: Lock, isBad: (name: string) => boolean = () => false) {
  const { files, pins } = rewriteFiles([file], decide(file, lock, isBad), readFile);
  const entries = lockedBy(pins, lock, { standard: STANDARD, at: NOW });
  return { text: files[0]?.text ?? file.text, pins, lock: withEntries(lock, entries) };
}

/** Pins a file twice, and holds both against what pins promise. */
function holds(file: SourceText, isBad: (name: string) => boolean = () => false): void {
  const once = pin(file, new Map(), isBad);
  const again = pin({ ...file, text: once.text }, once.lock, isBad);
  assert.equal(again.text, once.text);
  assert.equal(formatLock(again.lock), formatLock(once.lock));
  assert.equal(formatLock(parseLock(new TextEncoder().encode(formatLock(once.lock)), "lock")), formatLock(once.lock));
  const unpinned = once.pins.filter(({ after }) => after.digest === undefined);
  assert.ok(unpinned.every(({ state }) => state === "fixed" || state === "refused"));
  if (unpinned.length > 0 || once.pins.some(({ state }) => state === "refused")) return;
  const pinnables = readFile({ ...file, text: once.text }).mentions.map(toPinnable);
  assert.deepEqual(checkPins(pinnables, once.lock, "lock"), []);
}

/** Without the digests, and without what was written to have a place for one. */
function stripped(text: string): string {
  return text.replaceAll(/@sha256:[0-9a-f]{64}/g, "");
}

// --- texts ------------------------------------------------------------------------------------------------------------

const name = fc.constantFrom("nginx", "acme/web", "registry.example/a/b", "127.0.0.1:5000/x", "[::1]:80/y");
const tag = fc.constantFrom("", ":1", ":1.27-alpine", ":latest", ":v_2.0");
const digest = fc.constantFrom("", "", "", `@${digestOf(new Uint8Array([1]))}`);
const reference = fc.tuple(name, tag, digest).map((parts) => parts.join(""));
const space = fc.constantFrom("", " ", "   ", "\t");
const comment = fc.constantFrom("", " # image: nginx:1", " #", " # ü ☃ 🦊");
const lineBreak = fc.constantFrom("\n", "\r\n");
const quote = fc.constantFrom("", "'", '"');

const list = fc
  .tuple(fc.array(fc.tuple(reference, comment), { minLength: 1, maxLength: 6 }), lineBreak, fc.boolean())
  .map(([lines, end, hasMark]) => `${hasMark ? "\ufeff" : ""}${lines.map((line) => line.join("")).join(end)}${end}`);

const container = fc.tuple(reference, quote, fc.constantFrom(" ", "   "), comment, fc.boolean());
const pod = fc
  .tuple(fc.array(container, { minLength: 1, maxLength: 5 }), lineBreak, fc.constantFrom("", "---\n# two\n"))
  .map(([containers, end, head]) => {
    const items = containers.flatMap(([image, mark, gap, note, isFlow], at) =>
      isFlow
        ? [`  - {name: c${at},${gap}"image":${gap}${mark || '"'}${image}${mark || '"'} }${note}`]
        : [`  - name: c${at}`, `    image:${gap}${mark}${image}${mark}${note}`],
    );
    const lines = ["apiVersion: v1", "kind: Pod", "metadata: {name: p}", "spec:", "  containers:", ...items, ""];
    return `${head}${lines.join("\n")}`.replaceAll("\n", end);
  });

const dockerfile = fc
  .tuple(
    fc.array(fc.tuple(reference, space, fc.constantFrom("FROM", "from", "FROM --platform=linux/arm64")), {
      minLength: 1,
      maxLength: 4,
    }),
    lineBreak,
  )
  .map(([stages, end]) =>
    stages.map(([image, gap, verb], at) => `${verb} ${gap}${image} AS s${at}${end}RUN echo ${image}${end}`).join(""),
  );

const KINDS = { "images.txt": list, "pod.yaml": pod, Dockerfile: dockerfile };

describe("pinning", () => {
  for (const [label, texts] of Object.entries(KINDS)) {
    property(`changes nothing but references, and twice is once: ${label}`, [texts], (text) => {
      const file = { label, text };
      const { text: pinned } = pin(file, new Map());
      assert.equal(stripped(pinned), stripped(text));
      holds(file);
    });

    property(`leaves what is refused as it is: ${label}`, [texts], (text) => {
      const { text: pinned } = pin({ label, text }, new Map(), () => true);
      assert.equal(pinned, text);
      holds({ label, text }, (image) => image.includes("nginx"));
    });
  }
});

// --- the nastiest formatting there is ---------------------------------------------------------------------------------

const GOLDEN = new URL("../golden/sources/", import.meta.url);

function goldenFiles(): readonly SourceText[] {
  const kinds = readdirSync(GOLDEN, { withFileTypes: true, recursive: true });
  return kinds.flatMap((entry) => {
    const path = `${entry.parentPath}/${entry.name}`;
    if (!entry.isFile() || /^(?:found|pinned)\./.test(entry.name)) return [];
    return [{ label: path.slice(GOLDEN.pathname.length), text: readFileSync(path, "utf8") }];
  });
}

describe("pinning files of every kind", () => {
  const files = goldenFiles();
  for (const file of files) {
    it(`twice is once, and a check finds nothing then: ${file.label}`, () => {
      holds(file);
      assert.ok(pin(file, new Map()).text.length >= file.text.replaceAll(DIGESTS, "").length);
    });
  }

  it("is tried on all of the golden sources", () => assert.ok(files.length > 10, String(files.length)));
});

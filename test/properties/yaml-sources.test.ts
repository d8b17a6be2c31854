import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { readHelmValues } from "../../src/core/sources/helm-values.ts";
import { readKubernetes } from "../../src/core/sources/kubernetes.ts";
import { readKustomization } from "../../src/core/sources/kustomize.ts";
import type { Reading, SourceText } from "../../src/core/sources/mention.ts";
import { readYamlText } from "../../src/core/sources/yaml-text.ts";
import { edited, textEdits } from "../support/edited-text.ts";
import { property } from "../support/property.ts";
import { checkAgain } from "../support/source-golden.ts";
import { applySlots, slotsOf } from "../support/source-slots.ts";

const ROOT = fileURLToPath(new URL("../golden/sources/", import.meta.url));
const READERS = { kubernetes: readKubernetes, kustomize: readKustomization, "helm-values": readHelmValues } as const;

interface Sample {
  readonly read: (file: SourceText) => Reading;
  readonly text: string;
}

const samples: readonly Sample[] = Object.entries(READERS).flatMap(([kind, read]) =>
  readdirSync(join(ROOT, kind)).flatMap((name) => {
    const folder = join(ROOT, kind, name);
    const files = readdirSync(folder).filter((file) => file !== "found.txt");
    return files.map((file) => ({
      read: (source: SourceText) => read(source),
      text: readFileSync(join(folder, file), "utf8"),
    }));
  }),
);

/** What files are made of, and what breaks them. */
const pieces = [
  ..."\n\r\t #:-[]{},&*!|>'\"%@`?~\\\u{feff}\u2028",
  ..."0aZ/.",
  "\n---\n",
  "\n...\n",
  "\r\n",
  "  ",
  "- ",
  ": ",
  "<<: *base\n",
  "*base",
  "!!str ",
  "image: ",
  "tag: ",
  "digest:",
  'digest: ""',
  "newTag: v1\n",
  "repository: registry.example/a\n",
  ">-\n",
  "{{ .Values.a }}",
  "\\x41",
  "''",
  "null",
];

const edits = textEdits(pieces);

/** One text's reading holds together: twice is the same, slots lie apart, and filled they change what they say alone. */
function checkReading({ read, text }: Sample): void {
  const file = { label: "a.yaml", text };
  const reading = read(file);
  assert.deepEqual(read(file), reading);
  let end = 0;
  for (const slot of slotsOf(reading.mentions)) {
    assert.ok(slot.start >= end && slot.end >= slot.start && slot.end <= text.length, JSON.stringify(slot));
    end = slot.end;
  }
  for (const { slot, fixed } of reading.mentions) assert.equal(slot === undefined, fixed !== undefined);
  const pinned = applySlots(text, reading.mentions);
  const again = read({ label: "a.yaml", text: pinned });
  checkAgain(reading, again);
  assert.equal(applySlots(pinned, again.mentions), pinned);
}

describe("sources of YAML", () => {
  property(
    "pinned, they say the same with digests, whatever happened to them",
    [fc.constantFrom(...samples), edits],
    (sample, changes) => checkReading({ ...sample, text: edited(sample.text, changes) }),
  );

  property(
    "junk is read without a failure",
    [fc.constantFrom(...Object.values(READERS)), fc.array(fc.constantFrom(...pieces), { maxLength: 40 })],
    (reader, parts) => checkReading({ read: (file) => reader(file), text: parts.join("") }),
  );

  property("what stands verbatim does", [fc.constantFrom(...samples), edits], ({ text }, changes) => {
    const changed = edited(text, changes);
    const pending = [...readYamlText({ label: "a.yaml", text: changed }).documents];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      pending.push(...node.items(), ...node.entries().map(({ value }) => value));
      const value = node.text() ?? "";
      for (const at of [0, value.length >> 1, value.length - 1]) {
        const span = node.span(at, at + 1);
        if (span !== undefined) assert.equal(changed.slice(span.start, span.end), value[at]);
      }
    }
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAny } from "../../src/core/yaml-tree.ts";
import { readUsual } from "../../src/core/yaml-usual.ts";
import { property } from "../support/property.ts";

const SAMPLE = `---
# who
apiVersion: countersign/v1
identities:
  alice: {key: alice.pub, trustedFrom: 2026-01-01}   # a file
  "bob":
    keys:
    - {key: 'bob''s.pub', distrustedSince: 2026-09-01T00:00:00Z}
    - key: |
        -----BEGIN PUBLIC KEY-----

        MFkw
        -----END PUBLIC KEY-----
    proof: {timestamps: 1, logs: 0}
  carol:
    keyless:
      subject: "carol\\"s\\\\address"
      issuer: https://login.example:5000/#top
      claims: {source-repository-ref: {pattern: "refs/tags/.*"}}
roles: {maintainers: [alice, bob]}
rules:
  - name: one  and two # three
    images: [registry.example:5000/acme/app, registry.example/acme/,
      registry.example/*/app, 'registry.example/**']
    require:
      all:
        - signature: {by: maintainers, threshold: 2, nameBinding: true, annotations: {}}
        - attestation:
            type: slsaprovenance1
            by: carol
            where: >-
              predicate.a == "b" &&
              predicate.c > 1
        -
          never: ~
    mode:
  -
    images: []
    2: 1
`;

/** What YAML gives a meaning to, and what looks like it. */
const PIECES = [
  ...[
    "\n",
    "\n\n",
    " ",
    "  ",
    "\n  ",
    "\n    ",
    "\t",
    "\r\n",
    ":",
    ": ",
    "-",
    "- ",
    "? ",
    "#",
    " #",
    ",",
    "[",
    "]",
    "{",
    "}",
  ],
  ...[
    "'",
    '"',
    "\\",
    "\\n",
    "\\x41",
    "|",
    ">",
    "|+",
    "|2",
    ">-",
    "&a ",
    "*a",
    "!t ",
    "!!str ",
    "%",
    "@",
    "`",
    "~",
    "<<: ",
    "---",
    "...",
    "--- ",
  ],
  ...[
    "a",
    "a: b",
    "- a",
    "key: ",
    "null",
    "true",
    "no",
    "1",
    "-1",
    "+1",
    "0o7",
    "0x1f",
    "1e3",
    ".inf",
    "1_000",
    "2026-01-01",
    "=",
    "$",
    "(",
    "/",
  ],
  ...["\u00e9", "\u00a0", "\u0085", "\u2028", "\ufeff", "\u{1f600}", "\u0000", "__proto__: "],
] as const;

test("the sample is one that the quick reader takes on", () => {
  assert.notEqual(readUsual(SAMPLE), undefined);
  agree(SAMPLE);
});

/** Whatever the quick reader takes on, the library reads the same, and each value in the same place. */
function agree(text: string): void {
  const usual = readUsual(text);
  if (usual !== undefined) assert.deepEqual(usual, readAny(text));
}

const edits = fc.array(
  fc.record({
    at: fc.nat(SAMPLE.length),
    removed: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 12 })),
    put: fc.constantFrom(...PIECES, ""),
  }),
  { minLength: 1, maxLength: 3 },
);

property(
  "a file of settings means the same to the quick reader as to the library, whatever is changed in it",
  [edits],
  (list) => {
    let text = SAMPLE;
    for (const { at, removed, put } of list) text = text.slice(0, at) + put + text.slice(at + removed);
    agree(text);
  },
);

property(
  "pieces of YAML mean the same to both",
  [fc.array(fc.constantFrom(...PIECES), { maxLength: 14 })],
  (pieces) => {
    agree(`${pieces.join("")}\n`);
  },
);

property(
  "a value means the same to both, in brackets and by indentation",
  [fc.array(fc.constantFrom(...PIECES), { maxLength: 4 })],
  (pieces) => {
    const value = pieces.join("");
    agree(`a: ${value}\nb: [x, ${value}]\n`);
    agree(`- ${value}\n- {x: ${value}}\n`);
    agree(`a:\n  b: ${value}\n  c:\n  - ${value}\n`);
    agree(`a: |\n  ${value}\n  x\nb: >-\n  ${value}\n  y\n`);
  },
);

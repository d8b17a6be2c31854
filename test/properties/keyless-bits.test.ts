import assert from "node:assert/strict";
import fc from "fast-check";
import { CountersignError } from "../../src/core/errors.ts";
import type { UntrustedLogEntry, UntrustedSignature } from "../../src/core/formats/envelope.ts";
import { type CertificateProof, PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import { parseTrustedRoot } from "../../src/core/trust/root.ts";
import { SigstoreTrust } from "../../src/core/trust/sigstore.ts";
import { property } from "../support/property.ts";
import { untrusted } from "../support/prove.ts";
import { fakeSigstore, signKeyless } from "../support/sigstore/sign.ts";
import { NOW } from "../support/sigstore/times.ts";

const sigstore = fakeSigstore();
const trust = new SigstoreTrust(parseTrustedRoot(sigstore.trustedRoot), "trusted_root.json");

const prove = (signature: UntrustedSignature): CertificateProof =>
  trust.proveCertificate(signature, PUBLIC_DEMANDS, NOW);

/** Everything that can lie beside a signature: both generations of logs, an authority, the intermediate. */
const signed = signKeyless(sigstore, {
  logs: [sigstore.log, sigstore.log2],
  timestampAuthorities: [sigstore.timestampAuthority],
  entry: { witnesses: { after: ["witness.example.com"] } },
});
const whole: UntrustedSignature = { ...untrusted(signed), certificates: signed.certificates.slice(0, 2) };
const proven = prove(whole);

type Change = (bytes: Uint8Array) => Uint8Array;

const changeEntry = (at: number, change: (entry: UntrustedLogEntry) => UntrustedLogEntry): UntrustedSignature => ({
  ...whole,
  logEntries: whole.logEntries.map((entry, index) => (index === at ? change(entry) : entry)),
});

const changeProof = (
  at: number,
  change: (proof: NonNullable<UntrustedLogEntry["proof"]>) => UntrustedLogEntry["proof"],
) => changeEntry(at, (entry) => ({ ...entry, proof: entry.proof && change(entry.proof) }));

/** An integer as eight bytes, so that its bits can be flipped too. */
function flipNumber(value: bigint, change: Change): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return Buffer.from(change(bytes)).readBigUInt64BE() & ((1n << 63n) - 1n);
}

const flipText = (text: string, change: Change): string => Buffer.from(change(Buffer.from(text))).toString("utf8");

const ENTRIES = whole.logEntries.flatMap((_, at): readonly ((change: Change) => UntrustedSignature)[] => [
  (change) => changeEntry(at, (entry) => ({ ...entry, body: change(entry.body) })),
  (change) => changeEntry(at, (entry) => ({ ...entry, promise: entry.promise && change(entry.promise) })),
  (change) => changeEntry(at, (entry) => ({ ...entry, logId: change(entry.logId) })),
  (change) => changeEntry(at, (entry) => ({ ...entry, logIndex: flipNumber(entry.logIndex, change) })),
  (change) =>
    changeEntry(at, (entry) => ({ ...entry, integratedTime: flipNumber(entry.integratedTime ?? 0n, change) })),
  (change) => changeEntry(at, (entry) => ({ ...entry, kind: flipText(entry.kind, change) })),
  (change) => changeProof(at, (proof) => ({ ...proof, rootHash: change(proof.rootHash) })),
  (change) => changeProof(at, (proof) => ({ ...proof, hashes: proof.hashes.map(change) })),
  (change) => changeProof(at, (proof) => ({ ...proof, logIndex: flipNumber(proof.logIndex, change) })),
  (change) => changeProof(at, (proof) => ({ ...proof, treeSize: flipNumber(proof.treeSize, change) })),
  (change) => changeProof(at, (proof) => ({ ...proof, checkpoint: flipText(proof.checkpoint, change) })),
]);

/** Every part of a signature, with something done to its bytes. */
const PARTS: readonly ((change: Change) => UntrustedSignature)[] = [
  (change) => ({ ...whole, signature: change(whole.signature) }),
  (change) => ({ ...whole, timestamped: change(whole.timestamped) }),
  (change) => ({ ...whole, payload: whole.payload && change(whole.payload) }),
  (change) => ({ ...whole, signed: { kind: "bytes", bytes: change(signed.signedBytes) } }),
  (change) => ({ ...whole, certificates: whole.certificates.map((each, at) => (at === 0 ? change(each) : each)) }),
  (change) => ({ ...whole, certificates: whole.certificates.map((each, at) => (at === 1 ? change(each) : each)) }),
  (change) => ({ ...whole, timestamps: whole.timestamps.map(change) }),
  ...ENTRIES,
];

const flip =
  (bit: number): Change =>
  (bytes) => {
    const copy = new Uint8Array(bytes);
    const at = bit % (8 * copy.byteLength);
    copy[at >> 3] = (copy[at >> 3] ?? 0) ^ (1 << (at & 7));
    return copy;
  };

/** What is left out proves less; what is there has to be what was there. */
function checkSame(proof: CertificateProof): void {
  assert.deepEqual(proof.identity, proven.identity);
  assert.deepEqual(proof.publicKey.spki, proven.publicKey.spki);
  assert.deepEqual(proof.certificateLogs, proven.certificateLogs);
  const isPart = (some: readonly unknown[], all: readonly unknown[]) => {
    for (const each of some) assert.ok(all.some((other) => JSON.stringify(other) === JSON.stringify(each)));
  };
  isPart(proof.logs, proven.logs);
  isPart(proof.timestamps, proven.timestamps);
  assert.equal(proof.signedAt, proven.signedAt);
}

property(
  "one bit flipped anywhere in a signature's material is refused, or proves nothing else than before",
  [fc.integer({ min: 0, max: PARTS.length - 1 }), fc.nat()],
  (part, bit) => {
    const change = PARTS[part];
    assert.ok(change);
    try {
      checkSame(prove(change(flip(bit))));
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code === "internal") throw error;
    }
  },
);

property(
  "what is cut off, doubled or replaced by junk anywhere is refused, or proves nothing else than before",
  [fc.integer({ min: 0, max: PARTS.length - 1 }), fc.nat(), fc.uint8Array({ maxLength: 64 })],
  (part, cut, junk) => {
    const change = PARTS[part];
    assert.ok(change);
    const spliced: Change = (bytes) => Buffer.concat([bytes.subarray(0, cut % (bytes.byteLength + 1)), junk]);
    try {
      checkSame(prove(change((bytes) => (bytes.byteLength === 8 ? bytes : spliced(bytes)))));
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code === "internal") throw error;
    }
  },
);

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { loggedAlgorithm } from "../../../../src/core/formats/log-record.ts";
import type { Witnessed } from "../../../../src/core/ports.ts";
import type { Ask, LogClient } from "../../../../src/io/sigstore/log.ts";
import { rekor } from "../../../../src/io/sigstore/rekor.ts";
import { timestampAuthority } from "../../../../src/io/sigstore/tsa.ts";
import { recorder, sigstoreWitness, type WitnessOptions } from "../../../../src/io/sigstore/witness.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { testSigner } from "../../../support/signatures.ts";
import type { Fault } from "../../../support/sigstore/faults.ts";
import { useSigstore } from "../../../support/sigstore-clients.ts";

const LOGS = ["rekor2", "log-b", "log-c"] as const;
const AUTHORITIES = ["tsa", "tsa-b", "tsa-c"] as const;

describe("the witness of a signing configuration", () => {
  const scene = useSigstore({
    more: {
      "log-b": { kind: "rekor2", operator: "b.example.com" },
      "log-c": { kind: "rekor2", operator: "c.example.com" },
      "tsa-b": { kind: "tsa", operator: "b.example.com" },
      "tsa-c": { kind: "tsa", operator: "c.example.com" },
    },
  });
  const signer = testSigner();

  async function signed(): Promise<Witnessed> {
    const signedBytes = randomBytes(50);
    return { signer, signedBytes, signature: await signer.sign(signedBytes) };
  }

  const logs = (ask: Ask = scene.ask): readonly LogClient[] => LOGS.map((log) => rekor(ask, scene.base(log), 2));
  const authorities = () => AUTHORITIES.map((tsa) => timestampAuthority(scene.ask, scene.base(tsa)));
  const witness = (counts: { logs: number; timestamps: number }, more: Partial<WitnessOptions> = {}) =>
    sigstoreWitness({
      logs: { clients: logs(), count: counts.logs },
      timestampAuthorities: { clients: authorities(), count: counts.timestamps },
      ...more,
    });
  const asked = (...services: readonly string[]): readonly number[] =>
    services.map((service) => scene.sigstore.server(service).requests.length);

  it("is as many timestamps and entries as are needed, of the first services", async () => {
    for (const [count, wanted] of [
      [0, [0, 0, 0]],
      [1, [1, 0, 0]],
      [2, [1, 1, 0]],
      [3, [1, 1, 1]],
    ] as const) {
      const before = [...asked(...LOGS), ...asked(...AUTHORITIES)];
      const testimony = await witness({ logs: count, timestamps: count }).witness(await signed());
      assert.equal(testimony.logEntries.length, count);
      assert.equal(testimony.timestamps.length, count);
      assert.equal(testimony.postponed, undefined);
      const after = [...asked(...LOGS), ...asked(...AUTHORITIES)];
      assert.deepEqual(
        after.map((each, at) => each - (before[at] ?? 0)),
        [...wanted, ...wanted],
      );
    }
  });

  it("takes the time before it shows the signature to a log, and shows none that fails the check in between", async () => {
    const order: string[] = [];
    const ask: Ask = async (request) => {
      order.push(request.what);
      return await scene.ask(request);
    };
    const options = {
      logs: { clients: logs(ask), count: 1 },
      timestampAuthorities: { clients: [timestampAuthority(ask, scene.base("tsa"))], count: 1 },
    };
    await sigstoreWitness(options).witness(await signed());
    assert.deepEqual(order, ["the timestamp", "the log entry"]);
    const check = (_signed: Witnessed, timestamps: readonly Uint8Array[]) => {
      assert.equal(timestamps.length, 1);
      throw new RangeError("no good");
    };
    await assert.rejects(async () => sigstoreWitness({ ...options, check }).witness(await signed()), RangeError);
    assert.deepEqual(order.slice(2), ["the timestamp"]);
  });

  const outages: readonly Fault[] = [{ status: 500 }, { status: 429 }, { status: 404 }, "reset", "garbage"];
  for (const fault of outages) {
    it(`has the next service stand in for one that fails: ${JSON.stringify(fault)}`, async () => {
      scene.sigstore.fail("rekor2", fault);
      scene.sigstore.fail("tsa", fault);
      const testimony = await witness({ logs: 2, timestamps: 2 }).witness(await signed());
      assert.deepEqual([testimony.logEntries.length, testimony.timestamps.length], [2, 2]);
    });
  }

  it("has nobody stand in for a service that lies", async () => {
    scene.sigstore.fail("rekor2", "other-entry");
    await rejectedBy(async () => witness({ logs: 1, timestamps: 0 }).witness(await signed()), "log-entry-invalid");
    scene.sigstore.fail("tsa", "other-nonce");
    await rejectedBy(async () => witness({ logs: 0, timestamps: 1 }).witness(await signed()), "timestamp-invalid");
  });

  it("says what became of each where too few are left", async () => {
    for (const log of LOGS) scene.sigstore.fail(log, { status: 503 });
    const error = await rejectedBy(
      async () => witness({ logs: 1, timestamps: 0 }).witness(await signed()),
      "server-error",
    );
    assert.equal(error.message, "no log recorded the signature");
    for (const log of LOGS)
      assert.match(error.found ?? "", new RegExp(`${scene.base(log).host} failed on the log entry`));
    assert.match(error.next, /try again when the log answers, or sign with --log-later/);
  });

  it("is not there without a time that is needed, with or without postponing", async () => {
    for (const tsa of AUTHORITIES) scene.sigstore.fail(tsa, { status: 503 });
    for (const logLater of [false, true]) {
      const before = asked(...LOGS);
      const error = await rejectedBy(
        async () => witness({ logs: 1, timestamps: 1 }, { logLater }).witness(await signed()),
        "server-error",
      );
      assert.equal(error.message, "no timestamp authority vouched for the time of signing");
      assert.deepEqual(asked(...LOGS), before, "no log saw the signature");
    }
  });

  const postponing: readonly (readonly [Fault, string])[] = [
    [{ status: 503 }, "server-error"],
    [{ status: 429 }, "throttled"],
    ["reset", "unreachable"],
    ["frozen", "trust-stale"],
  ];
  for (const [fault, code] of postponing) {
    it(`postpones the entry where that is allowed and the log is out of order: ${JSON.stringify(fault)}`, async () => {
      for (const log of LOGS) scene.sigstore.fail(log, fault);
      const counts = { logs: 2, timestamps: 1 };
      await assert.rejects(async () => witness(counts).witness(await signed()));
      const { postponed, timestamps, logEntries } = await witness(counts, { logLater: true }).witness(await signed());
      assert.equal(postponed?.code, code);
      assert.deepEqual([timestamps.length, logEntries.length], [1, 0]);
    });
  }

  it("keeps the entries that it has where one of several is postponed", async () => {
    scene.sigstore.fail("log-b", { status: 503 });
    scene.sigstore.fail("log-c", { status: 503 });
    const testimony = await witness({ logs: 2, timestamps: 1 }, { logLater: true }).witness(await signed());
    assert.equal(testimony.logEntries.length, 1);
    assert.equal(testimony.postponed?.code, "server-error");
  });

  for (const [fault, code] of [
    ["other-entry", "log-entry-invalid"],
    [{ status: 400 }, "protocol-error"],
    ["conflict", "protocol-error"],
    [{ status: 404 }, "not-found"],
  ] as const) {
    it(`postpones nothing where the log is not out of order but wrong: ${JSON.stringify(fault)}`, async () => {
      for (const log of LOGS) scene.sigstore.fail(log, fault);
      const later = witness({ logs: 1, timestamps: 0 }, { logLater: true });
      await rejectedBy(async () => later.witness(await signed()), code);
    });
  }

  it("ends with an interruption, which postpones nothing and is no failure of a service", async () => {
    const controller = new AbortController();
    scene.sigstore.fail("rekor2", "hang");
    const ask = scene.asking({ signal: controller.signal });
    const options = { logs: { clients: logs(ask), count: 1 }, timestampAuthorities: { clients: [], count: 0 } };
    const waiting = sigstoreWitness({ ...options, logLater: true }).witness(await signed());
    setTimeout(() => controller.abort(), 100);
    await rejectedBy(() => waiting, "interrupted");
  });

  it("writes to the logs alone when it finishes a signature, and says the same where they fail", async () => {
    const { signedBytes, signature } = await signed();
    const shown = { signedBytes, signature, publicKey: signer.publicKey };
    const record = recorder({ clients: logs(), count: 2 });
    const before = asked(...AUTHORITIES);
    assert.equal((await record(shown)).length, 2);
    assert.deepEqual(asked(...AUTHORITIES), before);
    for (const log of LOGS) scene.sigstore.fail(log, { status: 503 });
    assert.match((await rejectedBy(() => record(shown), "server-error")).message, /no log recorded/);
  });

  it("is asked for by keys that logs take", () => {
    assert.deepEqual(loggedAlgorithm(signer.publicKey), { hash: "sha256", keyDetails: "PKIX_ECDSA_P256_SHA_256" });
  });
});

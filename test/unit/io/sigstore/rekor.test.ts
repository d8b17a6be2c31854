import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { encodeHex } from "../../../../src/core/bytes.ts";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import type { LoggedSignature } from "../../../../src/core/formats/log-record.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ServiceAnswer } from "../../../../src/io/http/service.ts";
import type { Ask, LogClient } from "../../../../src/io/sigstore/log.ts";
import { rekor } from "../../../../src/io/sigstore/rekor.ts";
import { enveloped } from "../../../../src/ops/prepare-signature.ts";
import { rejectedBy } from "../../../support/codes.ts";
import type { Fault } from "../../../support/sigstore/faults.ts";
import { fakeKey, type KeyKind } from "../../../support/sigstore/keys.ts";
import { useSigstore } from "../../../support/sigstore-clients.ts";

const ENDLESS = " ".repeat(LIMITS.logAnswerBytes + 1);

/** A fresh signature by a bare key. */
function signedBy(kind: KeyKind = "p256"): LoggedSignature {
  const key = fakeKey(kind);
  const signedBytes = randomBytes(100);
  return { signedBytes, signature: key.sign(signedBytes), publicKey: publicKeyFrom(key.publicKey, `${kind}.pub`) };
}

for (const version of [1, 2] as const) {
  describe(`an entry of a Rekor ${version} log`, () => {
    const scene = useSigstore();
    const service = `rekor${version}`;
    const client = (ask: Ask = scene.ask): LogClient => rekor(ask, scene.base(service), version);
    const log = () => (version === 1 ? scene.sigstore.log : scene.sigstore.log2);
    const requests = () => scene.sigstore.server(service).requests;

    /** The same with a certificate. */
    function certified(): LoggedSignature {
      const key = fakeKey();
      const signedBytes = randomBytes(100);
      const { leaf } = scene.sigstore.authority.issue({ publicKey: key.publicKey });
      const publicKey = publicKeyFrom(key.publicKey, "certified");
      return { signedBytes, signature: key.sign(signedBytes), publicKey, certificate: leaf };
    }

    it("is about the signature that was sent, by a key or with a certificate", async () => {
      for (const signed of [signedBy(), certified()]) {
        const entry = await client().record(signed);
        assert.equal(encodeHex(entry.logId), log().logId.toString("hex"));
        assert.equal(`${entry.kind} ${entry.version}`, `hashedrekord 0.0.${version}`);
        assert.equal(entry.promise === undefined, version === 2);
        assert.equal(entry.integratedTime === undefined, version === 2);
        assert.match(entry.proof?.checkpoint ?? "", /^127\.0\.0\.1/);
      }
    });

    for (const kind of ["p256", "p384", "p521", "rsa2048"] as const) {
      it(`names a key of kind ${kind} and its hash as Sigstore's registry has them`, async () => {
        await client().record(signedBy(kind));
      });
    }

    it("is not asked for by an Ed25519 key: the log sees digests only", async () => {
      const before = requests().length;
      const error = await rejectedBy(() => client().record(signedBy("ed25519")), "unsupported");
      assert.match(error.found ?? "", /logs see digests only/);
      assert.equal(requests().length, before, "nothing was sent");
    });

    it("is asked for again where the log is out of order for a moment", async () => {
      for (const fault of [{ status: 503 }, { status: 429, headers: { "retry-after": "1" } }, "reset"] as const) {
        scene.sigstore.fail(service, fault, 2);
        await client().record(signedBy());
      }
    });

    it("is never waited for without end", async () => {
      scene.sigstore.fail(service, "hang");
      await rejectedBy(() => client(scene.asking({ idleMs: 150, tries: 1 })).record(signedBy()), "timeout");
    });

    it("is waited for where the log takes its time", async () => {
      scene.sigstore.fail(service, { delay: 400 }, 1);
      await client(scene.asking({ tries: 1 })).record(signedBy());
    });

    const refusals: readonly (readonly [string, Fault, Parameters<typeof rejectedBy>[1], RegExp])[] = [
      ["of something else", "other-entry", "log-entry-invalid", /another body/],
      ["that is no JSON", "garbage", "protocol-error", /./],
      ["that is endless", { status: 201, body: ENDLESS }, "limit-reached", /./],
      ["that the log refuses", { status: 400, body: { message: "bad signature" } }, "protocol-error", /400 .*bad sig/],
      ["where the log was frozen", { status: 405 }, "trust-stale", /405/],
      ["where there is no such service", { status: 404 }, "not-found", /404/],
      ["where the log stays out of order", { status: 500 }, "server-error", /500 .*6 tries/],
      ["where it stays throttled", { status: 429 }, "throttled", /429 .*6 tries/],
      ["where it sends us elsewhere", { status: 307, headers: { location: "/" } }, "protocol-error", /307/],
    ];
    for (const [title, fault, code, found] of refusals) {
      it(`is refused ${title}`, async () => {
        // Both generations answer 201 and no other success.
        scene.sigstore.fail(service, fault === "garbage" ? { status: 201, body: "{" } : fault);
        const error = await rejectedBy(() => client().record(signedBy()), code);
        assert.match(error.found ?? error.message, found);
      });
    }

    it("is refused where the log answers with the entry of another signature, signer or content", async () => {
      const signed = certified();
      const other = certified();
      const { leaf } = scene.sigstore.authority.issue({
        publicKey: signed.publicKey.keyObject,
        subject: { email: "b@b.example" },
      });
      const strangers: readonly LoggedSignature[] = [
        other,
        { ...signed, certificate: leaf },
        { ...signed, certificate: undefined },
        { ...other, certificate: undefined },
      ];
      for (const stranger of strangers) {
        const answers: ServiceAnswer[] = [];
        const listening: Ask = async (request) => {
          const answer = await scene.ask(request);
          answers.push(answer);
          return answer;
        };
        await client(listening).record(stranger);
        const [answer] = answers;
        assert.ok(answer);
        await rejectedBy(() => client(async () => answer).record(signed), "log-entry-invalid");
      }
    });
  });
}

describe("the same signature again", () => {
  const scene = useSigstore();

  it("is the entry that a Rekor 1 log has already, also after an answer that was lost", async () => {
    const client = rekor(scene.ask, scene.base("rekor1"), 1);
    const signed = signedBy();
    const first = await client.record(signed);
    assert.deepEqual(await client.record(signed), first);
    scene.sigstore.fail("rekor1", "lost", 1);
    const { requests } = scene.sigstore.server("rekor1");
    const before = requests.length;
    await client.record(signedBy());
    assert.deepEqual(
      requests.slice(before).map(({ method }) => method),
      ["POST", "POST", "GET"],
    );
  });

  for (const [title, location] of [
    ["no place", undefined],
    ["an empty place", ""],
    ["a place at another host", `https://evil.example.com/api/v1/log/entries/${"0".repeat(80)}`],
    ["a place that is no entry", "/api/v1/log"],
    ["a place that is no address", "http://[/"],
  ] as const) {
    it(`is refused where a Rekor 1 log names ${title}`, async () => {
      const headers = location === undefined ? {} : { location };
      scene.sigstore.fail("rekor1", { status: 409, headers });
      await rejectedBy(() => rekor(scene.ask, scene.base("rekor1"), 1).record(signedBy()), "protocol-error");
    });
  }

  it("has no proof at a Rekor 2 log, which is said with the place that the log names", async () => {
    const client = rekor(scene.ask, scene.base("rekor2"), 2);
    const signed = signedBy();
    const { logIndex } = await client.record(signed);
    const error = await rejectedBy(() => client.record(signed), "protocol-error");
    assert.match(error.message, /gives no proof/);
    assert.match(error.found ?? "", new RegExp(`at index ${logIndex},`));
    scene.sigstore.fail("rekor2", { status: 409, headers: { "x-log-index": "evil" } });
    assert.doesNotMatch((await rejectedBy(() => client.record(signed), "protocol-error")).found ?? "", /evil/);
  });
});

describe("an envelope in a log", () => {
  const scene = useSigstore();

  /** A signature over the pre-authentication encoding of a statement. */
  function envelopeBy(kind: KeyKind): LoggedSignature {
    const key = fakeKey(kind);
    const { signedBytes, envelope } = enveloped(randomBytes(100));
    const publicKey = publicKeyFrom(key.publicKey, `${kind}.pub`);
    return { signedBytes, envelope, signature: key.sign(signedBytes), publicKey };
  }

  it("is recorded as one by Rekor 1, which is shown all of it and keeps hashes", async () => {
    const signed = envelopeBy("p256");
    const entry = await rekor(scene.ask, scene.base("rekor1"), 1).record(signed);
    assert.equal(`${entry.kind} ${entry.version}`, "dsse 0.0.1");
    const body = JSON.parse(Buffer.from(entry.body).toString());
    assert.deepEqual(Object.keys(body.spec).toSorted(), ["envelopeHash", "payloadHash", "signatures"]);
  });

  it("is the entry that Rekor 1 has already where it is sent again", async () => {
    const client = rekor(scene.ask, scene.base("rekor1"), 1);
    const signed = envelopeBy("rsa2048");
    assert.deepEqual(await client.record(signed), await client.record(signed));
  });

  it("is recorded by Rekor 2 as what was signed, of which it sees the digest alone", async () => {
    const signed = envelopeBy("p384");
    const entry = await rekor(scene.ask, scene.base("rekor2"), 2).record(signed);
    assert.equal(`${entry.kind} ${entry.version}`, "hashedrekord 0.0.2");
    const sent = scene.sigstore.server("rekor2").requests.at(-1)?.body.toString() ?? "";
    assert.ok(!sent.includes(Buffer.from(signed.envelope?.payload ?? []).toString("base64")));
  });

  for (const kind of ["p384", "p521"] as const) {
    it(`is not sent to Rekor 1 with a key of kind ${kind}: it knows SHA-256 alone for envelopes`, async () => {
      const before = scene.sigstore.server("rekor1").requests.length;
      const error = await rejectedBy(
        () => rekor(scene.ask, scene.base("rekor1"), 1).record(envelopeBy(kind)),
        "unsupported",
      );
      assert.match(error.found ?? "", /SHA(?:384|512)/);
      assert.equal(scene.sigstore.server("rekor1").requests.length, before);
    });
  }

  it("is refused where the log answers with another envelope's entry, signed with the same key", async () => {
    const signed = envelopeBy("p256");
    const other = { ...envelopeBy("p256"), publicKey: signed.publicKey };
    const answers: ServiceAnswer[] = [];
    const listening: Ask = async (request) => {
      const answer = await scene.ask(request);
      answers.push(answer);
      return answer;
    };
    await rekor(listening, scene.base("rekor1"), 1).record(signed);
    const [answer] = answers;
    assert.ok(answer);
    await rejectedBy(() => rekor(async () => answer, scene.base("rekor1"), 1).record(other), "log-entry-invalid");
  });
});

describe("broken answers of a Rekor 1 log", () => {
  const scene = useSigstore();

  async function answered(change: (entry: Record<string, unknown>) => unknown): Promise<void> {
    const seen: Buffer[] = [];
    const ask: Ask = async (request) => {
      const answer = await scene.ask(request);
      const json = JSON.parse(Buffer.from(answer.bytes).toString()) as Record<string, Record<string, unknown>>;
      const [id = "", entry = {}] = Object.entries(json)[0] ?? [];
      const changed = change(entry);
      const bytes = Buffer.from(JSON.stringify(changed === undefined ? { [id]: entry } : changed));
      seen.push(bytes);
      return { ...answer, bytes };
    };
    await rejectedBy(() => rekor(ask, scene.base("rekor1"), 1).record(signedBy()), "protocol-error");
    assert.equal(seen.length, 1);
  }

  type Entry = Record<string, unknown>;
  const part = (entry: Entry, name: string): Entry => (entry[name] ?? {}) as Entry;
  const proofOf = (entry: Entry): Entry => part(part(entry, "verification"), "inclusionProof");
  const changing =
    (of: (entry: Entry) => Entry, name: string, value: unknown) =>
    (entry: Entry): void => {
      of(entry)[name] = value;
    };
  const itself = (entry: Entry): Entry => entry;
  const changes: readonly (readonly [string, (entry: Entry) => unknown])[] = [
    ["no entry", () => ({})],
    ["two entries", (entry) => ({ a: entry, b: entry })],
    ["a list", () => []],
    ["an entry that is none", () => ({ a: 1 })],
    ["no body", changing(itself, "body", undefined)],
    ["a body that is not base64", changing(itself, "body", "%%%%")],
    ["a body that is not JSON", changing(itself, "body", "eA==")],
    ["an index in quotes", changing(itself, "logIndex", "7")],
    ["a negative time", changing(itself, "integratedTime", -1)],
    ["another kind of log id", changing(itself, "logID", "log")],
    ["no proofs", changing(itself, "verification", undefined)],
    ["no promise", changing((entry) => part(entry, "verification"), "signedEntryTimestamp", "")],
    ["no inclusion proof", changing((entry) => part(entry, "verification"), "inclusionProof", undefined)],
    ["hashes that are no list", changing(proofOf, "hashes", {})],
    ["more hashes than a tree has levels", changing(proofOf, "hashes", Array(99).fill("0".repeat(64)))],
    ["hashes that are none", changing(proofOf, "hashes", ["0"])],
    ["no checkpoint", changing(proofOf, "checkpoint", undefined)],
    ["a root that is none", changing(proofOf, "rootHash", null)],
    ["half a tree", changing(proofOf, "treeSize", 1.5)],
  ];
  for (const [title, change] of changes) {
    it(`are refused: ${title}`, async () => await answered(change));
  }
});

describe("a log of which only the address is known", () => {
  const scene = useSigstore();
  const targets = (service: string) => scene.sigstore.server(service).requests.map(({ target }) => target);

  it("is asked as Rekor 1, as cosign does, and where there is none as Rekor 2; and from then on as that", async () => {
    for (const [service, kind] of [
      ["rekor1", "0.0.1"],
      ["rekor2", "0.0.2"],
    ] as const) {
      const client = rekor(scene.ask, scene.base(service), undefined);
      assert.equal((await client.record(signedBy())).version, kind);
      assert.equal((await client.record(signedBy())).version, kind);
    }
    assert.deepEqual(targets("rekor1"), ["/api/v1/log/entries", "/api/v1/log/entries"]);
    assert.deepEqual(targets("rekor2"), ["/api/v1/log/entries", "/api/v2/log/entries", "/api/v2/log/entries"]);
  });

  it("is not asked again in another way where it is out of order", async () => {
    scene.sigstore.fail("rekor2", { status: 500 });
    const before = targets("rekor2").length;
    await rejectedBy(() => rekor(scene.ask, scene.base("rekor2"), undefined).record(signedBy()), "server-error");
    assert.ok(
      targets("rekor2")
        .slice(before)
        .every((target) => target.startsWith("/api/v1/")),
    );
  });

  it("is refused where it is neither", async () => {
    const client = rekor(scene.ask, scene.base("tsa"), undefined);
    await rejectedBy(() => client.record(signedBy()), "not-found");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Peer, PeerName } from "../../../../src/core/compat/peer.ts";
import { PEERS } from "../../../../src/core/compat/peers.ts";
import { predict } from "../../../../src/core/compat/predict.ts";
import type { PredictedVerdict } from "../../../../src/core/compat/prediction.ts";
import type { Shelf, StoredEvidence } from "../../../../src/core/compat/stored.ts";
import type { Finding } from "../../../../src/core/errors.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import {
  bundle,
  CERTIFICATE,
  evidence,
  foresee,
  GIVEN,
  legacy,
  NO_LOG,
  notary,
  PROMISE,
  REKOR1,
  REKOR2,
  row,
  subject,
} from "../../../support/stored.ts";

/** A row of the peers' table: `cosign2 2.0`. */
type RowName = `${PeerName} ${string}`;

const SLSA = "https://slsa.dev/provenance/v1";
const KEYLESS_BUNDLE = bundle({ maker: CERTIFICATE, entries: [REKOR1] });
const REKOR2_BUNDLE = bundle({ maker: CERTIFICATE, entries: [REKOR2], timestamps: 1 });
const KEYLESS_LEGACY = legacy({ maker: CERTIFICATE, entries: [PROMISE] });

const ROWS: readonly RowName[] = PEERS.map(({ name, versions }): RowName => `${name} ${versions}`);

function verdictsOf(stored: StoredEvidence, given = GIVEN): Readonly<Record<RowName, PredictedVerdict>> {
  const predictions = predict(stored, given);
  return Object.fromEntries(predictions.map(({ peer, versions, verdict }) => [`${peer} ${versions}`, verdict]));
}

/** All that is not named refuses. */
function expected(
  others: Readonly<Partial<Record<PredictedVerdict, readonly string[]>>>,
): Readonly<Record<RowName, PredictedVerdict>> {
  const named = Object.entries(others) as readonly (readonly [PredictedVerdict, readonly string[]])[];
  return Object.fromEntries(
    ROWS.map((name) => {
      const [verdict] = named.find(([, starts]) => starts.some((start) => name.startsWith(start))) ?? ["refuses"];
      return [name, verdict];
    }),
  );
}

const READS_TAG = ["cosign2", "cosign3", "podman", "kyverno 1", "kyverno-ivp", "policy-controller 0"];
const READS_BUNDLES = ["cosign3", "cosign2 2.6.3", "kyverno-ivp 1.17"];

describe("what each verifier makes of each form", () => {
  const cases: readonly {
    readonly title: string;
    readonly stored: StoredEvidence;
    readonly given?: typeof GIVEN;
    readonly verdicts: Readonly<Partial<Record<PredictedVerdict, readonly string[]>>>;
  }[] = [
    { title: "nothing at all", stored: evidence([]), verdicts: {} },
    { title: "a key's bundle without a log", stored: evidence([bundle()]), verdicts: {} },
    {
      title: "a key's bundle without a log, where verifiers are told to do without",
      stored: evidence([bundle()]),
      given: NO_LOG,
      verdicts: { accepts: READS_BUNDLES },
    },
    {
      title: "a key's bundle with an entry of Rekor 1",
      stored: evidence([bundle({ entries: [REKOR1] })]),
      verdicts: { accepts: [...READS_BUNDLES, "kyverno-bundle 1.19"] },
    },
    {
      title: "a key's bundle with an entry of Rekor 2 and no time",
      stored: evidence([bundle({ entries: [REKOR2] })]),
      verdicts: { accepts: READS_BUNDLES },
    },
    {
      title: "a key's legacy signature without a log",
      stored: evidence([legacy()]),
      verdicts: { accepts: ["podman", "policy-controller 0"] },
    },
    {
      title: "a key's legacy signature without a log, where verifiers are told to do without",
      stored: evidence([legacy()]),
      given: NO_LOG,
      verdicts: { accepts: READS_TAG },
    },
    {
      title: "a key's legacy signature with the log's promise",
      stored: evidence([legacy({ entries: [PROMISE] })]),
      verdicts: { accepts: READS_TAG },
    },
    {
      title: "an identity's bundle with an entry of Rekor 1",
      stored: evidence([KEYLESS_BUNDLE]),
      verdicts: { accepts: [...READS_BUNDLES, "kyverno-bundle"], depends: ["policy-controller-bundle"] },
    },
    {
      title: "an identity's bundle with an entry of Rekor 2 and a timestamp",
      stored: evidence([REKOR2_BUNDLE]),
      verdicts: {
        depends: ["cosign2 2.6.3", "policy-controller-bundle"],
        accepts: ["cosign3", "kyverno-ivp 1.17", "kyverno-bundle"],
      },
    },
    {
      title: "an identity's bundle with an entry of Rekor 2 and nothing that tells the time",
      stored: evidence([bundle({ maker: CERTIFICATE, entries: [REKOR2] })]),
      verdicts: {},
    },
    {
      title: "an identity's bundle with a timestamp and no log",
      stored: evidence([bundle({ maker: CERTIFICATE, timestamps: 1 })]),
      verdicts: {},
    },
    {
      title: "an identity's bundle whose certificate no log vouched for",
      stored: evidence([bundle({ maker: { ...CERTIFICATE, hasScts: false }, entries: [REKOR1] })]),
      verdicts: { accepts: ["kyverno-bundle"] },
    },
    { title: "an identity's legacy signature", stored: evidence([KEYLESS_LEGACY]), verdicts: { accepts: READS_TAG } },
    {
      title: "an identity's legacy signature without a promise",
      stored: evidence([legacy({ maker: CERTIFICATE })]),
      given: NO_LOG,
      verdicts: {},
    },
    {
      title: "an attestation in a bundle",
      stored: evidence([bundle({ predicateType: SLSA, entries: [REKOR1] })]),
      verdicts: { accepts: [...READS_BUNDLES, "kyverno-bundle 1.19"] },
    },
    {
      title: "a legacy attestation",
      stored: evidence([legacy({ form: "cosign-attestation", predicateType: SLSA, entries: [PROMISE] })]),
      verdicts: {},
    },
    {
      title: "a Notary signature",
      stored: evidence([notary()]),
      verdicts: { depends: ["notation"] },
    },
    {
      title: "both forms by a key without a log",
      stored: evidence([bundle(), legacy()]),
      verdicts: { accepts: ["podman", "policy-controller 0"] },
    },
  ];
  for (const { title, stored, given, verdicts } of cases) {
    it(title, () => {
      assert.deepEqual(verdictsOf(stored, given), expected(verdicts));
    });
  }
});

describe("what hides what", () => {
  const others = bundle({ wanted: { made: false, why: "the signature is by another key" } });
  const own = legacy({ wanted: { made: true, by: "release.pub" }, entries: [PROMISE] });
  const looksFirst = ["cosign3 3", "cosign2 2.6.3", "kyverno-ivp 1.17"] as const;

  for (const name of looksFirst) {
    const [peer, versions] = name.split(" ") as [PeerName, string];
    it(`${name}: a bundle by somebody else hides a legacy signature`, () => {
      const alone = foresee(row(peer, versions), evidence([own]));
      const { verdict, because, add } = foresee(row(peer, versions), evidence([own, others]));
      assert.equal(alone.verdict, "accepts");
      assert.equal(verdict, "refuses");
      assert.match(because, /another key; where there is a bundle it does not look at legacy signatures/);
      assert.match(add.join(), /^countersign sign --format bundle /);
    });

    it(`${name}: so does a bundle about another image, and an attestation`, () => {
      for (const hiding of [bundle({ isAbout: false }), bundle({ predicateType: SLSA })]) {
        assert.equal(foresee(row(peer, versions), evidence([own, hiding])).verdict, "refuses");
      }
    });

    it(`${name}: a bundle of an old version hides nothing`, () => {
      assert.equal(foresee(row(peer, versions), evidence([own, bundle({ version: "0.1" })])).verdict, "accepts");
    });
  }

  it("does not hide it from who reads the tag alone", () => {
    for (const peer of [row("cosign2", "2.0"), row("podman"), row("kyverno"), row("kyverno-ivp", "1.14")]) {
      assert.equal(foresee(peer, evidence([own, others])).verdict, "accepts", peer.title);
    }
  });

  it("is undone by a bundle of the wanted signer", () => {
    const bundled = bundle({ wanted: { made: true, by: "release.pub" }, entries: [REKOR1] });
    assert.equal(foresee(row("cosign3"), evidence([own, others, bundled])).verdict, "accepts");
  });

  it("lets no bundle be seen that only the fallback tag of a registry with the API lists", () => {
    const misplaced = bundle({ listing: "tag-beside-api", entries: [REKOR1] });
    const { verdict, because } = foresee(row("cosign3"), evidence([misplaced]));
    assert.equal(verdict, "refuses");
    assert.match(because, /the fallback tag is not asked where a registry has the API/);
  });
});

describe("who is asked for", () => {
  it("makes another signer's signature count for nobody", () => {
    const why = "the signature is by another key, wanted release.pub";
    const stored = evidence([
      bundle({ entries: [REKOR1], wanted: { made: false, why } }),
      legacy({ entries: [PROMISE], wanted: { made: false, why } }),
    ]);
    const predictions = predict(stored, { ...GIVEN, signer: "key" });
    assert.deepEqual([...new Set(predictions.map(({ verdict }) => verdict))], ["refuses"]);
    assert.match(predictions[0]?.because ?? "", /another key, wanted release\.pub/);
  });

  it("names who made what is accepted", () => {
    const stored = evidence([bundle({ entries: [REKOR1], wanted: { made: true, by: "release.pub" } })]);
    assert.equal(foresee(row("cosign3"), stored).because, "it reads a bundle by release.pub");
  });
});

describe("keys and hashes", () => {
  const key = (
    algorithm: "ed25519" | "ecdsa-p384" | "ecdsa-p521",
    variant?: "usual" | "ecdsa-sha256" | "ed25519ph",
  ) => {
    const maker = { kind: "key", algorithm, variant } as const;
    return evidence([bundle({ maker }), legacy({ maker })]);
  };
  const readers: readonly Peer[] = [row("cosign3"), row("cosign2", "2.0"), row("podman"), row("kyverno")];

  for (const peer of readers) {
    it(`${peer.name}: SHA-384 by a P-384 key is not verified, SHA-256 is; unknown, it depends`, () => {
      assert.equal(foresee(peer, key("ecdsa-p384", "usual"), NO_LOG).verdict, "refuses");
      assert.equal(foresee(peer, key("ecdsa-p521", "usual"), NO_LOG).verdict, "refuses");
      assert.equal(foresee(peer, key("ecdsa-p384", "ecdsa-sha256"), NO_LOG).verdict, "accepts");
      assert.equal(foresee(peer, key("ecdsa-p384"), NO_LOG).verdict, "depends");
    });

    it(`${peer.name}: Ed25519 is verified in its pure form alone`, () => {
      assert.equal(foresee(peer, key("ed25519", "usual"), NO_LOG).verdict, "accepts");
      assert.equal(foresee(peer, key("ed25519", "ed25519ph"), NO_LOG).verdict, "refuses");
      assert.equal(foresee(peer, key("ed25519"), NO_LOG).verdict, "depends");
    });
  }

  it("verifies a certificate's key with its own hash in a bundle, and with SHA-256 in a legacy signature", () => {
    const maker = { ...CERTIFICATE, algorithm: "ecdsa-p384" } as const;
    assert.equal(foresee(row("cosign3"), evidence([bundle({ maker, entries: [REKOR1] })])).verdict, "accepts");
    const { verdict, because } = foresee(row("cosign3"), evidence([legacy({ maker, entries: [PROMISE] })]));
    assert.equal(verdict, "refuses");
    assert.match(because, /it verifies SHA-256, and this ECDSA P-384 key signed SHA-384/);
  });

  it("takes no keys where a verifier takes identities alone", () => {
    const stored = evidence([bundle({ entries: [REKOR1], timestamps: 1 })]);
    for (const peer of [row("kyverno-bundle", "1.13"), row("policy-controller-bundle")]) {
      const { verdict, because, add } = foresee(peer, stored);
      assert.equal(verdict, "refuses");
      assert.match(because, /certificates only/);
      assert.doesNotMatch(add.join(), /--key/);
    }
  });
});

describe("logs", () => {
  it("do not count where they record what is not read beside an envelope", () => {
    const entries = [{ kind: "hashedrekord 0.0.1", isPromised: true, isProven: true }];
    const { verdict, because } = foresee(row("cosign3"), evidence([bundle({ entries })]));
    assert.equal(verdict, "refuses");
    assert.match(because, /what is stored \(hashedrekord 0\.0\.1\) is none that it reads/);
  });

  it("have to prove the inclusion in a bundle, and to promise it in an annotation", () => {
    const promised = { ...REKOR1, isProven: false };
    assert.equal(foresee(row("cosign3"), evidence([bundle({ entries: [promised] })])).verdict, "refuses");
    assert.equal(foresee(row("kyverno"), evidence([legacy({ entries: [REKOR2] })])).verdict, "refuses");
  });

  it("are named as what a verifier has to believe, and their absence as what it has to be told", () => {
    const logged = foresee(row("cosign3"), evidence([bundle({ entries: [REKOR1] })]));
    assert.match(logged.needs.join(), /trust in the log/);
    const bare = foresee(row("cosign3"), evidence([bundle()]), NO_LOG);
    assert.deepEqual(bare.needs, ["--insecure-ignore-tlog=true"]);
  });

  it("are what is told to add, and never to do without them", () => {
    for (const { peer, add } of predict(evidence([bundle(), legacy()]), GIVEN)) {
      assert.doesNotMatch(add.join(), /ignore/i, peer);
    }
  });
});

describe("what verifiers are told", () => {
  it("lets timestamps stand for the time, and is named", () => {
    const { verdict, needs } = foresee(row("cosign2", "2.6.3"), evidence([REKOR2_BUNDLE]), {
      ...GIVEN,
      takesTimestamps: true,
    });
    assert.equal(verdict, "accepts");
    assert.ok(needs.includes("--use-signed-timestamps"));
  });

  it("lets certificates do without a certificate log, and is named", () => {
    const stored = evidence([bundle({ maker: { ...CERTIFICATE, hasScts: false }, entries: [REKOR1] })]);
    assert.equal(foresee(row("cosign3"), stored).verdict, "refuses");
    const { verdict, needs } = foresee(row("cosign3"), stored, { ...GIVEN, ignoresScts: true });
    assert.equal(verdict, "accepts");
    assert.ok(needs.includes("--insecure-ignore-sct"));
  });

  it("never lets a certificate do without a time", () => {
    const told = { ...GIVEN, ignoresLog: true, ignoresScts: true, takesTimestamps: true };
    const stored = evidence([bundle({ maker: CERTIFICATE }), legacy({ maker: CERTIFICATE })]);
    for (const { peer, verdict } of predict(stored, told)) assert.equal(verdict, "refuses", peer);
  });

  it("is a trust root that has to prove the entries, where one was given", () => {
    const unproven = "the log is not one of the trust root's";
    const stored = evidence([bundle({ entries: [REKOR1], unproven }), legacy({ entries: [PROMISE], unproven })]);
    const { verdict, because } = foresee(row("cosign3"), stored);
    assert.equal(verdict, "refuses");
    assert.match(because, /its log entry is not proven by the trust root given: the log is not one/);
    assert.equal(foresee(row("podman"), stored).verdict, "accepts");
    assert.equal(foresee(row("cosign3"), stored, NO_LOG).verdict, "accepts");
  });
});

describe("the name in a legacy signature", () => {
  const other = legacy({ repository: "registry.example.com/acme/other" });

  it("has to be the one that podman pulls by", () => {
    assert.equal(foresee(row("podman"), evidence([legacy()])).verdict, "accepts");
    const { verdict, because } = foresee(row("podman"), evidence([other]));
    assert.equal(verdict, "refuses");
    assert.match(because, /names registry\.example\.com\/acme\/other/);
  });

  it("is not compared by the others", () => {
    assert.equal(foresee(row("kyverno"), evidence([other]), NO_LOG).verdict, "accepts");
    assert.equal(foresee(row("cosign2", "2.0"), evidence([other]), NO_LOG).verdict, "accepts");
  });

  it("decides where a file will be pulled from", () => {
    const given = { ...GIVEN, repository: undefined };
    assert.equal(foresee(row("podman"), evidence([legacy()], { repository: undefined }), given).verdict, "depends");
  });
});

describe("an index", () => {
  const platform = (name: string, ...signatures: readonly ReturnType<typeof legacy>[]) =>
    subject(signatures, { digest: digestOf(new TextEncoder().encode(name)), platform: name });
  const index = (...platforms: readonly ReturnType<typeof platform>[]) => evidence([legacy()], { platforms });

  it("is judged by podman platform by platform", () => {
    const both = index(platform("linux/amd64", legacy()), platform("linux/arm64", legacy()));
    assert.equal(foresee(row("podman"), both).verdict, "accepts");
    const one = foresee(row("podman"), index(platform("linux/amd64", legacy()), platform("linux/arm64")));
    assert.equal(one.verdict, "depends");
    assert.match(one.because, /^linux\/arm64: /);
    const none = foresee(row("podman"), index(platform("linux/amd64"), platform("linux/arm64")));
    assert.equal(none.verdict, "refuses");
    assert.match(none.because, /only the index is signed/);
    assert.match(none.add.join(), /^countersign sign --for podman /);
  });

  it("is judged by the others as it was named", () => {
    const stored = index(platform("linux/amd64"), platform("linux/arm64"));
    assert.equal(foresee(row("policy-controller"), stored).verdict, "accepts");
  });

  it("is unknown to podman where one platform could not be looked at", () => {
    const obstacles = { "sig-tag": { code: "throttled", message: "the registry is busy" } } as const;
    const dark = { ...platform("linux/arm64"), obstacles };
    assert.equal(foresee(row("podman"), index(platform("linux/amd64", legacy()), dark)).verdict, "unknown");
  });
});

describe("what could not be looked at", () => {
  const finding: Finding = { code: "denied", message: "the registry denies it" };
  const without = (shelf: Shelf, ...signatures: readonly ReturnType<typeof bundle>[]) =>
    evidence([], { root: subject(signatures, { obstacles: { [shelf]: finding } }) });

  it("is unknown to who would have looked there, and no absence", () => {
    const { verdict, because } = foresee(row("cosign3"), without("referrers"));
    assert.equal(verdict, "unknown");
    assert.match(because, /could not look: the registry denies it \[denied\]/);
    assert.equal(foresee(row("notation"), without("referrers")).verdict, "unknown");
    assert.equal(foresee(row("podman"), without("sig-tag")).verdict, "unknown");
  });

  it("is of no concern to who looks elsewhere", () => {
    assert.equal(foresee(row("podman"), without("referrers", legacy())).verdict, "accepts");
    assert.equal(foresee(row("podman"), without("referrers")).verdict, "refuses");
    assert.equal(foresee(row("kyverno-bundle"), without("att-tag")).verdict, "refuses");
  });

  it("may hide what hides: a legacy signature does not suffice for who looks for bundles first", () => {
    const stored = without("referrers", legacy({ entries: [PROMISE] }));
    assert.equal(foresee(row("cosign3"), stored).verdict, "unknown");
    assert.equal(foresee(row("cosign2", "2.0"), stored).verdict, "accepts");
  });

  it("does not matter to who found a bundle that it accepts", () => {
    const stored = without("sig-tag", bundle({ entries: [REKOR1] }));
    assert.equal(foresee(row("cosign3"), stored).verdict, "accepts");
  });
});

describe("more than a verifier takes", () => {
  it("is refused by Kyverno's bundles above 50 referrers", () => {
    const crowd = (referrers: number) => evidence([], { root: subject([KEYLESS_BUNDLE], { referrers }) });
    assert.equal(foresee(row("kyverno-bundle"), crowd(50)).verdict, "accepts");
    const { verdict, because } = foresee(row("kyverno-bundle"), crowd(51));
    assert.equal(verdict, "refuses");
    assert.match(because, /51 things refer to the image, and it stops above 50/);
  });

  it("may be refused by Kyverno's bundles where one of them cannot be read", () => {
    const beside = (brokenBundles: number) => evidence([], { root: subject([KEYLESS_BUNDLE], { brokenBundles }) });
    assert.equal(foresee(row("kyverno-bundle"), beside(1)).verdict, "depends");
    assert.equal(foresee(row("cosign3"), beside(1)).verdict, "accepts");
    const none = evidence([], { root: subject([legacy()], { brokenBundles: 1 }) });
    assert.equal(foresee(row("kyverno-bundle"), none).verdict, "refuses");
  });
});

import type { Finding } from "../../../src/core/errors.ts";
import type { Scene } from "./scene.ts";
import type { CaseSpec, FoundSpec, PolicySpec } from "./spec.ts";

const BY_ALICE = "{signature: {by: alice}}";
const EACH: PolicySpec = { require: BY_ALICE, rule: ["platforms: each"] };
const THROTTLED: Finding = { code: "throttled", message: "the registry asks to slow down", found: "429, 6 tries" };
const UNREACHABLE: Finding = { code: "unreachable", message: "the registry could not be reached", found: "no answer" };

/** An index, signed as a whole or not, and what is stored about each of its manifests. */
function index(scene: Scene, ...signed: readonly ("index" | 0 | 1)[]): FoundSpec {
  const by = (at: 0 | 1) => {
    const digest = scene.index.manifests[at]?.digest;
    return signed.includes(at) && digest !== undefined ? [scene.signed("alice", { about: digest })] : [];
  };
  const own = signed.includes("index") ? [scene.signed("alice", { about: scene.index.descriptor.digest })] : [];
  return { image: "index", candidates: own, children: [by(0), by(1)] };
}

function excepted(what: string, expires: string): PolicySpec {
  return {
    require: BY_ALICE,
    rule: ["exceptions:", `  - {${what}, owner: bob@example.com, reason: "moves in July", expires: ${expires}}`],
  };
}

const NEXT_YEAR = "2027-01-31T00:00:00Z";
const REPOSITORY = "images: registry.example.com/acme/app";
const CLOSED = '{never: "this repository is closed"}';

/** Indexes, exceptions, rules that warn, and what could not be looked at. */
export const CIRCUMSTANCE_CASES: readonly CaseSpec[] = [
  {
    name: "indexes/signed-as-a-whole",
    about: "the signature of an index covers the platforms that it lists",
    policy: { require: BY_ALICE },
    evidence: (scene) => index(scene, "index"),
    expected: "accepted",
  },
  {
    name: "indexes/only-the-platforms-are-signed",
    about: "signatures of all the platforms are none of the index",
    policy: { require: BY_ALICE },
    evidence: (scene) => index(scene, 0, 1),
    expected: "refused unsigned",
  },
  {
    name: "indexes/platform-through-its-index",
    about: "a platform is accepted through the index that lists it",
    policy: { require: BY_ALICE },
    platform: "linux/arm64",
    evidence: (scene) => index(scene, "index"),
    expected: "accepted",
  },
  {
    name: "indexes/platform-by-itself",
    about: "or by a signature of its own",
    policy: { require: BY_ALICE },
    platform: "linux/arm64",
    evidence: (scene) => index(scene, 1),
    expected: "accepted",
  },
  {
    name: "indexes/another-platform-is-signed",
    about: "the signature of one platform says nothing of the other",
    policy: { require: BY_ALICE },
    platform: "linux/arm64",
    evidence: (scene) => index(scene, 0),
    expected: "refused unsigned",
  },
  {
    name: "indexes/platform-that-is-not-listed",
    about: "a platform that the index does not list",
    policy: { require: BY_ALICE },
    platform: "linux/s390x",
    evidence: (scene) => index(scene, "index"),
    expected: "refused platform-missing",
  },
  {
    name: "indexes/each-platform-signed",
    about: "every platform has its own signature",
    policy: EACH,
    evidence: (scene) => index(scene, 0, 1),
    expected: "accepted",
  },
  {
    name: "indexes/each-but-one",
    about: "one platform has none",
    policy: EACH,
    evidence: (scene) => index(scene, "index", 0),
    expected: "refused unsigned",
  },
  {
    name: "indexes/each-of-none",
    about: "an index that lists nothing has nothing that could be signed",
    policy: EACH,
    evidence: (scene) => ({
      image: "empty index",
      candidates: [scene.signed("alice", { about: scene.emptyIndex.descriptor.digest })],
    }),
    expected: "refused platform-missing",
  },
  {
    name: "indexes/platform-was-not-recorded",
    about: "what was not looked at is not known",
    policy: EACH,
    evidence: (scene) => ({ ...index(scene, "index"), children: [] }),
    expected: "undetermined not-found",
  },
  {
    name: "exceptions/by-digest",
    about: "an unsigned digest that somebody answers for",
    policy: (scene) => excepted(`digest: "${scene.digest}"`, NEXT_YEAR),
    expected: "accepted",
    warnings: ["unsigned"],
  },
  {
    name: "exceptions/of-another-digest",
    about: "an exception is for its own digest",
    policy: (scene) => excepted(`digest: "${scene.other}"`, NEXT_YEAR),
    expected: "refused unsigned",
  },
  {
    name: "exceptions/by-name",
    about: "a repository that somebody answers for",
    policy: excepted(REPOSITORY, NEXT_YEAR),
    evidence: (scene) => [scene.signed("mallory")],
    expected: "accepted",
    warnings: ["wrong-key"],
  },
  {
    name: "exceptions/ended",
    about: "an exception that has come to its end opens nothing",
    policy: excepted(REPOSITORY, "2026-05-31T00:00:00Z"),
    expected: "refused exception-expired, unsigned",
  },
  {
    name: "exceptions/ends-at-its-moment",
    about: "at the moment that it names it has ended",
    policy: excepted(REPOSITORY, "2026-06-01T12:00:00Z"),
    expected: "refused exception-expired, unsigned",
  },
  {
    name: "exceptions/not-needed",
    about: "an image that meets the rule needs none, and nothing is warned about",
    policy: excepted(REPOSITORY, "2026-05-31T00:00:00Z"),
    evidence: (scene) => [scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "exceptions/of-what-could-not-be-looked-at",
    about: "an exception opens for what could not be determined too",
    policy: excepted(REPOSITORY, NEXT_YEAR),
    evidence: () => ({ obstacles: [THROTTLED] }),
    expected: "accepted",
    warnings: ["throttled"],
  },
  {
    name: "modes/warn-opens",
    about: "a rule that only warns opens, and says what would have refused",
    policy: { require: BY_ALICE, rule: ["mode: warn"] },
    evidence: (scene) => [scene.signed("mallory")],
    expected: "accepted",
    warnings: ["wrong-key"],
  },
  {
    name: "modes/warn-and-met",
    about: "where the rule is met there is nothing to warn about",
    policy: { require: BY_ALICE, rule: ["mode: warn"] },
    evidence: (scene) => [scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "modes/warn-with-an-exception-that-ended",
    about: "the end of an exception is among the warnings",
    policy: (() => {
      const { rule = [], ...policy } = excepted(REPOSITORY, "2026-05-31T00:00:00Z");
      return { ...policy, rule: ["mode: warn", ...rule] };
    })(),
    expected: "accepted",
    warnings: ["exception-expired", "unsigned"],
  },
  {
    name: "modes/warn-of-what-is-forbidden",
    about: "a rule that accepts nothing and only warns",
    policy: { require: CLOSED, rule: ["mode: warn"] },
    expected: "accepted",
    warnings: ["forbidden"],
  },
  {
    name: "undetermined/throttled",
    about: "one could not look: the image counts as not verified, and not as unsigned",
    policy: { require: BY_ALICE },
    evidence: () => ({ obstacles: [THROTTLED] }),
    expected: "undetermined throttled",
  },
  {
    name: "undetermined/throttled-beside-another-key",
    about: "the wanted signature may be among what was not seen",
    policy: { require: BY_ALICE },
    evidence: (scene) => ({ candidates: [scene.signed("mallory")], obstacles: [THROTTLED] }),
    expected: "undetermined throttled",
  },
  {
    name: "undetermined/throttled-beside-the-wanted-key",
    about: "what was seen is enough",
    policy: { require: BY_ALICE },
    evidence: (scene) => ({ candidates: [scene.signed("alice")], obstacles: [THROTTLED] }),
    expected: "accepted",
  },
  {
    name: "undetermined/one-part-of-all",
    about: "one part is met, the other could not be looked at",
    policy: { require: "{all: [{signature: {by: alice}}, {signature: {by: bob}}]}" },
    evidence: (scene) => ({ candidates: [scene.signed("alice")], obstacles: [UNREACHABLE] }),
    expected: "undetermined unreachable",
  },
  {
    name: "undetermined/all-with-never",
    about: "whatever could not be looked at, this is refused",
    policy: { require: `{all: [${BY_ALICE}, ${CLOSED}]}` },
    evidence: () => ({ obstacles: [UNREACHABLE] }),
    expected: "refused forbidden",
  },
  {
    name: "undetermined/any-with-never",
    about: "the way that is open could not be looked at",
    policy: { require: `{any: [${BY_ALICE}, ${CLOSED}]}` },
    evidence: () => ({ obstacles: [UNREACHABLE] }),
    expected: "undetermined unreachable",
  },
  {
    name: "undetermined/one-of-two",
    about: "the second signer may be among what was not seen",
    policy: { require: "{signature: {by: [alice, bob], threshold: 2}}" },
    evidence: (scene) => ({ candidates: [scene.signed("alice")], obstacles: [THROTTLED] }),
    expected: "undetermined throttled",
  },
  {
    name: "undetermined/damaged-evidence",
    about: "bytes that are not those of their digest are seen to be wrong",
    policy: { require: BY_ALICE },
    evidence: (scene) => ({
      obstacles: [
        {
          code: "digest-mismatch",
          message: "the signature does not match its digest",
          found: scene.other,
          wanted: scene.digest,
        },
      ],
    }),
    expected: "refused digest-mismatch",
  },
];

import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { RecordedImage } from "../../../src/core/cases/recorded.ts";
import { formatRecorded } from "../../../src/core/cases/recorded.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { withKeysFrom } from "../sigstore/keys.ts";
import { ALGEBRA_CASES } from "./algebra-cases.ts";
import { CIRCUMSTANCE_CASES } from "./circumstance-cases.ts";
import { EVIDENCE_CASES } from "./evidence-cases.ts";
import { fixedKeys } from "./fixed-keys.ts";
import { IMAGE_CASES } from "./image-cases.ts";
import { KEYLESS_CASES } from "./keyless-cases.ts";
import { SCAN_CASES } from "./scan-cases.ts";
import { makeScene, PEOPLE, type Scene } from "./scene.ts";
import { SIGNATURE_CASES } from "./signature-cases.ts";
import { type CaseSpec, expectationText, type FoundSpec, policyText, REPOSITORY } from "./spec.ts";
import { UNUSABLE_CASES } from "./unusable-cases.ts";

export const CASES: readonly CaseSpec[] = [
  ...[IMAGE_CASES, SIGNATURE_CASES, KEYLESS_CASES, ALGEBRA_CASES],
  ...[EVIDENCE_CASES, SCAN_CASES, CIRCUMSTANCE_CASES, UNUSABLE_CASES],
].flat();

/** Every file of `test/policy-cases` that is made, by its path there: the same bytes in every run. */
export async function makeCases(): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const shared = await makeScene();
  for (const person of PEOPLE) files.set(`keys/${person}.pub`, encodeUtf8(shared.pem(person)));
  files.set("trust/acme-root.json", shared.acme.trustedRoot);
  for (const spec of CASES) for (const [path, bytes] of await makeCase(spec)) files.set(`${spec.name}/${path}`, bytes);
  return files;
}

async function makeCase(spec: CaseSpec): Promise<readonly (readonly [path: string, bytes: Uint8Array])[]> {
  const scene = await makeScene();
  return withKeysFrom(fixedKeys(spec.name), () => {
    const found = spec.evidence?.(scene) ?? [];
    const recorded = recordOf("length" in found ? { candidates: found } : (found as FoundSpec), scene);
    return [
      ...policyFile(spec, scene),
      ["evidence.json", formatRecorded(recorded)] as const,
      ["expected.yaml", encodeUtf8(expectationText(spec))] as const,
      ...Object.entries(spec.files?.(scene) ?? {}).map(
        ([path, content]) => [path, typeof content === "string" ? encodeUtf8(content) : content] as const,
      ),
    ];
  });
}

function policyFile({ policy }: CaseSpec, scene: Scene): readonly (readonly [string, Uint8Array])[] {
  if (typeof policy === "string") return [["policy.yaml", encodeUtf8(policy)]];
  if (typeof policy !== "function" && "file" in policy) return [];
  const text = policyText(typeof policy === "function" ? policy(scene) : policy);
  return [["policy.yaml", encodeUtf8(text)]];
}

function recordOf(found: FoundSpec, scene: Scene): RecordedImage {
  const { repository = REPOSITORY, tag = "1.4.2", image = "image", candidates = [], obstacles = [] } = found;
  const manifests: Readonly<Record<typeof image, Manifest>> = {
    image: scene.image,
    index: scene.index,
    "empty index": scene.emptyIndex,
  };
  const manifest = manifests[image];
  const children = found.children ?? (manifest.kind === "index" ? manifest.manifests.map(() => []) : []);
  const listed = manifest.kind === "index" ? manifest.manifests : [];
  return {
    repository: repository === "none" ? undefined : repository,
    tag: repository === "none" ? undefined : tag,
    recordedAt: scene.now,
    trust: [],
    manifest,
    subjects: [
      { digest: manifest.descriptor.digest, candidates, obstacles },
      ...children.flatMap((each, at) => {
        const digest = listed[at]?.digest;
        return digest === undefined ? [] : [{ digest, candidates: each, obstacles: [] }];
      }),
    ],
  };
}

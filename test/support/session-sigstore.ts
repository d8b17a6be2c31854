import { makeLegacyPayload } from "../../src/core/formats/cosign-legacy.ts";
import { CLAIMS, type ClaimName } from "../../src/core/trust/identity.ts";
import { pushSignature, readSubject, type Subject } from "./session-image.ts";
import type { IssueOptions } from "./sigstore/authority.ts";
import type { AlternativeName } from "./sigstore/certificates.ts";
import {
  bundleOf,
  type FakeSigstore,
  fakeSigstore,
  legacyCandidate,
  type Signable,
  type SignOptions,
  signKeyless,
} from "./sigstore/sign.ts";

/** Hours before the session in which everything is signed: long enough for its age to be the same words in every run. */
const AGE_MS = 3 * 3_600_000 + 60_000;

/** The Sigstore instances of a session, by name. */
export class SessionSigstore {
  readonly #instances = new Map<string, FakeSigstore>();

  /** Makes an instance; its `trusted_root.json`. */
  create(name: string): Uint8Array {
    const instance = fakeSigstore();
    this.#instances.set(name, instance);
    return instance.trustedRoot;
  }

  /**
   * Signs an image with a fresh certificate and stores that beside it. What is said of it: `email:`, `uri:`, `user:` (the
   * name, repeatable), `issuer:`, any claim by its name, `without:log|sct|time`, `attest:TYPE`, `legacy:yes`.
   */
  async sign(name: string, reference: string, details: readonly string[]): Promise<void> {
    const instance = this.#instances.get(name);
    if (instance === undefined) throw new Error(`no such instance: ${name}`);
    const said = details.map((detail) => split(detail));
    const subject = await readSubject(reference);
    const value = (key: string): string | undefined => said.find(([each]) => each === key)?.[1];
    const what = signable(subject, value("attest"), value("legacy") !== undefined);
    const signed = signKeyless(instance, { ...signOptions(instance, said), what });
    if (value("legacy") === undefined) return await pushSignature(subject, { bundle: bundleOf(signed) });
    const { payload, mediaType, annotations } = legacyCandidate(signed);
    await pushSignature(subject, { payload, mediaType, annotations });
  }
}

type Detail = readonly [key: string, value: string];

function split(detail: string): Detail {
  const at = detail.indexOf(":");
  return [detail.slice(0, at), detail.slice(at + 1)];
}

function signOptions(instance: FakeSigstore, said: readonly Detail[]): SignOptions {
  const at = Date.now() - AGE_MS;
  const without = new Set(said.filter(([key]) => key === "without").map(([, value]) => value));
  return {
    at,
    certificate: { ...certificateOptions(said), ...(without.has("sct") ? { sctBy: [] } : {}) },
    ...(without.has("log") ? { logs: [], timestampAuthorities: [instance.timestampAuthority] } : {}),
    ...(without.has("time") ? { logs: [instance.log2], timestampAuthorities: [] } : {}),
  };
}

function certificateOptions(said: readonly Detail[]): Partial<IssueOptions> {
  const issuer = said.find(([key]) => key === "issuer")?.[1];
  const claims = said.filter((each): each is readonly [ClaimName, string] => Object.hasOwn(CLAIMS, each[0]));
  return {
    subject: said.flatMap(alternativeName),
    claims: Object.fromEntries(claims),
    ...(issuer === undefined ? {} : { issuer }),
  };
}

function alternativeName([key, value]: Detail): readonly AlternativeName[] {
  if (key === "email") return [{ email: value }];
  if (key === "uri") return [{ uri: value }];
  return key === "user" ? [{ otherName: value }] : [];
}

function signable({ digest, repository }: Subject, attest: string | undefined, isLegacy: boolean): Signable {
  if (isLegacy) return { payload: makeLegacyPayload(repository, digest) };
  if (attest === undefined) return { image: digest };
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: digest.slice("sha256:".length) } }],
    predicateType: attest,
    predicate: {},
  };
  return { statement: Buffer.from(JSON.stringify(statement)) };
}

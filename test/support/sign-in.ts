import assert from "node:assert/strict";
import type { CountersignError } from "../../src/core/errors.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import type { IdentityToken } from "../../src/core/trust/token.ts";
import { type BrowserOptions, browserToken } from "../../src/io/identity/browser.ts";
import { discoverIssuer } from "../../src/io/identity/discovery.ts";
import { browse, type IssuerServer, presentTime, quickService, quietlyRejected, startIssuer } from "./identity.ts";
import { withoutPartsOf } from "./secrets.ts";
import type { OidcFault } from "./sigstore/oidc-service.ts";

/** What tests of signing in with a browser share. */

/** What a person does with the address that is opened. */
export type Person = (address: URL) => Promise<unknown>;

/** Makes an issuer wrong in something. */
export type Prepare = (issuer: IssuerServer) => unknown;

export function faulty(fault: OidcFault): Prepare {
  return (issuer) => Object.assign(issuer, { fault });
}

export interface Attempt {
  /** What the person was told. */
  readonly said: readonly string[];
  /** What the browser showed: all the person's doings, once they are over. */
  readonly seen: Promise<unknown>[];
  /** Codes, tokens, verifiers: what must be in no message. */
  readonly secrets: string[];
  run(others?: Partial<BrowserOptions>): Promise<IdentityToken>;
}

/** Runs work with an issuer that is ready to sign somebody in who behaves so. */
export async function withPerson(
  person: Person,
  work: (attempt: Attempt, issuer: IssuerServer) => Promise<void>,
  prepare: Prepare = () => undefined,
): Promise<void> {
  const issuer = await startIssuer();
  prepare(issuer);
  const service = quickService();
  const [said, seen]: [string[], Promise<unknown>[]] = [[], []];
  const openBrowser = async (address: URL) => {
    seen.push(person(address).catch((error: unknown) => error));
    return true;
  };
  const attempt: Attempt = {
    said,
    seen,
    get secrets() {
      return secretsOf(issuer);
    },
    run: async (others = {}) =>
      await browserToken({
        service,
        issuer: await discoverIssuer(service, issuer.url),
        clientId: "sigstore",
        now: presentTime,
        say: (line) => said.push(line),
        openBrowser,
        waitMs: 20_000,
        ...others,
      }),
  };
  try {
    await work(attempt, issuer);
    await Promise.all(seen);
  } finally {
    await service.close();
    await issuer.close();
  }
}

/** Whatever was sent to the token endpoint. */
function secretsOf(issuer: IssuerServer): string[] {
  const posts = issuer.requests.filter(({ method }) => method === "POST");
  const forms = posts.map(({ body }) => new URLSearchParams(String(body)));
  return forms.flatMap((form) => ["code", "code_verifier", "device_code"].map((name) => form.get(name) ?? ""));
}

/** The sign-in fails with this code, says nothing secret, and the browser tells the person to look at the terminal. */
export async function fails(
  code: ReasonCode,
  person: Person,
  prepare?: Prepare,
  others: Partial<BrowserOptions> = {},
): Promise<CountersignError> {
  let failure: CountersignError | undefined;
  await withPerson(
    person,
    async (attempt) => {
      failure = await quietlyRejected(() => attempt.run(others), code, []);
      withoutPartsOf(failure, ...attempt.secrets);
      for (const seen of await Promise.all(attempt.seen)) {
        if (seen instanceof Response && seen.status === 200) assert.match(await seen.text(), /Not signed in/);
      }
    },
    prepare,
  );
  return failure ?? assert.fail("it was not tried");
}

export const consents: Person = (address) => browse(address);

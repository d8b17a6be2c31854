import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Fault } from "../../src/testbed/faults.ts";
import { Stage } from "../support/crown.ts";
import { temporaryFolder } from "../support/temp.ts";

/** Every way a request is known to go wrong, and whether the pull may still succeed: where the fault is in nothing that
 * is believed (a digest header) or hits nothing that was proven yet. */
export const FAULTS: Readonly<Record<string, { readonly fault: Fault; readonly harmless?: true }>> = {
  "the connection is reset": { fault: { kind: "reset" } },
  "no answer ever comes": { fault: { kind: "stall" } },
  "the content stops coming": { fault: { kind: "stall", at: "content" } },
  "the content is cut short": { fault: { kind: "truncate" } },
  "a shorter content is announced": { fault: { kind: "shorten" } },
  "a longer content is announced": { fault: { kind: "lengthen" } },
  "the content never ends": { fault: { kind: "endless" } },
  "a bit is flipped at the start": { fault: { kind: "flip-bit", byte: 0 } },
  "a bit is flipped in the middle": { fault: { kind: "flip-bit" } },
  "the digest header is wrong": { fault: { kind: "wrong-digest-header" }, harmless: true },
  "the content type is wrong": { fault: { kind: "wrong-content-type" }, harmless: true },
  "400": { fault: { kind: "status", status: 400 } },
  "401 without a challenge": { fault: { kind: "status", status: 401 } },
  "401 with a challenge": { fault: { kind: "status", status: 401, challenge: 'Basic realm="x"' } },
  "403": { fault: { kind: "status", status: 403 } },
  "404": { fault: { kind: "status", status: 404 } },
  "429": { fault: { kind: "status", status: 429 } },
  "500": { fault: { kind: "status", status: 500 } },
  "503": { fault: { kind: "status", status: 503 } },
  "a redirect to the same place": { fault: { kind: "redirect" } },
  "a redirect to another scheme": { fault: { kind: "redirect", to: "file:///etc/passwd" } },
  "a redirect to a place where nobody answers": { fault: { kind: "redirect", to: "http://127.0.0.1:1/" } },
  "a web page": { fault: { kind: "html" } },
};

/** A list of referrers is a hint of where to look: broken a little, it can still lead to the signature, which is proven. */
function isListing(request: string): boolean {
  return /\/(?:referrers\/|manifests\/sha256-)/.test(request);
}

/** The crown test over requests: records a good pull, then breaks each of its requests in every way. */
export function breakEveryRequest(referrersApi: boolean): void {
  describe(`a pull ${referrersApi ? "with" : "without"} the referrers API, broken at every request in every way`, () => {
    let stage: Stage;
    let good: ReadonlyMap<string, string>;
    let requests: readonly string[];

    before(async () => {
      stage = await Stage.open(await temporaryFolder({ after: (work) => void cleanups.push(work) }), { referrersApi });
      const ended = await stage.pull();
      assert.equal(ended.exitCode, 0, ended.stderr);
      good = await stage.content();
      requests = stage.registry.requests.map(({ method, path }) => `${method} ${path}`);
    });
    const cleanups: (() => Promise<void>)[] = [];
    after(async () => {
      await stage.registry.close();
      for (const work of cleanups) await work();
    });

    it("makes a bounded and known number of requests when nothing is broken", () => {
      // Tag, referrers (and its tag), signature manifest, bundle, configuration, two layers.
      assert.equal(requests.length, referrersApi ? 7 : 8, requests.join("\n"));
    });

    for (const [what, { fault, harmless }] of Object.entries(FAULTS)) {
      it(`${what}: nothing unproven is to be seen, and the next pull works`, async () => {
        for (const [at, request] of requests.entries()) {
          await stage.reset();
          const where = `${what}, request ${at + 1} (${request})`;
          stage.registry.faults.when(({ method, path }) => `${method} ${path}` === request, fault);
          const ended = await stage.pull(fault.kind === "stall" ? "150ms" : undefined);
          await stage.assertNothingUnproven(ended, good, where);
          if (harmless !== true && !isListing(request)) assert.notEqual(ended.exitCode, 0, where);
          await stage.assertRecovers(good, where);
        }
      });
    }
  });
}

import { after, afterEach, before } from "node:test";
import { type IdentityToken, parseIdentityToken } from "../../src/core/trust/token.ts";
import { ServiceClient, type ServiceOptions } from "../../src/io/http/service.ts";
import type { Ask } from "../../src/io/sigstore/log.ts";
import { TestClock } from "./registry-client.ts";
import { type RunningSigstore, type ServerOptions, startFakeSigstore } from "./sigstore/server.ts";

/** A Sigstore instance that answers, and how the adapters ask it: tries are many and take no time. */
export interface SigstoreScene {
  readonly sigstore: RunningSigstore;
  readonly ask: Ask;
  /** The same with other limits. */
  asking(options?: Partial<ServiceOptions>): Ask;
  token(...options: Parameters<RunningSigstore["token"]>): IdentityToken;
  /** The base address of a service. */
  base(service: string): URL;
}

/** For the tests of the calling suite; what was made to fail is healed after each. */
export function useSigstore(options?: ServerOptions): SigstoreScene {
  let running: RunningSigstore | undefined;
  const clients: ServiceClient[] = [];
  const open = (more: Partial<ServiceOptions> = {}): Ask => {
    const client = new ServiceClient({ env: {}, userAgent: "countersign", clock: new TestClock(), ...more });
    clients.push(client);
    return (request) => client.ask(request);
  };
  const sigstore = (): RunningSigstore => {
    if (running === undefined) throw new Error("the instance runs while tests do");
    return running;
  };
  const ask = open();
  before(async () => {
    running = await startFakeSigstore(options);
  });
  afterEach(() => {
    for (const service of ["fulcio", "rekor1", "rekor2", "tsa", ...Object.keys(options?.more ?? {})]) {
      running?.heal(service);
    }
  });
  after(async () => {
    for (const client of clients) await client.close();
    await running?.close();
  });
  return {
    get sigstore() {
      return sigstore();
    },
    ask,
    asking: open,
    token: (...given) => parseIdentityToken(sigstore().token(...given)),
    base: (service) => new URL(sigstore().url(service)),
  };
}

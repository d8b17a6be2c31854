import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { githubClaims } from "./sigstore/oidc.ts";
import { type RunningSigstore, startFakeSigstore } from "./sigstore/server.ts";

/** Sessions call services by these names. */
const NAMES: Readonly<Record<string, string>> = {
  fulcio: "FULCIO",
  oidc: "OIDC",
  rekor1: "REKOR1",
  rekor2: "REKOR",
  tsa: "TSA",
};

/** A Sigstore instance that answers, for a page that signs with one. */
export class SessionServices {
  #running: RunningSigstore | undefined;

  /** Starts it and writes its two files; returns the variables that name its services. */
  async start(folder: string): Promise<Readonly<Record<string, string>>> {
    this.#running = await startFakeSigstore();
    this.#running.write(folder);
    const { signingConfig } = this.#running;
    writeFileSync(join(folder, "rekor1_config.json"), signingConfig(["fulcio", "oidc", "rekor1", "tsa"]));
    return Object.fromEntries(Object.entries(NAMES).map(([service, name]) => [name, this.#host(service)]));
  }

  /** An identity token: `github REPOSITORY` for a workflow's, else of the person with this address. */
  token(first: string, second: string): string {
    const running = this.#get();
    if (first !== "github") return running.token({ email: first });
    return running.token({ email: null, claims: githubClaims({ repository: second }) });
  }

  outage(service: string, status: number): void {
    if (Number.isNaN(status)) this.#get().heal(service);
    else this.#get().fail(service, { status });
  }

  scrub(text: string): string {
    if (this.#running === undefined) return text;
    const named = Object.entries(NAMES).reduce(
      (all, [service, name]) => all.replaceAll(this.#host(service), `$${name}`),
      text,
    );
    // What was signed on this page was signed just now, however slow the machine is.
    return named.replace(/\b(?:just now|in 1 second|[0-9]{1,2} seconds? ago)\b/g, "just now");
  }

  async close(): Promise<void> {
    await this.#running?.close();
  }

  #host(service: string): string {
    return this.#get().server(service).host;
  }

  #get(): RunningSigstore {
    if (this.#running === undefined) throw new Error("the page says `services` first");
    return this.#running;
  }
}

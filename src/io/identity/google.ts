import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { withSecrets } from "../http/secrets.ts";
import { jsonOf, textIn } from "./answers.ts";
import { readGoogleKey } from "./google-key.ts";
import { type MetadataAnswer, MetadataServer } from "./metadata-server.ts";
import type { Provider, Surroundings } from "./provider.ts";

const IAM_CREDENTIALS = "https://iamcredentials.googleapis.com";
const PRODUCT_NAME = "/sys/class/dmi/id/product_name";

/**
 * Google Cloud: the identity of the machine's service account, or of the one that GOOGLE_SERVICE_ACCOUNT_NAME names, which
 * is impersonated. Nobody is asked unless the environment or the machine itself says that this is Google's.
 */
export function googleCloud(iamCredentials: string = IAM_CREDENTIALS): Provider {
  return {
    name: "Google Cloud",
    async find(surroundings) {
      const account = surroundings.env["GOOGLE_SERVICE_ACCOUNT_NAME"];
      if (account) return await impersonate(account, iamCredentials, surroundings);
      const evidence = await evidenceOfGoogle(surroundings);
      if (evidence === undefined) return undefined;
      const key = await keyOf(surroundings);
      return key === undefined ? await ownIdentity(surroundings, evidence) : await key.identityToken(surroundings);
    },
  };
}

/** "seen": the machine is Google's, which says nothing of a metadata server that this process may ask. */
type Evidence = "told" | "seen";

async function evidenceOfGoogle({ env, readFile }: Surroundings): Promise<Evidence | undefined> {
  if (env["GCE_METADATA_HOST"]) return "told";
  const product = await readFile(PRODUCT_NAME).catch(() => undefined);
  const name = Buffer.from(product ?? []).toString("latin1");
  return /^Google(?: Compute Engine)?\s*$/.test(name) ? "seen" : undefined;
}

/** GOOGLE_APPLICATION_CREDENTIALS goes before the machine's own account, as in Google's libraries. */
async function keyOf({ env, readFile }: Surroundings): Promise<ReturnType<typeof readGoogleKey> | undefined> {
  const path = env["GOOGLE_APPLICATION_CREDENTIALS"];
  return path ? readGoogleKey(await readFile(path), path) : undefined;
}

/** undefined where the machine has no service account. */
async function ownIdentity(surroundings: Surroundings, evidence: Evidence): Promise<Uint8Array | undefined> {
  const query = new URLSearchParams({ audience: surroundings.audience, format: "full" });
  const answer = await unlessAbsent(evidence, () => askMetadata(surroundings, `identity?${query}`));
  if (answer === undefined || answer.status === 404) return undefined;
  if (answer.status === 200) return answer.bytes;
  throw refused(answer);
}

/** A machine of Google's whose metadata nobody here may reach has no identity to offer. */
async function unlessAbsent<Result>(evidence: Evidence, ask: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await ask();
  } catch (thrown) {
    const isAway = thrown instanceof CountersignError && (thrown.code === "unreachable" || thrown.code === "timeout");
    if (evidence === "seen" && isAway) return undefined;
    throw thrown;
  }
}

async function askMetadata({ env, signal }: Surroundings, path: string): Promise<MetadataAnswer> {
  const server = new MetadataServer(env["GCE_METADATA_HOST"], signal);
  try {
    return await server.ofAccount(path);
  } finally {
    await server.close();
  }
}

/** IAM Service Account Credentials API, `projects.serviceAccounts.generateIdToken`. */
async function impersonate(account: string, api: string, surroundings: Surroundings): Promise<string> {
  const { service, audience } = surroundings;
  const accessToken = await accessTokenOf(surroundings);
  return await withSecrets([accessToken], async () => {
    const answer = await service.ask({
      method: "POST",
      url: new URL(`/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:generateIdToken`, api),
      what: "the identity token",
      headers: { authorization: `Bearer ${accessToken}`, "content-type": "application/json" },
      body: encodeUtf8(JSON.stringify({ audience, includeEmail: true })),
      maxBytes: LIMITS.tokenBytes,
    });
    return textIn(jsonOf(answer, "the answer"), "token", "the answer");
  });
}

async function accessTokenOf(surroundings: Surroundings): Promise<string> {
  const key = await keyOf(surroundings);
  if (key !== undefined) return await key.accessToken(surroundings);
  const answer = await askMetadata(surroundings, "token");
  if (answer.status !== 200) throw refused(answer);
  return textIn(jsonOf({ bytes: answer.bytes, contentType: "" }, "the answer"), "access_token", "the answer");
}

function refused({ status }: MetadataAnswer): CountersignError {
  const hasNone = status === 404;
  return new CountersignError(hasNone ? "not-found" : "denied", "the metadata server gives no token", {
    found: `${status}${hasNone ? ": this machine has no service account" : ""}`,
    wanted: "a token of the machine's service account",
    next: "attach a service account to this machine, or give --identity-token",
  });
}

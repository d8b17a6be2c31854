import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { withSecrets } from "../http/secrets.ts";
import { jsonOf, textIn } from "./answers.ts";
import { type Provider, serviceAddress } from "./provider.ts";

/**
 * GitHub Actions hands an address and a request token to jobs with `permissions: id-token: write`, and gives an identity
 * token for any audience (GitHub docs, "OpenID Connect reference").
 */
export const githubActions: Provider = {
  name: "GitHub Actions",
  async find({ env, service, audience }) {
    const address = env["ACTIONS_ID_TOKEN_REQUEST_URL"];
    const requestToken = env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
    if (!address && !requestToken) return undefined;
    if (!address || !requestToken) throw halfSet(address ? "TOKEN" : "URL");
    const url = serviceAddress(address, "ACTIONS_ID_TOKEN_REQUEST_URL");
    url.searchParams.set("audience", audience);
    const what = "the identity token";
    const headers = { authorization: `Bearer ${requestToken}`, accept: "application/json" };
    return await withSecrets([requestToken], async () => {
      const answer = await service.ask({ url, what, headers, stay: true, maxBytes: LIMITS.tokenBytes });
      return textIn(jsonOf(answer, "the answer"), "value", "the answer");
    });
  },
};

function halfSet(missing: string): CountersignError {
  return new CountersignError("configuration-invalid", "one of two variables is missing", {
    found: `no ACTIONS_ID_TOKEN_REQUEST_${missing}`,
    wanted: "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN, as the runner sets them",
  });
}

import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { withSecrets } from "../http/secrets.ts";
import { jsonOf, textIn } from "./answers.ts";
import { type Provider, serviceAddress } from "./provider.ts";

const AGENT_API = "https://agent.buildkite.com/v3";

/** Buildkite's agent API, the request that `buildkite-agent oidc request-token` makes: no executable is run. */
export const buildkite: Provider = {
  name: "Buildkite",
  async find({ env, service, audience }) {
    const accessToken = env["BUILDKITE_AGENT_ACCESS_TOKEN"];
    if (!accessToken) return undefined;
    const url = tokenAddress(env["BUILDKITE_AGENT_ENDPOINT"] || AGENT_API, env["BUILDKITE_JOB_ID"]);
    return await withSecrets([accessToken], async () => {
      const answer = await service.ask({
        method: "POST",
        url,
        what: "the identity token",
        headers: {
          authorization: `Token ${accessToken}`,
          "content-type": "application/json",
          accept: "application/json",
        },
        body: encodeUtf8(JSON.stringify({ audience })),
        expect: [200, 201],
        maxBytes: LIMITS.tokenBytes,
      });
      return textIn(jsonOf(answer, "the answer"), "token", "the answer");
    });
  },
};

function tokenAddress(endpoint: string, job: string | undefined): URL {
  if (!job) {
    throw new CountersignError("configuration-invalid", "nothing says which job this is", {
      found: "no BUILDKITE_JOB_ID",
      wanted: "BUILDKITE_JOB_ID, as the agent sets it",
    });
  }
  const url = serviceAddress(endpoint, "BUILDKITE_AGENT_ENDPOINT");
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/jobs/${encodeURIComponent(job)}/oidc/tokens`;
  return url;
}

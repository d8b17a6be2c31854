import { describe } from "node:test";
import { readCompose } from "../../../../src/core/sources/compose.ts";
import { readDockerfile } from "../../../../src/core/sources/dockerfile.ts";
import { readGithubActions } from "../../../../src/core/sources/github-actions.ts";
import { readGitlabCi } from "../../../../src/core/sources/gitlab-ci.ts";
import { readList } from "../../../../src/core/sources/list.ts";
import { itReadsGoldenSources } from "../../../support/source-golden.ts";

describe("sources of people and pipelines in their nastiest formatting", () => {
  itReadsGoldenSources("compose", readCompose);
  itReadsGoldenSources("dockerfile", readDockerfile);
  itReadsGoldenSources("github-actions", readGithubActions);
  itReadsGoldenSources("gitlab-ci", readGitlabCi);
  itReadsGoldenSources("list", readList);
});

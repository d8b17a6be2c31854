import { describe } from "node:test";
import { readHelmValues } from "../../../../src/core/sources/helm-values.ts";
import { readKubernetes } from "../../../../src/core/sources/kubernetes.ts";
import { readKustomization } from "../../../../src/core/sources/kustomize.ts";
import { itReadsGoldenSources } from "../../../support/source-golden.ts";

describe("sources of YAML in their nastiest formatting", () => {
  itReadsGoldenSources("kubernetes", readKubernetes);
  itReadsGoldenSources("kustomize", readKustomization);
  itReadsGoldenSources("helm-values", readHelmValues);
});

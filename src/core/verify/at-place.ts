import { CountersignError } from "../errors.ts";
import { type Place, placeName } from "../policy/document.ts";

/** What is wrong with a part of a policy is wrong with the policy, at its place. */
export async function atPlace<Result>(place: Place, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "usage") throw error;
    const { message, found, wanted } = error;
    const where = placeName(place);
    throw new CountersignError("policy-invalid", message, {
      found: found === undefined ? where : `${where}: ${found}`,
      wanted,
      cause: error,
    });
  }
}

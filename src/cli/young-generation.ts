import { setFlagsFromString } from "node:v8";

/**
 * For commands through which many bytes pass. Each chunk is a buffer that lives for moments, and V8 answers by growing
 * its young generation, in which dead buffers then lie for long: fresh memory has to be found for the next ones. Kept at
 * its first size, buffers are used again at once. Measured on a 1 GiB pull, this takes a third off the processor time and
 * a quarter off the memory. The flag is read whenever V8 considers growing, so that it works at any time.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * Milliseconds of processor time that this process has used so far, in all its threads. Tests that something stays cheap
 * compare two of these: on a busy machine a wall clock measures the neighbours. Speeds belong into `bench/`; what is
 * caught here is work that grows far faster than its input, so no limit is below a second.
 */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * How many of the seats can be filled at once, each with somebody who may take it and nobody in two: a maximum bipartite
 * matching, by augmenting paths (Kuhn). `who` lists for each seat the people who may take it.
 */
export function mostSeated(who: readonly Iterable<string>[]): number {
  const seatOf = new Map<string, number>();
  const seats = who.map((people) => [...people]);
  return seats.filter((_, seat) => seat === findSeat(seat, seats, seatOf)).length;
}

/** Gives a seat to somebody, who may leave another to a third for it. Paths are kept in a list: there is no stack to overflow. */
function findSeat(
  start: number,
  seats: readonly (readonly string[])[],
  seatOf: Map<string, number>,
): number | undefined {
  const asked = new Map<string, number>();
  const queue = [start];
  for (const seat of queue) {
    for (const person of seats[seat] ?? []) {
      if (asked.has(person)) continue;
      asked.set(person, seat);
      const taken = seatOf.get(person);
      if (taken === undefined) {
        moveUp(person, asked, seatOf, start);
        return start;
      }
      queue.push(taken);
    }
  }
  return undefined;
}

/** Everybody on the path takes the seat from which they were asked, whose former holder takes the one before it. */
function moveUp(last: string, asked: ReadonlyMap<string, number>, seatOf: Map<string, number>, start: number): void {
  const holders = new Map([...seatOf].map(([person, seat]) => [seat, person]));
  for (let person: string | undefined = last; person !== undefined; ) {
    const seat = asked.get(person);
    if (seat === undefined) return;
    seatOf.set(person, seat);
    person = seat === start ? undefined : holders.get(seat);
  }
}

/** Thrown when one of our own invariants does not hold: a bug, never the outside's doing. Stays on in production. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * States something that must hold unless our own code is wrong.
 *
 * @throws {AssertionError} when it does not
 */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionError(`broken invariant: ${claim}`);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value: ${JSON.stringify(value)}`);
}

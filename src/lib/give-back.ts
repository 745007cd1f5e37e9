/**
 * Gives a piece's memory back at once, when it has memory of its own. Nobody may look at it afterwards.
 *
 * Garbage of this kind is dear: it lies outside V8's heap, and to find it the whole heap is marked for every few dozen bodies.
 *
 * @param slackBytes what it may leave of its memory, where nobody else can have been given that
 */
export function giveBack(piece: Buffer, slackBytes = 0): void {
  const { buffer } = piece;
  if (!(buffer instanceof ArrayBuffer) || buffer.detached) return;
  if (buffer.byteLength <= piece.length + slackBytes) buffer.transfer(0);
}

/**
 * Gives back memory in which nobody has anything any more, unless it is Node's pool, of which each Buffer of less than half of it may
 * be a view beside others. The pool is known by its size, which differs between versions of Node.
 */
export function giveBackMemory(memory: ArrayBufferLike): void {
  if (!(memory instanceof ArrayBuffer) || memory.detached) return;
  if (memory.byteLength !== Buffer.poolSize) memory.transfer(0);
}

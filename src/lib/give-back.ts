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

/** One turn's lines for another shard, put into one message: large bodies are moved, small ones copied together. */
import type { AppendRequest, DeflatedLines, RequestIdentity } from '../buffer/index.ts';
import type { Handed, LinesMessage, Row, RowDeflated, RowIdentity } from './contract.ts';

/** Memory below this is copied: moving it costs a message more than its bytes do. */
const MOVED_BYTES = 16 * 1024;

export interface Parcel {
  readonly message: LinesMessage;
  /** What is moved with it. */
  readonly moved: ArrayBuffer[];
}

/** @param handed all of what was handed over in this turn, so that memory which several share is moved once */
export function parcel(firstId: number, handed: readonly Handed[]): Parcel {
  const copied = handed.filter((one) => !isMoved(one));
  const bytes: Uint8Array[] = [];
  const ends: Uint32Array[] = [];
  const places = new Map<ArrayBufferLike, number>();
  const small = copyTogether(copied);
  if (small) {
    bytes.push(small.bytes);
    ends.push(small.ends);
  }
  const fragments: Uint8Array[] = [];
  const rows = handed.map((one): Row => {
    const { deflated } = one;
    const packed = deflated
      ? ([fragments.push(deflated.fragment) - 1, deflated.crc] as const)
      : null;
    const at = small?.places.get(one);
    if (at) return row(one, 0, at.from, at.endsFrom, packed);
    const { bytes: body, ends: lineEnds } = one.lines;
    const known = places.get(body.buffer);
    const memory = known ?? bytes.length;
    if (known === undefined) {
      places.set(body.buffer, memory);
      bytes.push(new Uint8Array(body.buffer));
      ends.push(new Uint32Array(lineEnds.buffer));
    }
    return row(
      one,
      memory,
      body.byteOffset,
      lineEnds.byteOffset / lineEnds.BYTES_PER_ELEMENT,
      packed,
    );
  });
  const moved = [...bytes, ...ends, ...fragments].map(({ buffer }) => buffer as ArrayBuffer);
  return { message: { kind: 'lines', firstId, bytes, ends, fragments, rows }, moved };
}

/** Lines that share their bytes' memory with others share that of their ends with the same ones. */
function isMoved({ isMovable, lines }: Handed): boolean {
  return isMovable && lines.bytes.buffer.byteLength >= MOVED_BYTES;
}

function copyTogether(handed: readonly Handed[]) {
  if (handed.length === 0) return undefined;
  const sum = (sizeOf: (one: Handed) => number) =>
    handed.reduce((total, one) => total + sizeOf(one), 0);
  const bytes = new Uint8Array(sum(({ lines }) => lines.bytes.length));
  const ends = new Uint32Array(sum(({ lines }) => lines.ends.length));
  const places = new Map<Handed, { readonly from: number; readonly endsFrom: number }>();
  let from = 0;
  let endsFrom = 0;
  for (const one of handed) {
    places.set(one, { from, endsFrom });
    bytes.set(one.lines.bytes, from);
    ends.set(one.lines.ends, endsFrom);
    from += one.lines.bytes.length;
    endsFrom += one.lines.ends.length;
  }
  return { bytes, ends, places };
}

function row(
  one: Handed,
  memory: number,
  from: number,
  endsFrom: number,
  deflated: RowDeflated | null,
): Row {
  const { stream, account, lines, identity, via } = one;
  const to = from + lines.bytes.length;
  const endsTo = endsFrom + lines.ends.length;
  const name = packIdentity(identity);
  return [stream, account, memory, from, to, endsFrom, endsTo, name, via, deflated];
}

/** The requests of a message, over the memory that came with it. */
export function unpack(message: LinesMessage): readonly AppendRequest[] {
  const { bytes, ends, fragments, rows } = message;
  return rows.map(
    ([stream, account, memory, from, to, endsFrom, endsTo, identity, , deflated]) => ({
      stream,
      account,
      lines: {
        bytes: Buffer.from(bytes[memory]!.buffer, from, to - from),
        ends: ends[memory]!.subarray(endsFrom, endsTo),
      },
      ...(identity !== null && { identity: unpackIdentity(identity) }),
      ...(deflated && { deflated: unpackDeflated(fragments, deflated) }),
    }),
  );
}

function unpackDeflated(
  fragments: LinesMessage['fragments'],
  [at, crc]: RowDeflated,
): DeflatedLines {
  const { buffer, byteOffset, length } = fragments[at]!;
  return { fragment: Buffer.from(buffer, byteOffset, length), crc };
}

function packIdentity(identity: RequestIdentity | undefined): RowIdentity | null {
  if (identity === undefined) return null;
  return identity.kind === 'key' ? identity.hash.toString('latin1') : identity;
}

function unpackIdentity(identity: RowIdentity): RequestIdentity {
  if (typeof identity !== 'string') return identity;
  return { kind: 'key', hash: Buffer.from(identity, 'latin1') };
}

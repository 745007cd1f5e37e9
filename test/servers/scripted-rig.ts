/** Rigs of the destinations' conformance suite for whatever speaks HTTP to a scripted receiver. */
import type { Rig, Situation } from '../../src/destinations/conformance.ts';
import type {
  DestinationKind,
  DestinationTools,
  Sender,
} from '../../src/destinations/destination.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { nodeFileSystem } from '../../src/lib/fs/node.ts';
import { EXPIRED, VALID } from './certificates.ts';
import { testDialler } from './dialler.ts';
import { startScriptedReceiver } from './scripted-http.ts';
import type { Beside, Script, ScriptedReceiver } from './scripted-http.ts';

export interface Upload {
  readonly path: string;
  readonly body: Buffer;
}

export interface ScriptedSubject {
  readonly kind: DestinationKind;
  readonly secure: boolean;
  /** What the receiver does in a situation; absent: it accepts. */
  readonly scripts: Partial<Record<Situation, Script>>;
  /** What says that a batch was taken; absent: 200. */
  readonly accept?: Script;
  /** The conf that leads to a receiver at `origin` (`https://name:port`). */
  conf(origin: string): string;
  /** What its owner has got wrong in a situation, until it is put in order. */
  readonly spoil?: Partial<Record<Situation, (conf: string) => string>>;
  /** Whether a second upload to the same path takes the first one's place. */
  readonly keepsByPath: boolean;
  /** What a request carries, where the batch is not its whole body. */
  readonly unwrap?: (request: Upload) => Upload;
  /** Tools beyond the usual ones. */
  readonly tools?: Partial<DestinationTools>;
  /** Services beside the receiver: token endpoints. */
  readonly beside?: Beside;
}

const ACCEPT: Script = { do: 'answer', status: 200 };

/** Where a test waits for our own patience to end. */
const SILENT: readonly Situation[] = ['says nothing', 'takes nothing'];
const SILENT_MS = 600;
/** The same where something is to come through first: on a busy machine that alone may take a second. */
const HALF_SILENT_MS = 2_500;

/** Tools for tests; bounds are long enough for a busy machine. */
export function testTools(
  tools: Partial<DestinationTools> & Pick<DestinationTools, 'dialler'>,
): DestinationTools {
  return {
    files: nodeFileSystem(),
    clock: systemClock,
    policy: { allowHttp: true, fileRoots: [] },
    ambientCredentials: false,
    attemptMs: 60_000,
    stallMs: 10_000,
    responseBytes: 4_096,
    ...tools,
  };
}

export async function scriptedRig(subject: ScriptedSubject, situation: Situation): Promise<Rig> {
  const expired = situation === 'has a certificate that expired';
  const unknown = situation === 'has a certificate of nobody known';
  const nowhere = situation === 'has a name that does not exist';
  const inner = situation === 'stands at an inner address';
  const stallMs = stallMsOf(situation);
  const receiver = await startScriptedReceiver(
    certificate(subject.secure, expired),
    subject.beside,
  );
  const script = subject.scripts[situation];
  if (script) receiver.script(script);
  else if (subject.accept) receiver.script(subject.accept);
  const trusting = testDialler({ ca: [VALID.cert] });
  const wary = testDialler({
    ca: unknown ? [] : [VALID.cert, EXPIRED.cert],
    ...(inner ? { open: [] } : {}),
  });
  const open = (
    to: ScriptedReceiver,
    host: string,
    dialler = trusting,
    spoil = (conf: string): string => conf,
  ): Promise<Sender> => {
    const origin = `${subject.secure ? 'https' : 'http'}://${host}:${to.port}`;
    return subject.kind.open(
      spoil(subject.conf(origin)),
      testTools({ ...subject.tools, dialler, stallMs }),
    );
  };
  const receivers = [receiver];
  const host = nowhere ? 'nowhere.example' : 'receiver.test';
  const spoil = subject.spoil?.[situation];
  let sender = await open(receiver, host, wary, spoil);
  return {
    sender: {
      send: (batch, signal) => sender.send(batch, signal),
      close: () => sender.close(),
    },
    held() {
      const unwrap = subject.unwrap ?? ((upload: Upload) => upload);
      const uploads = receivers.flatMap(({ received }) => received).map(unwrap);
      const byPath = new Map(uploads.map(({ path, body }) => [path, body]));
      return Promise.resolve(
        subject.keepsByPath ? [...byPath.values()] : uploads.map(({ body }) => body),
      );
    },
    async recover() {
      receiver.script(subject.accept ?? ACCEPT);
      if (!expired && !unknown && !nowhere && !spoil) return;
      const mended = await startScriptedReceiver(
        certificate(subject.secure, false),
        subject.beside,
      );
      mended.script(subject.accept ?? ACCEPT);
      receivers.push(mended);
      await sender.close();
      sender = await open(mended, 'receiver.test');
    },
    async close() {
      trusting.close();
      wary.close();
      await Promise.all(receivers.map((each) => each.close()));
    },
  };
}

function certificate(secure: boolean, expired: boolean) {
  if (!secure) return undefined;
  return expired ? EXPIRED : VALID;
}

function stallMsOf(situation: Situation): number {
  if (situation === 'answers by half') return HALF_SILENT_MS;
  return SILENT.includes(situation) ? SILENT_MS : 10_000;
}

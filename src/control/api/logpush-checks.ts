/** Logpush's questions before a job is made: who owns a destination, does it take anything, are the options right. */
import { z } from 'zod';
import { limits } from '../../model/limits.ts';
import { parseLogpullOptions } from '../../model/output-options.ts';
import { datasetOf } from '../datasets/catalog.ts';
import { challengePath, challengeText } from '../jobs/challenge-object.ts';
import { judgeDestination } from '../jobs/destination.ts';
import type { JudgedDestination } from '../jobs/destination.ts';
import { makeChallenge, provesOwnership } from '../jobs/ownership.ts';
import type { TrialOutcome } from '../data-plane.ts';
import { refuse } from '../refusal.ts';
import type { Refusal } from '../refusal.ts';
import { ask } from './context.ts';
import { existsAnswer, judgedAnswer, ownershipAnswer, validAnswer } from './answers/logpush.ts';
import type { Context } from './context.ts';
import { json, scoped } from './route.ts';
import type { Answer, Checked, Route } from './route.ts';

const WRITE = { scope: 'logs_write' } as const;
/** How much longer than the trial itself its answer may take. */
const GRACE_MS = 1_000;
/** What a destination gets to see when it is tried, as Logpush sends it. */
const TEST_LINE = '{"content":"tests"}\n';

const conf = z.string().min(1).max(limits.control.destinationConfBytes);
const destinationBody = z.strictObject({ destination_conf: conf });
const challengeBody = z.strictObject({
  destination_conf: conf,
  ownership_challenge: z.string().max(4096),
});
const originBody = z.strictObject({
  logpull_options: z.string().max(4096).nullable(),
  dataset: z.string().max(256).nullish(),
});

type DestinationBody = z.infer<typeof destinationBody>;

export function logpushCheckRoutes(context: Context): readonly Route[] {
  const base = '/client/v4/{scope}/logpush';
  return [
    ...scoped({
      method: 'POST',
      path: `${base}/ownership`,
      access: WRITE,
      answer: ownershipAnswer,
      help: 'Writes an ownership challenge to a destination; who can read it there may deliver there.',
      body: destinationBody,
      handle: (call) => challenge(context, call),
    }),
    ...scoped({
      method: 'POST',
      path: `${base}/ownership/validate`,
      access: WRITE,
      answer: validAnswer,
      help: 'Says whether a challenge proves the ownership of a destination.',
      body: challengeBody,
      handle(call) {
        const judged = judge(context, call);
        if (judged.kind === 'refused') return judged;
        const claim = { scope: call.scope, fingerprint: judged.fingerprint };
        const token = call.body.ownership_challenge;
        const { rules, clock } = context;
        return json({ valid: provesOwnership(rules.sealer, token, claim, clock.wallMs()) });
      },
    }),
    ...scoped({
      method: 'POST',
      path: `${base}/validate/destination`,
      access: WRITE,
      answer: judgedAnswer,
      help: 'Tries a destination: sends it one small object that is marked as a test.',
      body: destinationBody,
      handle: (call) => validate(context, call),
    }),
    ...scoped({
      method: 'POST',
      path: `${base}/validate/destination/exists`,
      access: WRITE,
      answer: existsAnswer,
      help: 'Says whether a job of the account delivers to the same place already, credentials apart.',
      body: destinationBody,
      handle(call) {
        const judged = judge(context, call);
        return judged.kind === 'refused'
          ? judged
          : json({ exists: isUsed(context, call, judged.fingerprint) });
      },
    }),
    ...scoped({
      method: 'POST',
      path: `${base}/validate/origin`,
      access: WRITE,
      answer: judgedAnswer,
      help: 'Says whether `logpull_options` are right.',
      body: originBody,
      handle({ scope, body }) {
        const dataset = datasetOf(
          context.desk.state.datasets,
          scope.kind,
          body.dataset || 'http_requests',
        );
        if (!dataset && body.dataset) return refuse('dataset_unknown');
        const read = parseLogpullOptions(body.logpull_options ?? '', dataset);
        return read.kind === 'invalid'
          ? json({ valid: false, message: `\`${read.path}\` ${read.message}` })
          : json({ valid: true, message: '' });
      },
    }),
  ];
}

function judge(
  context: Context,
  call: Checked<DestinationBody, unknown>,
): JudgedDestination | Refusal {
  const { desk, rules } = context;
  return judgeDestination(call.body.destination_conf, desk.state, call.scope, rules);
}

async function challenge(
  context: Context,
  call: Checked<DestinationBody, unknown>,
): Promise<Answer> {
  const judged = judge(context, call);
  if (judged.kind === 'refused') return judged;
  const { clock, random, rules, bounds } = context;
  const nowMs = clock.wallMs();
  const claim = { scope: call.scope, fingerprint: judged.fingerprint };
  const token = makeChallenge(rules.sealer, claim, nowMs + bounds.challengeMs);
  const name = `ownership-challenge-${random.bytes(4).toString('hex')}.txt`;
  const tried = await attempt(context, call, {
    name,
    text: challengeText(token, judged.keepsObjects),
    gzip: !judged.keepsObjects,
  });
  if (tried.kind === 'refused') return tried;
  if (tried.kind === 'failed') {
    return refuse(
      'body_invalid',
      `error validating destination: error writing object: ${tried.reason}`,
      'destination_conf',
    );
  }
  const filename = judged.keepsObjects
    ? challengePath(call.body.destination_conf, name, nowMs)
    : name;
  return json({ filename, message: '', valid: true });
}

async function validate(
  context: Context,
  call: Checked<DestinationBody, unknown>,
): Promise<Answer> {
  const judged = judge(context, call);
  if (judged.kind === 'refused') return json({ valid: false, message: judged.message });
  const name = `waybill-test-${context.random.bytes(4).toString('hex')}.txt.gz`;
  const tried = await attempt(context, call, { name, text: TEST_LINE, gzip: true });
  switch (tried.kind) {
    case 'refused':
      return tried;
    case 'failed':
      return json({ valid: false, message: `error validating destination: ${tried.reason}` });
    case 'accepted':
      return json({ valid: true, message: '' });
  }
}

async function attempt(
  context: Context,
  call: Checked<DestinationBody, unknown>,
  object: { readonly name: string; readonly text: string; readonly gzip: boolean },
): Promise<TrialOutcome | Refusal> {
  const { desk, trials, dataPlane, bounds } = context;
  const account = desk.state.accountOf(call.scope);
  if (account === undefined) return refuse('scope_unknown');
  return await trials.run(account, async () => {
    const trial = { account, destinationConf: call.body.destination_conf, ...object };
    const asked = await ask(
      context,
      'tryDestination',
      () => dataPlane.tryDestination(trial),
      bounds.trialMs + GRACE_MS,
    );
    return asked.kind === 'refused' ? asked : asked.value;
  });
}

/** Other accounts' jobs are nobody's business here. */
function isUsed(
  { desk }: Context,
  { scope }: Checked<DestinationBody, unknown>,
  fingerprint: string,
): boolean {
  const { state } = desk;
  const account = state.accountOf(scope);
  if (account === undefined) return false;
  const zones = state.zonesOf(account).map(({ id }) => ({ kind: 'zone', id }) as const);
  return [{ kind: 'account', id: account } as const, ...zones].some((one) =>
    state.jobsOf(one).some((job) => job.fingerprint === fingerprint),
  );
}

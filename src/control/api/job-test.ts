/** One marked line through a job's own destination: does it take anything, and if not, why not. Nothing of it reaches the books. */
import { z } from 'zod';
import { refuse } from '../refusal.ts';
import { jobTestAnswer } from './answers/logpush.ts';
import { ask } from './context.ts';
import type { Context } from './context.ts';
import { jobFor } from './jobs.ts';
import { json, route } from './route.ts';
import type { Answer, Call, Route } from './route.ts';

/** How much longer than the trial itself its answer may take. */
const GRACE_MS = 1_000;

export function jobTestRoutes(context: Context): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/jobs/:job/test',
      access: 'token',
      answer: jobTestAnswer,
      help: 'Sends one line that is marked as a test to where the job delivers, and says what became of it. Also of jobs that are off.',
      query: z.strictObject({}),
      handle: (call) => testJob(context, call),
    }),
  ];
}

async function testJob(context: Context, call: Call): Promise<Answer> {
  const { desk, rules, random, trials, dataPlane, bounds } = context;
  const { state } = desk;
  const found = jobFor(state, call, 'logs_write');
  if (found.kind === 'refused') return found;
  const { job } = found;
  const account = state.accountOf(job.scope);
  const sealed = state.secret(job.secret.id);
  const conf = sealed && rules.sealer.open(sealed);
  if (account === undefined || conf === undefined)
    return refuse('conflict', 'The stored destination_conf cannot be opened. Set it again.');
  const line = JSON.stringify({ content: 'tests', waybill_test: true, job: job.id });
  const tried = await trials.run(account, async () => {
    const trial = {
      account,
      destinationConf: conf,
      name: `waybill-test-${random.bytes(4).toString('hex')}.txt.gz`,
      text: `${line}\n`,
      gzip: true,
    };
    const within = bounds.trialMs + GRACE_MS;
    const send = () => dataPlane.tryDestination(trial);
    const asked = await ask(context, 'tryDestination', send, within);
    return asked.kind === 'refused' ? asked : asked.value;
  });
  if (tried.kind === 'refused') return tried;
  const message =
    tried.kind === 'accepted' ? `The destination took the line ${line}` : tried.reason;
  return json({ accepted: tried.kind === 'accepted', message, destination: job.destination });
}

/** A plan for people: each object with its sign, what changes in it, what it does to delivery, what the guard says. */
import type { CliContext } from '../context.ts';
import { guardText } from '../control-client.ts';
import type { GuardView } from '../control-client.ts';
import { paint, plural } from '../output.ts';

export interface StageView {
  readonly who: string;
  readonly at: string;
  readonly version: number;
  readonly jobsDone: number;
  readonly jobsLeft: number;
}

export interface PlanView {
  readonly version: number;
  readonly counts: {
    readonly create: number;
    readonly update: number;
    readonly delete: number;
    readonly unchanged: number;
  };
  readonly objects: readonly {
    readonly kind: string;
    readonly id: string;
    readonly how: 'added' | 'removed' | 'changed';
    readonly fields: readonly {
      readonly path: string;
      readonly before?: unknown;
      readonly after?: unknown;
    }[];
  }[];
  readonly more: number;
  readonly radius: GuardView;
  readonly guard: {
    readonly code: string;
    readonly message: string;
    readonly token: string | null;
  } | null;
  readonly planned: string;
  readonly stage: StageView | null;
}

const SIGNS = {
  added: { sign: '+', style: 'green' },
  changed: { sign: '~', style: 'yellow' },
  removed: { sign: '-', style: 'red' },
} as const;

/** Kept by the server and of no interest to who has written the file. */
const HIDDEN =
  /^(id|scope|dataset|version|contentVersion|olderContents|created|createdMs|fingerprint|secret\.id)(\.|$)/;

export function isNothing({ counts }: PlanView): boolean {
  return counts.create + counts.update + counts.delete === 0;
}

/** @param insists whether somebody insists already: then he is not told how to */
export function printPlan({ output }: CliContext, plan: PlanView, insists = false): void {
  for (const { kind, id, how, fields } of plan.objects) {
    const { sign, style } = SIGNS[how];
    output.out(`${paint(output, style, `${sign} ${kind} ${id}`)}\n`);
    if (how === 'removed') continue;
    for (const { path, before, after } of fields) {
      if (HIDDEN.test(path) || (how === 'added' && isPlain(after))) continue;
      if (path === 'secret.version') {
        if (how === 'changed' && !fields.some((field) => field.path === 'destination'))
          output.out('    destination: other credentials\n');
        continue;
      }
      output.out(
        how === 'added'
          ? `    ${path}: ${shown(after)}\n`
          : `    ${path}: ${shown(before)} -> ${shown(after)}\n`,
      );
    }
  }
  if (plan.more > 0) output.out(`… and ${plural(plan.more, 'more object')}\n`);
  const { create, update, unchanged } = plan.counts;
  const { streamsEnded, streams, streamsStarted, jobsChanged, accounts } = plan.radius;
  output.out(
    `\n${create} to make, ${update} to change, ${plan.counts.delete} to delete, ${unchanged} as they are.\n` +
      `Delivery ends for ${streamsEnded} of ${plural(streams, 'stream')} and starts for ${streamsStarted}; ` +
      `${plural(jobsChanged, 'running job')} changed; ${plural(accounts, 'account')} touched.\n`,
  );
  if (plan.guard) {
    output.out(`${paint(output, 'red', `The guard would refuse it: ${plan.guard.message}`)}\n`);
    output.out(`${guardText({ ...plan.radius, token: insists ? null : plan.guard.token })}\n`);
  }
}

export function printStage({ output }: CliContext, stage: StageView | null): void {
  output.out(
    stage
      ? `A staged apply is open: ${plural(stage.jobsDone, 'job')} done at ${stage.at} in version ${stage.version} by ${stage.who}, ${plural(stage.jobsLeft, 'job')} waiting.\nThe rest: waybill apply -f … --rest. To forget it (what is done stays): waybill apply --drop.\n`
      : 'No staged apply is open.\n',
  );
}

function isPlain(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    value === 0 ||
    value === false ||
    (typeof value === 'object' && Object.keys(value).length === 0)
  );
}

function shown(value: unknown): string {
  return value === undefined
    ? '-'
    : typeof value === 'string'
      ? value || '""'
      : JSON.stringify(value);
}

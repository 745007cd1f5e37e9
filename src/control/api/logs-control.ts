/** Logpush's settings beside jobs: Logpull's retention flag of a zone, and an account's metadata boundary. */
import { z } from 'zod';
import type { Actor, Edited } from '../desk.ts';
import { refuse } from '../refusal.ts';
import type { AccountRecord } from '../store/records.ts';
import type { Context } from './context.ts';
import { cmbAnswer, flagAnswer } from './answers/logpush.ts';
import { json, route } from './route.ts';
import type { Answer, Route } from './route.ts';

const READ = { scope: 'logs_read' } as const;
const WRITE = { scope: 'logs_write' } as const;

const flagBody = z.strictObject({ flag: z.boolean() });
const cmbBody = z.strictObject({
  regions: z
    .string()
    .max(256)
    .regex(/^[a-z,]*$/, 'may hold small letters and commas')
    .optional(),
  allow_out_of_region_access: z.boolean().optional(),
});

type Cmb = NonNullable<AccountRecord['cmb']>;

export function logsControlRoutes(context: Context): readonly Route[] {
  return [...retentionRoutes(context), ...cmbRoutes(context)];
}

function retentionRoutes({ desk }: Context): readonly Route[] {
  const path = '/client/v4/zones/:zone/logs/control/retention/flag';
  return [
    route({
      method: 'GET',
      path,
      access: READ,
      answer: flagAnswer,
      help: "Shows whether a zone's requests are to be kept for Logpull.",
      handle({ scope }) {
        const zone = desk.state.zones.get(scope.id);
        return zone ? json({ flag: zone.retention }) : refuse('scope_unknown');
      },
    }),
    route({
      method: 'POST',
      path,
      access: WRITE,
      answer: flagAnswer,
      help: "Sets whether a zone's requests are to be kept for Logpull.",
      body: flagBody,
      async handle({ scope, actor, body }) {
        const changed = await desk.change(actor, 'zone.retention', (state): Edited<boolean> => {
          const before = state.zones.get(scope.id);
          if (!before) return refuse('scope_unknown');
          if (before.retention === body.flag) return { kind: 'unchanged', value: body.flag };
          const after = { ...before, retention: body.flag };
          return {
            kind: 'draft',
            edits: [{ kind: 'zone', id: scope.id, before, after }],
            value: body.flag,
          };
        });
        return changed.kind === 'refused' ? changed : json({ flag: changed.value });
      },
    }),
  ];
}

function cmbRoutes(context: Context): readonly Route[] {
  const { desk } = context;
  const path = '/client/v4/accounts/:account/logs/control/cmb/config';
  return [
    route({
      method: 'GET',
      path,
      access: READ,
      answer: cmbAnswer,
      help: "Shows an account's metadata boundary; null when none was set.",
      handle({ scope }) {
        const account = desk.state.accounts.get(scope.id);
        return account ? json(account.cmb && showCmb(account.cmb)) : refuse('scope_unknown');
      },
    }),
    route({
      method: 'POST',
      path,
      access: WRITE,
      answer: cmbAnswer,
      help: "Stores an account's metadata boundary. It has no effect here: one server has one place.",
      body: cmbBody,
      handle({ scope, actor, body }) {
        const cmb = {
          regions: body.regions ?? '',
          allowOutOfRegionAccess: body.allow_out_of_region_access ?? false,
        };
        return putCmb(context, scope.id, actor, cmb);
      },
    }),
    route({
      method: 'DELETE',
      path,
      access: WRITE,
      answer: cmbAnswer,
      help: "Takes an account's metadata boundary away.",
      handle: ({ scope, actor }) => putCmb(context, scope.id, actor, null),
    }),
  ];
}

async function putCmb(
  { desk }: Context,
  id: string,
  actor: Actor,
  cmb: Cmb | null,
): Promise<Answer> {
  const changed = await desk.change(actor, 'account.cmb', (state): Edited<Cmb | null> => {
    const before = state.accounts.get(id);
    if (!before) return refuse('scope_unknown');
    if (JSON.stringify(before.cmb) === JSON.stringify(cmb))
      return { kind: 'unchanged', value: cmb };
    const after = { ...before, cmb };
    return { kind: 'draft', edits: [{ kind: 'account', id, before, after }], value: cmb };
  });
  return changed.kind === 'refused' ? changed : json(changed.value && showCmb(changed.value));
}

function showCmb({ regions, allowOutOfRegionAccess }: Cmb): object {
  return { regions, allow_out_of_region_access: allowOutOfRegionAccess };
}

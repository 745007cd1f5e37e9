/** The control store itself: rebuilt from the snapshot in force when it was lost. */
import { refuse } from '../refusal.ts';
import { rebuiltAnswer, rotatedAnswer } from './answers/server.ts';
import type { Context } from './context.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';

export function storeRoutes(context: Context): readonly Route[] {
  const { desk, store, rotation } = context;
  return [
    route({
      method: 'POST',
      path: '/v1/control/rebuild',
      access: 'operator',
      answer: rebuiltAnswer,
      help: 'Restores the control store from the snapshot in force, and sets aside what lies in its place. Nothing is done when the store is what it should be.',
      async handle({ actor }) {
        const rebuilt = await store.rebuild();
        if (rebuilt.kind === 'failed') return refuse('store_unavailable', rebuilt.detail);
        if (rebuilt.kind === 'nothing')
          return json({ rebuilt: false, version: desk.state.version, setAside: null });
        // An entry without edits: the change log says when it was, and who did it.
        const noted = await desk.change(actor, 'control.rebuild', () => ({
          kind: 'draft',
          edits: [],
          value: undefined,
        }));
        if (noted.kind === 'refused') return noted;
        return json({
          rebuilt: true,
          version: desk.state.version,
          setAside: rebuilt.aside ?? null,
        });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/control/rotate-key',
      access: 'operator',
      answer: rotatedAnswer,
      help: 'Seals every secret with a new key, in one change; the history follows.',
      async handle({ actor }) {
        const rotated = await rotation.rotate(actor);
        return rotated.kind === 'refused'
          ? rotated
          : json({ ...rotated.value, version: desk.state.version });
      },
    }),
  ];
}

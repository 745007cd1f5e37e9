/** `waybill control rebuild --data-dir`: the same as the API does, on the folder of a server that does not run. */
import { openStore } from './opening.ts';
import type { OpeningDeps } from './opening.ts';

export type OfflineRebuild =
  | { readonly kind: 'rebuilt'; readonly version: number; readonly setAside: string | null }
  | { readonly kind: 'nothing'; readonly version: number }
  | { readonly kind: 'failed'; readonly detail: string };

/** Needs no key: secrets stay sealed. The caller holds the folder's lock. */
export async function rebuildOffline(
  deps: Omit<OpeningDeps, 'mustExist'>,
): Promise<OfflineRebuild> {
  const opened = await openStore({ ...deps, mustExist: true });
  if (opened.kind === 'unreadable') return { kind: 'failed', detail: opened.detail };
  const { store } = opened;
  try {
    const rebuilt = await store.rebuild();
    const { version } = store.standing;
    switch (rebuilt.kind) {
      case 'rebuilt':
        return { kind: 'rebuilt', version, setAside: rebuilt.aside ?? null };
      case 'nothing':
        return { kind: 'nothing', version };
      case 'failed':
        return rebuilt;
    }
  } finally {
    await store.close();
  }
}

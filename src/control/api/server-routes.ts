/** The server itself: health, metrics, status, and what destinations there are. */
import { describeDestinations } from '../../destinations/index.ts';
import { configurationMetrics, standingView } from './standing.ts';
import { ask } from './context.ts';
import { destinationsAnswer, statusAnswer } from './answers/server.ts';
import type { Context } from './context.ts';
import { json, route } from './route.ts';
import type { Answer, Route } from './route.ts';

/** Prometheus' text exposition format, version 0.0.4. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function serverRoutes(context: Context): readonly Route[] {
  const { desk, dataPlane, store } = context;
  return [
    route({
      method: 'GET',
      path: '/healthz',
      access: 'open',
      answer: { contentType: 'text/plain' },
      help: 'Says that the process answers.',
      handle: () => text(200, 'ok\n'),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      access: 'open',
      answer: { contentType: 'text/plain' },
      help: 'Says whether producers can be served.',
      handle() {
        const { ready, reason } = dataPlane.ready();
        if (!ready) return text(503, `not ready: ${reason ?? 'starting'}\n`);
        // One shard of several: the lines of the others go on, so the server is not taken out of service for it.
        return text(200, reason === undefined ? 'ready\n' : `ready, except ${reason}\n`);
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      access: 'open',
      answer: { contentType: 'text/plain' },
      help: "Metrics in Prometheus' text form.",
      async handle() {
        const metrics = await ask(context, 'metrics', () => dataPlane.metrics());
        if (metrics.kind === 'refused') return metrics;
        const body = `${metrics.value}${configurationMetrics(store.standing)}`;
        return { kind: 'bytes', status: 200, contentType: METRICS_TYPE, body };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/status',
      access: 'operator',
      answer: statusAnswer,
      help: 'Shows how the server is doing.',
      async handle() {
        const asked = await ask(context, 'status', () => dataPlane.status());
        const { state } = desk;
        const { ready, reason } = dataPlane.ready();
        return json({
          version: context.version,
          ready,
          reason: reason ?? null,
          configuration: {
            version: state.version,
            accounts: state.accounts.size,
            zones: state.zones.size,
            jobs: state.jobs.size,
            enabledJobs: [...state.jobs.values()].filter(({ enabled }) => enabled).length,
            ...standingView(store.standing),
          },
          ...(asked.kind === 'refused'
            ? { durability: null, started: null, shards: null }
            : {
                durability: asked.value.durability,
                started: new Date(asked.value.startedMs).toISOString(),
                shards: asked.value.shards,
              }),
        });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/destinations',
      access: 'token',
      answer: destinationsAnswer,
      help: 'Describes the kinds of destination and their settings.',
      handle: () => json({ destinations: describeDestinations() }),
    }),
  ];
}

function text(status: number, body: string): Answer {
  return { kind: 'bytes', status, contentType: 'text/plain; charset=utf-8', body };
}

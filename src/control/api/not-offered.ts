/** What Logpush has and Waybill does not: answered with a clear error, so that nobody takes it for a wrong path. */
import { refuse } from '../refusal.ts';
import { route, scoped } from './route.ts';
import type { Method, Route } from './route.ts';

const WRITE = { scope: 'logs_write' } as const;
const READ = { scope: 'logs_read' } as const;

const TRANSFORMERS: readonly (readonly [Method, string])[] = [
  ['GET', ''],
  ['POST', ''],
  ['POST', '/preview'],
  ['GET', '/:transformer'],
  ['PUT', '/:transformer'],
  ['DELETE', '/:transformer'],
  ['GET', '/:transformer/content'],
  ['GET', '/:transformer/versions'],
];

const LOGS_ENGINE: readonly (readonly [Method, string])[] = [
  ['GET', '/list'],
  ['GET', '/retrieve'],
  ['POST', '/rayids/index'],
  ['GET', '/rayids/:ray'],
];

export function notOfferedRoutes(): readonly Route[] {
  return [
    ...TRANSFORMERS.flatMap(([method, path]) =>
      scoped({
        method,
        path: `/client/v4/{scope}/logpush/transformers${path}`,
        access: WRITE,
        answer: 'never',
        help: 'SQL transformers are not offered here.',
        handle: () =>
          refuse(
            'not_offered',
            'SQL transformers are not offered here. Use `filter` and `output_options`.',
          ),
      }),
    ),
    ...LOGS_ENGINE.map(([method, path]) =>
      route({
        method,
        path: `/client/v4/accounts/:account/logs${path}`,
        access: READ,
        answer: 'never',
        help: 'Logs Engine is not offered here.',
        handle: () =>
          refuse(
            'not_offered',
            'Logs Engine is not offered here. Read the bucket with its own tools, or pull with Logpull.',
          ),
      }),
    ),
  ];
}

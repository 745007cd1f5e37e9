/**
 * The description of the API as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1), made from the route table and from the very
 * schemas that requests are checked with. Its JSON Schemas are of draft 2020-12, as 3.1 has them.
 */
import { z } from 'zod';
import { dialectOf } from './envelope.ts';
import type { Access, AnswerForm, Method, Route } from './route.ts';

type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security: readonly Schema[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: true; readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content: Content }>
  >;
}

export type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly info: Schema;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Schema;
  };
}

const TAGS = {
  logpush: "Logpush's API, as its own clients speak it. Answers stand in its v4 envelope.",
  v1: 'What Logpush lacks: accounts, zones, datasets, tokens, status, books.',
  server: 'The process itself.',
} as const;

const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  account: "The account's id.",
  zone: "The zone's id.",
  job: "The job's id, a whole number from 1.",
  dataset: "The dataset's name.",
  token: "The token's id (not the token itself).",
  erasure: "The erasure's id.",
  replay: "The replay's id, a whole number from 1.",
  webhook: "The webhook's id.",
  line: 'Its id in the list of kept lines.',
  version: 'A version of the configuration.',
  ray: "The ray's id.",
  transformer: "The transformer's id.",
};

const ERROR = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string', description: 'Stable; listed in docs/reference/errors.md.' },
        message: { type: 'string' },
        path: { type: 'string', description: 'Which field.' },
        guard: {
          type: 'object',
          description: 'What a change that the guard refuses would do, and the token to insist.',
        },
      },
      required: ['code', 'message'],
    },
  },
  required: ['error'],
} as const;

const V4_ERROR = {
  type: 'object',
  properties: {
    success: { const: false },
    errors: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        properties: {
          code: { type: 'integer', minimum: 1000 },
          message: { type: 'string' },
          guard: { type: 'object', description: 'As under /v1.' },
          source: { type: 'object', properties: { pointer: { type: 'string' } } },
        },
        required: ['code', 'message'],
      },
    },
    messages: { type: 'array' },
    result: { type: 'null' },
  },
  required: ['success', 'errors', 'messages', 'result'],
} as const;

/** Describes a table of routes. */
export function openApiOf(routes: readonly Route[], version: string): OpenApi {
  const schemas: Record<string, Schema> = { Error: ERROR, V4Error: V4_ERROR };
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Waybill control API',
      version,
      description: 'Read docs/reference/control-api.md beside it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf(route: Route, schemas: Record<string, Schema>): Operation {
  const dialect = dialectOf(route.path);
  const error = { $ref: `#/components/schemas/${dialect === 'v4' ? 'V4Error' : 'Error'}` };
  const { answer } = route;
  const success =
    answer === 'never'
      ? []
      : route.statuses.map((status) => [status, answerOf(route, answer, schemas)] as const);
  return {
    operationId: operationId(route.method, route.path),
    summary: route.help,
    description: `Who: ${who(route.access)}.`,
    tags: [tagOf(route.path)],
    security: route.access === 'open' ? [] : [{ token: [] }],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query, schemas)],
    ...(route.body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(route.body, 'input', schemas) } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(success),
      default: { description: 'A refusal.', content: { 'application/json': { schema: error } } },
    },
  };
}

function answerOf(
  route: Route,
  answer: Exclude<AnswerForm, 'never'>,
  schemas: Record<string, Schema>,
) {
  const description = route.help;
  if (!(answer instanceof z.ZodType)) {
    const schema = answer.bare ? schemaOf(answer.bare, 'output', schemas) : { type: 'string' };
    const content: Content = { [answer.contentType]: { schema } };
    return { description, content };
  }
  const body = schemaOf(answer, 'output', schemas);
  const schema = dialectOf(route.path) === 'v4' ? envelopeOf(body) : body;
  return { description, content: { 'application/json': { schema } } };
}

function envelopeOf(result: Schema): Schema {
  return {
    type: 'object',
    properties: {
      success: { const: true },
      errors: { type: 'array', maxItems: 0 },
      messages: { type: 'array' },
      result,
    },
    required: ['success', 'errors', 'messages', 'result'],
    additionalProperties: false,
  };
}

/** A schema as JSON, with those that have a name of their own put among the components. */
function schemaOf(
  schema: z.ZodType,
  io: 'input' | 'output',
  schemas: Record<string, Schema>,
): Schema {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  const moved = JSON.parse(
    JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as Record<string, unknown>;
  Object.assign(schemas, moved['$defs']);
  delete moved['$schema'];
  delete moved['$defs'];
  return moved;
}

function pathParameters(path: string): readonly Parameter[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    const description = PATH_PARAMETERS[name];
    return {
      name,
      in: 'path',
      required: true,
      ...(description === undefined ? {} : { description }),
      schema: { type: 'string' },
    };
  });
}

function queryParameters(
  query: z.ZodType | undefined,
  schemas: Record<string, Schema>,
): readonly Parameter[] {
  if (!query) return [];
  const { properties = {}, required = [] } = schemaOf(query, 'input', schemas) as {
    properties?: Record<string, Schema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function tagOf(path: string): keyof typeof TAGS {
  if (path.startsWith('/client/')) return 'logpush';
  return path.startsWith('/v1/') ? 'v1' : 'server';
}

/** Such as `getV1ZonesZoneLedger`: stable as long as the route is. */
function operationId(method: Method, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return (
    method.toLowerCase() + words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')
  );
}

/** Who may call a route, in words. */
function who(access: Access): string {
  if (typeof access === 'object')
    return `tokens with \`${access.scope}\` in the path's account or zone`;
  switch (access) {
    case 'open':
      return 'everybody';
    case 'operator':
      return 'operators';
    case 'token':
      return 'every operator or account token, for what it reaches';
    case 'forwarder':
      return 'ingest tokens, for what they may send to, and operators';
  }
}

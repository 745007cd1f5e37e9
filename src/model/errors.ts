/**
 * What Waybill answers when it refuses: one table, from which `docs/reference/errors.md` is made (a test keeps them equal).
 *
 * Codes are stable. `/v1` and ingest answer `{"error":{"code","message",...}}`; `/client/v4` maps to Logpush's envelope.
 */
export const ERRORS = {
  token_missing: {
    status: 401,
    text: 'The request carries no bearer token. Send `Authorization: Bearer <token>`.',
  },
  token_unknown: { status: 401, text: 'The token is not known or has been revoked.' },
  scope_not_allowed: { status: 403, text: 'The token may not be used for this account or zone.' },
  dataset_unknown: {
    status: 404,
    text: 'There is no dataset of this name for this kind of scope.',
  },
  scope_unknown: { status: 404, text: 'There is no account or zone with this id.' },
  holdback_over: {
    status: 409,
    text: 'The job’s lines are not held any more: it can only go on from now (`"from":"now"`).',
  },
  lines_gone: {
    status: 409,
    text: 'Lines from that time on are not held any more.',
  },
  place_ahead: { status: 400, text: 'That place lies in the future.' },
  route_unknown: { status: 404, text: 'There is nothing at this path.' },
  delivery_loop: {
    status: 508,
    text: 'These lines come from a delivery of this very server. Point the job somewhere else.',
  },
  method_not_allowed: { status: 405, text: 'This path does not take this method.' },
  upload_stalled: { status: 408, text: 'The body stopped arriving. Nothing of it was stored.' },
  body_too_large: {
    status: 413,
    text: 'The body is larger than allowed. Send it in smaller parts.',
  },
  line_too_long: {
    status: 400,
    text: 'A line is longer than allowed. Nothing of the body (of a `?by=` body: of these lines) was stored.',
  },
  line_shape: {
    status: 400,
    text: 'A line is not a JSON object (`{` … `}`) or holds a NUL byte. Nothing of the body (of a `?by=` body: of these lines) was stored.',
  },
  line_json: {
    status: 400,
    text: 'A line is not valid JSON, and this dataset checks it. Nothing of the body (of a `?by=` body: of these lines) was stored.',
  },
  routing_field_missing: {
    status: 400,
    text: 'A line lacks the field that `by` names, or its value is no known zone.',
  },
  encoding_unknown: { status: 415, text: 'Content-Encoding must be `identity`, `gzip` or `zstd`.' },
  encoding_broken: {
    status: 400,
    text: 'The body could not be decompressed. Nothing of it was stored.',
  },
  decompressed_too_large: {
    status: 400,
    text: 'The body grows past the allowed size when decompressed. Nothing of it was stored.',
  },
  key_invalid: {
    status: 400,
    text: '`Idempotency-Key` must be 1 to 256 visible ASCII characters.',
  },
  key_conflict: { status: 422, text: 'The same `Idempotency-Key` came before with another body.' },
  query_invalid: { status: 400, text: 'A query parameter is not known or has a bad value.' },
  over_fair_share: {
    status: 429,
    text: 'This account uses more than its share just now. Send again after `Retry-After`.',
  },
  too_many_streams: {
    status: 429,
    text: 'This account starts new streams faster than allowed. Send again after `Retry-After`.',
  },
  disk_full: {
    status: 503,
    text: 'The disk is nearly full, and nothing is accepted. Send again after `Retry-After`.',
  },
  not_durable: {
    status: 503,
    text: 'The lines could not be put on stable storage. They were not accepted. Send again after `Retry-After`.',
  },
  draining: { status: 503, text: 'The server is shutting down. Send again after `Retry-After`.' },
  starting: { status: 503, text: 'The server is starting. Send again after `Retry-After`.' },
  overloaded: {
    status: 503,
    text: 'The server holds as many requests as it may. Send again after `Retry-After`.',
  },
  shard_down: {
    status: 503,
    text: 'The shard that these lines belong to does not answer. Whether they were stored is not known. Send again after `Retry-After`.',
  },
  body_invalid: { status: 400, text: "The request's body is not what this path takes." },
  not_found: { status: 404, text: 'There is no such thing.' },
  already_exists: { status: 409, text: 'There is one with this id already.' },
  document_refused: {
    status: 422,
    text: 'The document is empty, was cut off, or does not hold what it declares. Nothing was changed.',
  },
  guard_refused: {
    status: 422,
    text: 'The guard refuses the change: it would end delivery for too many streams, or wants more than the server can take. `guard` says what it would do; an operator can insist with its `token` and a reason.',
  },
  conflict: { status: 409, text: 'It was changed by somebody else meanwhile.' },
  limit_reached: { status: 403, text: 'There are as many of these as allowed.' },
  permission_missing: { status: 403, text: 'The token lacks the permission that this needs.' },
  not_offered: { status: 400, text: 'Waybill does not offer this.' },
  store_unavailable: {
    status: 503,
    text: 'The change could not be written to disk. Nothing was changed; send it again.',
  },
  rollback_conflict: {
    status: 409,
    text: 'It cannot be rolled back: something that it touches was changed since, or would not fit any more. Nothing was changed.',
  },
  no_new_key: {
    status: 409,
    text: 'There is no newer key to seal secrets with.',
  },
  history_gone: {
    status: 404,
    text: 'The history does not reach back to this version.',
  },
  control_read_only: {
    status: 503,
    text: 'The control store is not what is in force. Nothing can be changed until an operator runs `waybill control rebuild`.',
  },
  data_plane_silent: {
    status: 503,
    text: 'The part of the server that knows did not answer in time. Ask again.',
  },
  too_many_requests: {
    status: 429,
    text: 'There were too many requests of this kind. Send again after `Retry-After`.',
  },
  lines_not_kept: {
    status: 400,
    text: "The zone's lines are not kept: make a job for `http_requests`, or switch Logpull's retention on.",
  },
  search_unfinished: {
    status: 422,
    text: 'The search met its bound of bytes or time before it found anything.',
  },
  in_use: { status: 409, text: 'It is still in use.' },
  internal: {
    status: 500,
    text: "Waybill met a fault of its own. It has been logged under the request's id.",
  },
} as const satisfies Record<string, { status: number; text: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** A refusal as `/v1` and ingest answer it. */
export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    /** Where: a 1-based line of the body, or the path of a field. */
    readonly line?: number;
    readonly path?: string;
    readonly retryAfterS?: number;
    /** What a change that the guard refuses would do, with the token to insist. */
    readonly guard?: Readonly<Record<string, unknown>>;
  };
}

export function errorBody(
  code: ErrorCode,
  more: Omit<Partial<ErrorBody['error']>, 'code'> = {},
): ErrorBody {
  return { error: { code, message: ERRORS[code].text, ...more } };
}

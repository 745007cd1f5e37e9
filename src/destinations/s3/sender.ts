/**
 * One PutObject a batch through Amazon's SDK, which knows signatures, endpoints and error forms.
 *
 * The payload's SHA-256 is part of the signature: a service that got other bytes refuses them (and a cut upload is never
 * taken for a whole one). It is the batch's own hash, so that nothing is hashed twice. Other checksums are left out:
 * services that are only compatible refuse the newer ones. Retries are the runner's business, so the SDK makes none.
 */
import { Readable } from 'node:stream';
import type { PutObjectCommandInput, S3ClientConfig } from '@aws-sdk/client-s3';
import { VERSION } from '../../lib/version.ts';
import { limits } from '../../model/limits.ts';
import { retryAfterMs, shortText } from '../answer.ts';
import { NoKeys, roleKeys } from '../aws-role.ts';
import { withDate } from '../conf.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { answerFor } from './answers.ts';
import { NoAnswer, sdkHttpHandler } from './http-handler.ts';
import type { S3Settings } from './settings.ts';

/** The SDK would write to the console; what went wrong is in the outcome. */
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

export async function s3Sender(settings: S3Settings, tools: DestinationTools): Promise<Sender> {
  // The SDK costs some 35 MiB and 100 ms: only who has an S3 job pays.
  const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    region: settings.region,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    forcePathStyle: settings.pathStyle,
    ...credentialsOf(settings, tools),
    requestHandler: sdkHttpHandler(tools),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    followRegionRedirects: false,
    logger: QUIET,
    customUserAgent: [['Waybill', VERSION]],
  });
  return {
    async send(batch, signal) {
      const key = objectKey(settings.prefix, batch);
      const command = new PutObjectCommand(objectOf(settings, key, batch));
      command.middlewareStack.add(
        (next) => (args) => {
          const { headers } = args.request as { headers: Record<string, string> };
          headers['x-amz-content-sha256'] = batch.sha256;
          return next(args);
        },
        { step: 'build', name: 'waybillPayloadHash' },
      );
      try {
        const answer = await client.send(command, { abortSignal: signal });
        const tag = answer.ETag === undefined ? '' : ` ${shortText(answer.ETag)}`;
        const receipt = `s3://${settings.bucket}/${key}${tag}`;
        return { kind: 'accepted', receipt, status: answer.$metadata.httpStatusCode ?? 200 };
      } catch (error) {
        return outcomeOf(error, signal, tools.clock.wallMs());
      }
    },
    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

/** Absent: the machine's own, which only some accounts may use. */
function credentialsOf(
  { keys, role }: S3Settings,
  tools: DestinationTools,
): Pick<S3ClientConfig, 'credentials'> {
  if (role === undefined) return keys === undefined ? {} : { credentials: keys };
  const keysOf = roleKeys(role, tools);
  return { credentials: () => keysOf() };
}

function objectKey(prefix: string, batch: Batch): string {
  const folder = withDate(prefix, batch.receivedMs.first);
  return folder === '' ? batch.name : `${folder}/${batch.name}`;
}

/** The same in every repeat. The gzip is the object, not its transport: with a Content-Encoding, tools would unpack it. */
function objectOf(settings: S3Settings, key: string, batch: Batch): PutObjectCommandInput {
  return {
    Bucket: settings.bucket,
    Key: key,
    Body: Readable.from(batch.body),
    ContentLength: batch.bodyBytes,
    ContentType: batch.encoding === 'identity' ? batch.contentType : 'application/gzip',
    Metadata: {
      'waybill-batch-id': batch.id,
      'waybill-job': String(batch.job),
      'waybill-stream': batch.stream,
      'waybill-offsets': `${batch.epoch}:${batch.from}-${batch.to}`,
      'waybill-lines': String(batch.lines),
      'waybill-sha256': batch.sha256,
    },
    ...(settings.sse === undefined ? {} : { ServerSideEncryption: settings.sse }),
  };
}

/** The SDK throws for everything that is no success; what it throws says by its fields what happened. */
function outcomeOf(error: unknown, signal: AbortSignal, nowMs: number): SendOutcome {
  if (signal.aborted) return { kind: 'retry', reason: 'the attempt was stopped' };
  if (error instanceof NoAnswer || error instanceof NoKeys)
    return { kind: 'retry', reason: error.message };
  const { code, status, retryAfter } = fieldsOf(error);
  if (status === undefined) return beforeSending(error, code);
  const { kind, words } = answerFor(status, code);
  const known = code === undefined || code === 'Unknown' ? '' : ` ${shortText(code, 64)}`;
  const reason = `status ${status}${known}: ${words}`;
  if (kind === 'split' || kind === 'reject') return { kind, reason, status };
  const afterMs = retryAfterMs(retryAfter, nowMs, limits.deliver.retryAfterMsMax);
  return { kind, reason, status, ...(afterMs === undefined ? {} : { afterMs }) };
}

interface SdkError {
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown };
  readonly $response?: {
    readonly statusCode?: unknown;
    readonly headers?: Readonly<Record<string, unknown>>;
  };
}

function fieldsOf(error: unknown): { code?: string; status?: number; retryAfter?: string } {
  if (!(error instanceof Error)) return {};
  const { name, $metadata, $response } = error as SdkError;
  const status = $response?.statusCode ?? $metadata?.httpStatusCode;
  const retryAfter = $response?.headers?.['retry-after'];
  return {
    ...(typeof name === 'string' ? { code: name } : {}),
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
  };
}

/** Nothing was sent: the machine's own credentials could not be had, or the SDK could not make a request of the settings. */
function beforeSending(error: unknown, code: string | undefined): SendOutcome {
  if (code === 'CredentialsProviderError') {
    return { kind: 'retry', reason: "the machine's own cloud credentials could not be had" };
  }
  if (code === 'TypeError' || code === 'AssertionError') throw error;
  return {
    kind: 'retry',
    reason: `no request could be made of the settings (${shortText(code ?? 'unknown', 64)})`,
  };
}

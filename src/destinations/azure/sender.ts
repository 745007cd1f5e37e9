/**
 * One Put Blob a batch (https://learn.microsoft.com/rest/api/storageservices/put-blob). It is conditional: a blob that stands
 * there already is never touched, so that a signature that may only create is enough, and a repeat does nothing.
 */
import { createHash } from 'node:crypto';
import { exchange } from '../../lib/net/exchange.ts';
import { shortText } from '../answer.ts';
import type { Batch, DestinationTools, Sender, SendOutcome } from '../destination.ts';
import { escapePath, objectFacts, objectName, objectType } from '../object.ts';
import { answerFor, outcomeOf } from '../web-answer.ts';
import { USER_AGENT } from '../web-send.ts';
import { CODES } from './answers.ts';
import type { AzureSettings } from './settings.ts';

/** The first version in which one Put Blob takes 5,000 MiB. */
const API_VERSION = '2019-12-12';
const CREATED = 201;

export function azureSender(settings: AzureSettings, tools: DestinationTools): Sender {
  return {
    async send(batch, signal): Promise<SendOutcome> {
      if (settings.expiresMs !== undefined && tools.clock.wallMs() > settings.expiresMs)
        return { kind: 'retry', reason: 'the shared access signature has expired' };
      const name = objectName(settings.prefix, batch);
      const place = `${settings.accountPath}/${settings.container}/${name}`;
      const result = await exchange(
        {
          secure: settings.secure,
          hostname: settings.hostname,
          ...(settings.port === undefined ? {} : { port: settings.port }),
          path: `${escapePath(place)}?${settings.query}`,
          method: 'PUT',
          headers: headersOf(batch),
          body: batch.body,
        },
        tools,
        signal,
      );
      if (result.kind === 'failed') return { kind: 'retry', reason: result.reason };
      const { status, headers } = result;
      const receipt = `azure://${settings.hostname}${place}`;
      if (status === CREATED) return { kind: 'accepted', receipt, status };
      const code = headers['x-ms-error-code'];
      const known = typeof code === 'string' && Object.hasOwn(CODES, code);
      const meaning = known ? CODES[code] : undefined;
      if (meaning?.kind === 'accepted') return { kind: 'accepted', receipt, status: CREATED };
      const nowMs = tools.clock.wallMs();
      const said = typeof code === 'string' ? shortText(code, 64) : undefined;
      const outcome = outcomeOf(result, meaning ?? answerFor(status), nowMs, said);
      // A success that is not "created" is no answer of this service.
      if (outcome.kind === 'accepted')
        return { kind: 'retry', reason: `status ${status}: not an answer of Azure`, status };
      return outcome;
    },
    close: () => Promise.resolve(),
  };
}

function headersOf(batch: Batch): Record<string, string> {
  const facts = Object.entries(objectFacts(batch));
  const md5 = createHash('md5');
  for (const part of batch.body) md5.update(part);
  return {
    'x-ms-version': API_VERSION,
    'x-ms-blob-type': 'BlockBlob',
    'if-none-match': '*',
    'content-type': objectType(batch),
    // The service compares it with what came.
    'content-md5': md5.digest('base64'),
    'user-agent': USER_AGENT,
    'x-ms-client-request-id': batch.id,
    ...Object.fromEntries(facts.map(([name, value]) => [`x-ms-meta-waybill${name}`, value])),
  };
}

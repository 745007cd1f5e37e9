/** What a webhook is sent: bodies in two forms, and the signature. */
import { createHmac } from 'node:crypto';
import type { Notice, WebhookForm } from '../contract.ts';

export interface Message {
  /** The same in every repeat of the message. */
  readonly id: string;
  readonly notices: readonly Notice[];
  /** Notices that found no room in it. */
  readonly more: number;
}

const MARK = {
  firing: 'FIRING',
  resolved: 'RESOLVED',
  reminder: 'STILL FIRING',
  test: 'TEST',
} as const;

/** The body, in UTF-8. */
export function bodyOf({ id, notices, more }: Message, form: WebhookForm, server: string): Buffer {
  switch (form) {
    case 'json':
      return Buffer.from(
        JSON.stringify({
          id,
          server,
          alerts: notices.map(({ reason, alert }) => ({
            reason,
            ...alert,
            toldMs: undefined,
            sinceMs: undefined,
            resolvedMs: undefined,
            since: new Date(alert.sinceMs).toISOString(),
            resolved: alert.resolvedMs === null ? null : new Date(alert.resolvedMs).toISOString(),
          })),
          more,
        }),
      );
    case 'slack':
      return Buffer.from(JSON.stringify({ text: slackText(notices, more) }));
  }
}

/** Slack's mark-up gives three characters a meaning (api.slack.com/reference/surfaces/formatting#escaping). */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function slackText(notices: readonly Notice[], more: number): string {
  const paragraphs = notices.map(({ reason, alert }) => {
    const { severity, subject, title, text, advice } = alert;
    const head = `*${MARK[reason]}* (${severity}) ${escaped(subject)}: ${escaped(title)}`;
    return reason === 'resolved' ? head : [head, escaped(text), `_${escaped(advice)}_`].join('\n');
  });
  if (more > 0) paragraphs.push(`and ${more} more`);
  return paragraphs.join('\n\n');
}

/**
 * Headers as the Standard Webhooks specification has them (standardwebhooks.com): id, time in seconds, and HMAC-SHA-256 of
 * `id.time.body` under the key behind `whsec_`.
 */
export function signedHeaders(
  id: string,
  body: Buffer,
  secret: string | undefined,
  wallMs: number,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(wallMs / 1_000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secret === undefined) return headers;
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  const signature = createHmac('sha256', key)
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}

const SECRET_PREFIX = 'whsec_';
const KEY_BYTES = { least: 24, most: 64 };

/** Whether it is a key as the specification wants it: `whsec_` and base64 of 24 to 64 bytes. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(SECRET_PREFIX)) return false;
  const key = Buffer.from(text.slice(SECRET_PREFIX.length), 'base64');
  return (
    key.toString('base64') === text.slice(SECRET_PREFIX.length) &&
    key.length >= KEY_BYTES.least &&
    key.length <= KEY_BYTES.most
  );
}

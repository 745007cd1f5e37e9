/** Splunk's HTTP Event Collector, raw endpoint: https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector */
import { problem } from '../../conf.ts';
import { fieldOf, jsonOf, outcomeOf, row } from '../../web-answer.ts';
import type { Meaning } from '../../web-answer.ts';
import { needs } from '../../web-kind.ts';
import type { WebProfile } from '../../web-kind.ts';

const retry = (words: string): Meaning => ({ kind: 'retry', words });

/** `code` of an answer's body. Mistakes in the settings wait for their correction; they say nothing about the lines. */
export const HEC_CODES: Readonly<Record<number, Meaning>> = {
  0: { kind: 'accepted', words: 'accepted' },
  1: retry('the token is disabled'),
  2: retry('a token is needed: header_Authorization=Splunk%20<token>'),
  3: retry('the Authorization header must be Splunk and the token'),
  4: retry('the token is not known'),
  5: { kind: 'reject', words: 'the collector finds no data' },
  6: { kind: 'reject', words: 'the collector calls the data invalid' },
  7: retry('the token may not write to this index'),
  8: retry('the collector met an error of its own'),
  9: retry('the collector is busy'),
  10: retry('a channel is needed: channel=<GUID>'),
  11: retry('the channel is not a GUID'),
  14: retry('the token wants no channel with acknowledgement'),
  16: retry('the collector takes no token in the URL'),
  26: retry('the queues of the collector are full'),
  27: { kind: 'split', words: 'the batch is too large for the collector' },
};

const RAW = /^(\/.*)?\/services\/collector\/raw(\/1\.0)?$/;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const splunk: WebProfile = {
  describe: {
    schemes: ['splunk'],
    title: 'Splunk (HTTP Event Collector)',
    form: 'splunk://<host>[:8088]/services/collector/raw?channel=<GUID>&header_Authorization=Splunk%20<token>[&sourcetype=<type>]',
    repeats: 'appends',
    // Splunk Cloud's `max_content_length`.
    batchBytes: 1_000_000,
  },
  settings: [
    {
      name: 'header_Authorization',
      help: 'Splunk and the token of the collector.',
      required: true,
      secret: true,
      example: 'Splunk%20<token>',
    },
    {
      name: 'channel',
      help: 'A GUID that you choose, one for each job.',
      required: true,
      secret: false,
      example: '9d6c3e0a-94e8-4c2c-8d5b-2f3a1f0b7c11',
    },
    {
      name: 'sourcetype',
      help: 'How Splunk reads the events. Stays in the URL, as index, source and host do.',
      required: false,
      secret: false,
      example: '_json',
    },
  ],
  // Logpush takes 443 and 8088 only; which ports may be dialled at all is the operator's list.
  defaultPort: 8088,
  shape(place, conf) {
    const problems = needs(
      place,
      conf,
      'authorization',
      'is needed: header_Authorization=Splunk%20<token>',
    );
    if (!RAW.test(place.pathname))
      problems.push(problem('destination_conf', 'the path must be /services/collector/raw'));
    const channel = conf.params.find(({ name }) => name === 'channel')?.value;
    if (channel === undefined || !GUID.test(channel))
      problems.push(problem('channel', 'is needed, a GUID that you choose'));
    return problems.length > 0 ? problems : {};
  },
  answers: [row(404, 'retry', 'there is no collector at this address, or it is switched off')],
  judge(answer, _batch, nowMs) {
    const code = fieldOf(jsonOf(answer), 'code');
    const meaning = typeof code === 'number' ? HEC_CODES[code] : undefined;
    if (meaning === undefined) return undefined;
    // A code that says success does not outdo a status that says otherwise.
    if (meaning.kind === 'accepted' && (answer.status < 200 || answer.status > 299))
      return undefined;
    return outcomeOf(answer, meaning, nowMs, `code ${String(code)}`);
  },
};

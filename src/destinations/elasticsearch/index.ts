/**
 * Elasticsearch and OpenSearch by `_bulk`. Each line is created under an id of its own, made of job, epoch and offset: a
 * repeat finds it there (409), and that counts as taken. See docs/destinations/elasticsearch.md.
 */
import { problem } from '../conf.ts';
import type { Framing } from '../destination.ts';
import { row } from '../web-answer.ts';
import { webDestination } from '../web-kind.ts';
import { judgeBulk } from './bulk.ts';

const FRAMING: Framing = {
  contentType: 'application/x-ndjson',
  prefix: '',
  // A bulk body ends with a newline.
  suffix: '\n',
  before: [
    '{"create":{"_id":"',
    { put: 'job' },
    '-',
    { put: 'epoch' },
    '-',
    { put: 'offset' },
    '"}}\n',
  ],
  after: [],
  delimiter: '\n',
  line: 'as it is',
};

/** What of an answer is needed: whether any item failed, and each item's status and kind of error. */
const WANTED = 'filter_path=errors,items.*.status,items.*.error.type';

export const elasticsearchDestination = webDestination({
  describe: {
    schemes: ['elasticsearch', 'opensearch'],
    title: 'Elasticsearch and OpenSearch',
    form: 'elasticsearch://<host>[:9200]/<index or data stream>?header_Authorization=ApiKey%20<key>[&pipeline=<name>]',
    repeats: 'replaces',
    // What Elastic's own clients send: larger requests gain nothing there.
    batchBytes: 5_000_000,
    // An answer has some 100 bytes for each line.
    batchLines: 5_000,
  },
  settings: [
    {
      name: 'header_Authorization',
      help: 'ApiKey and the encoded key, or Basic and user:password in base64.',
      required: false,
      secret: true,
      example: 'ApiKey%20<key>',
    },
    {
      name: 'pipeline',
      help: 'Ingest pipeline. Stays in the URL, as other parameters of _bulk do.',
      required: false,
      secret: false,
      example: 'waybill',
    },
  ],
  defaultPort: 9200,
  shape(place) {
    const { pathname } = place;
    const index = pathname.replace(/\/+$/, '').split('/').at(-1) ?? '';
    const name = decodeURIComponentSafely(index);
    // https://www.elastic.co/guide/en/elasticsearch/reference/current/indices-create-index.html
    if (
      !/^[^-_+.A-Z\\/*?"<>| ,#:][^A-Z\\/*?"<>| ,#:]*$/.test(name) ||
      Buffer.byteLength(name) > 255
    )
      return [
        problem('destination_conf', 'the path must be an index or data stream, in lower case'),
      ];
    const query = place.path.slice(pathname.length);
    const more = query === '' ? `?${WANTED}` : `${query}&${WANTED}`;
    return { path: `${pathname.replace(/\/+$/, '')}/_bulk${more}`, framing: FRAMING };
  },
  answers: [
    // Of the whole request: the address or the settings are wrong, and nothing was looked at.
    row(404, 'retry', 'there is no such index, or nothing that takes _bulk, at this address'),
    row(406, 'retry', 'this address does not take _bulk'),
  ],
  // 5,000 items and their errors.
  responseBytes: 1024 * 1024,
  judge: judgeBulk,
});

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

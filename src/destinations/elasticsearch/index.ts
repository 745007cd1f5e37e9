/**
 * Elasticsearch and OpenSearch by `_bulk`. Each line is created under an id of its own, made of job, epoch and offset: a
 * repeat finds it there (409), and that counts as taken. See docs/destinations/elasticsearch.md.
 */
import { problem } from '../conf.ts';
import type { FramePiece, Framing } from '../destination.ts';
import { row } from '../web-answer.ts';
import { webDestination } from '../web-kind.ts';
import { judgeBulk } from './bulk.ts';

/** @param index named in each action, where it does not stand in the path */
function framingFor(index: string | undefined): Framing {
  const place = index === undefined ? '' : `"_index":${JSON.stringify(index)},`;
  const id: FramePiece[] = [{ put: 'job' }, '-', { put: 'epoch' }, '-', { put: 'offset' }];
  return {
    contentType: 'application/x-ndjson',
    prefix: '',
    // A bulk body ends with a newline.
    suffix: '\n',
    before: [`{"create":{${place}"_id":"`, ...id, '"}}\n'],
    after: [],
    delimiter: '\n',
    line: 'as it is',
  };
}

/** What of an answer is needed: whether any item failed, and each item's status and kind of error. */
const WANTED = 'filter_path=errors,items.*.status,items.*.error.type';

/** https://www.elastic.co/guide/en/elasticsearch/reference/current/indices-create-index.html */
const INDEX = /^[^-_+.A-Z\\/*?"<>| ,#:][^A-Z\\/*?"<>| ,#:]*$/;

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
      name: 'index',
      help: 'Index named in each action in place of the path, for servers that take _bulk at one address only.',
      required: false,
      secret: false,
      example: 'logs',
    },
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
  own: ['index'],
  shape(place) {
    const path = place.pathname.replace(/\/+$/, '');
    const inActions = place.own.get('index');
    const index = inActions ?? decodeSafely(path.split('/').at(-1) ?? '');
    if (!INDEX.test(index) || Buffer.byteLength(index) > 255) {
      const words = 'must be the name of an index or data stream, in lower case';
      const what = inActions === undefined ? 'destination_conf' : 'index';
      return [
        problem(what, inActions === undefined ? `the last part of the path ${words}` : words),
      ];
    }
    const query = place.path.slice(place.pathname.length);
    const more = query === '' ? `?${WANTED}` : `${query}&${WANTED}`;
    return { path: `${path}/_bulk${more}`, framing: framingFor(inActions) };
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

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

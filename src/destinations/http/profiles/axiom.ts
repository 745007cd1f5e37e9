/** Axiom's ingest endpoint: https://axiom.co/docs/restapi/endpoints/ingestIntoDataset */
import { problem } from '../../conf.ts';
import { fieldOf, jsonOf, outcomeOf } from '../../web-answer.ts';
import { needs } from '../../web-kind.ts';
import type { WebProfile } from '../../web-kind.ts';

export const axiom: WebProfile = {
  describe: {
    schemes: ['axiom'],
    title: 'Axiom',
    form: 'axiom://api.axiom.co/v1/datasets/<dataset>/ingest?header_Authorization=Bearer%20<token>',
    repeats: 'appends',
    batchBytes: 5_000_000,
    batchLines: 10_000,
  },
  settings: [
    {
      name: 'header_Authorization',
      help: 'Bearer and an API token that may ingest into the dataset.',
      required: true,
      secret: true,
      example: 'Bearer%20<token>',
    },
  ],
  shape(place, conf) {
    const problems = needs(
      place,
      conf,
      'authorization',
      'is needed: header_Authorization=Bearer%20<token>',
    );
    if (!/^\/v1\/(datasets\/[^/]+\/ingest|ingest\/[^/]+)$/.test(place.pathname))
      problems.push(problem('destination_conf', 'the path must be /v1/datasets/<dataset>/ingest'));
    return problems.length > 0 ? problems : {};
  },
  answers: [],
  /** A success says how many lines were not taken, and not which: halves find them. */
  judge(answer, _batch, nowMs) {
    const failed = fieldOf(jsonOf(answer), 'failed');
    if (answer.status !== 200 || typeof failed !== 'number' || failed === 0) return undefined;
    const words = `Axiom did not take ${failed} of the lines`;
    return outcomeOf(answer, { kind: 'reject', words }, nowMs);
  },
};

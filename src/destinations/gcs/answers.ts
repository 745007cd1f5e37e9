/** Google Cloud Storage's statuses as data; docs/destinations/gcs.md shows the same table. */
import { row } from '../web-answer.ts';
import type { AnswerRow } from '../web-answer.ts';

/** https://cloud.google.com/storage/docs/json_api/v1/status-codes */
export const ANSWERS: readonly AnswerRow[] = [
  row(400, 'reject', 'the service calls the object invalid'),
  row(401, 'retry', 'the token was not accepted'),
  row(403, 'retry', 'access is denied: the account needs storage.objects.create on the bucket'),
  row(404, 'retry', 'the bucket does not exist'),
  row(411, 'retry', 'the service wants a length'),
  // The condition "only if there is none": an earlier attempt brought it.
  row(412, 'accepted', 'it stands there already'),
  row(413, 'split', 'the object is too large for the service'),
  row(429, 'retry', 'the service asks to slow down'),
];

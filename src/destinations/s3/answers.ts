/** What S3's error codes mean for a batch, as data. The page docs/destinations/s3.md shows the same table. */
import type { SendOutcome } from '../destination.ts';

type Kind = Exclude<SendOutcome['kind'], 'accepted' | 'partial'>;

export interface S3Answer {
  readonly kind: Kind;
  readonly words: string;
}

const retry = (words: string): S3Answer => ({ kind: 'retry', words });

const DENIED = 'access is denied: the key needs s3:PutObject on the bucket and path';
const BAD_KEY = 'the access key was not accepted';
const EXPIRED = 'the credentials have expired';
const ELSEWHERE = 'the bucket is in another region or at another endpoint';
const BUSY = 'the service asks to slow down';
const DAMAGED = 'the object was damaged on its way';
const FULL = 'the service has no space left or the quota is used up';

/** By the error's code: what Amazon documents, and what compatible services add. */
export const CODES: Readonly<Record<string, S3Answer>> = {
  NoSuchBucket: retry('the bucket does not exist'),
  AccessDenied: retry(DENIED),
  AllAccessDisabled: retry(DENIED),
  Forbidden: retry(DENIED),
  AccountProblem: retry('the account has a problem at the service'),
  KeyTooLongError: retry('the path is too long for the service'),
  InvalidBucketName: retry('the service does not take this bucket name'),
  InvalidAccessKeyId: retry(BAD_KEY),
  XAdminUserNotFound: retry(BAD_KEY),
  SignatureDoesNotMatch: retry('the secret access key is wrong'),
  AuthorizationHeaderMalformed: retry('the region is wrong for this bucket'),
  IllegalLocationConstraintException: retry(ELSEWHERE),
  PermanentRedirect: retry(ELSEWHERE),
  TemporaryRedirect: retry(ELSEWHERE),
  InvalidToken: retry(BAD_KEY),
  ExpiredToken: retry(EXPIRED),
  TokenRefreshRequired: retry(EXPIRED),
  RequestExpired: retry(EXPIRED),
  RequestTimeTooSkewed: retry("this machine's clock differs from the service's"),
  InvalidEncryptionAlgorithmError: retry('the service does not take this sse'),
  KMSDisabledException: retry("the bucket's encryption key cannot be used"),
  SlowDown: retry(BUSY),
  SlowDownWrite: retry(BUSY),
  Throttling: retry(BUSY),
  TooManyRequests: retry(BUSY),
  ServiceUnavailable: retry(BUSY),
  InternalError: retry('the service met an error of its own'),
  RequestTimeout: retry('the service did not get the object in time'),
  OperationAborted: retry('another operation is under way there'),
  InsufficientStorage: retry(FULL),
  QuotaExceeded: retry(FULL),
  XMinioStorageFull: retry(FULL),
  BadDigest: retry(DAMAGED),
  InvalidDigest: retry(DAMAGED),
  IncompleteBody: retry(DAMAGED),
  XAmzContentSHA256Mismatch: retry(DAMAGED),
  EntityTooLarge: { kind: 'split', words: 'the object is too large for the service' },
  MaxMessageLengthExceeded: { kind: 'split', words: 'the object is too large for the service' },
};

/** By status, where the code says nothing: answers of proxies, and codes that nobody documents. */
const STATUSES: Readonly<Record<number, S3Answer>> = {
  400: { kind: 'reject', words: 'the service calls the object invalid' },
  401: retry(BAD_KEY),
  403: retry(DENIED),
  404: retry('there is no such bucket or service at this address'),
  413: { kind: 'split', words: 'the object is too large for the service' },
  422: { kind: 'reject', words: 'the service calls the object invalid' },
  429: retry(BUSY),
  503: retry(BUSY),
  507: retry(FULL),
};

export function answerFor(status: number, code: string | undefined): S3Answer {
  const byCode = code !== undefined && Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  const answer = byCode ?? STATUSES[status];
  if (answer) return answer;
  if (status >= 500) return retry('the service is in trouble');
  if (status >= 300 && status < 400) return retry(ELSEWHERE);
  return retry('the answer is not one that S3 gives');
}

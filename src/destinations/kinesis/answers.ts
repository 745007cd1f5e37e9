/** Kinesis's errors by `__type` as data; docs/destinations/kinesis.md shows the same table. */
import type { Meaning } from '../web-answer.ts';

const retry = (words: string): Meaning => ({ kind: 'retry', words });

const BAD_KEY = 'the access key was not accepted';
const KMS = "the stream's encryption key cannot be used";

/** https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html and CommonErrors.html */
export const CODES: Readonly<Record<string, Meaning>> = {
  ProvisionedThroughputExceededException: retry('the shard takes no more just now'),
  ThrottlingException: retry('the service asks to slow down'),
  LimitExceededException: retry('the service asks to slow down'),
  ResourceNotFoundException: retry('the stream does not exist in this region and account'),
  AccessDeniedException: retry('access is denied: the key needs kinesis:PutRecord on the stream'),
  UnrecognizedClientException: retry(BAD_KEY),
  InvalidClientTokenId: retry(BAD_KEY),
  MissingAuthenticationTokenException: retry(BAD_KEY),
  IncompleteSignature: retry(BAD_KEY),
  InvalidSignatureException: retry('the secret access key is wrong'),
  ExpiredTokenException: retry('the credentials have expired'),
  RequestExpired: retry("this machine's clock differs from the service's"),
  KMSAccessDeniedException: retry(KMS),
  KMSDisabledException: retry(KMS),
  KMSInvalidStateException: retry(KMS),
  KMSNotFoundException: retry(KMS),
  KMSOptInRequired: retry(KMS),
  KMSThrottlingException: retry('the service asks to slow down'),
  InternalFailure: retry('the service met an error of its own'),
  ServiceUnavailable: retry('the service is in trouble'),
  SerializationException: { kind: 'split', words: 'the record is too large for the service' },
  ValidationException: { kind: 'split', words: 'the record is too large for the stream' },
  InvalidArgumentException: { kind: 'reject', words: 'the service calls the record invalid' },
};

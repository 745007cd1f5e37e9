/** Azure Blob Storage's error codes as data; docs/destinations/azure.md shows the same table. */
import type { Meaning } from '../web-answer.ts';

const retry = (words: string): Meaning => ({ kind: 'retry', words });

const DENIED = 'the shared access signature does not permit this: it needs c (create)';
const BAD = 'the shared access signature was not accepted, or has expired';
const BUSY = 'the service asks to slow down';
const DAMAGED = 'the blob was damaged on its way';
const REFUSED = 'the service calls the blob invalid';

/** By `x-ms-error-code`: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes */
export const CODES: Readonly<Record<string, Meaning>> = {
  // An earlier attempt brought it: the name is the batch's own.
  BlobAlreadyExists: { kind: 'accepted', words: 'it stands there already' },
  // The same, where the signature permits to create and not to write.
  UnauthorizedBlobOverwrite: { kind: 'accepted', words: 'it stands there already' },
  AuthenticationFailed: retry(BAD),
  InvalidAuthenticationInfo: retry(BAD),
  NoAuthenticationInformation: retry(BAD),
  AuthorizationFailure: retry(
    'the network rules of the account, or the signature, do not permit this',
  ),
  AuthorizationPermissionMismatch: retry(DENIED),
  AuthorizationServiceMismatch: retry(DENIED),
  AuthorizationResourceTypeMismatch: retry(DENIED),
  AuthorizationProtocolMismatch: retry('the signature is for HTTPS only'),
  AuthorizationSourceIPMismatch: retry('the signature is for other source addresses'),
  InsufficientAccountPermissions: retry(DENIED),
  AccountIsDisabled: retry('the account is disabled'),
  PublicAccessNotPermitted: retry(BAD),
  ResourceNotFound: retry('the container does not exist, or the signature cannot see it'),
  ContainerNotFound: retry('the container does not exist'),
  ContainerBeingDeleted: retry('the container is being deleted'),
  ContainerDisabled: retry('the container is disabled'),
  BlobImmutableDueToPolicy: retry('a policy keeps the blob as it is'),
  LeaseIdMissing: retry('somebody holds a lease on the blob'),
  InvalidBlobType: retry('a blob of another type has this name'),
  ServerBusy: retry(BUSY),
  OperationTimedOut: retry('the service did not do it in time'),
  InternalError: retry('the service met an error of its own'),
  Md5Mismatch: retry(DAMAGED),
  InvalidMd5: retry(DAMAGED),
  RequestBodyTooLarge: { kind: 'split', words: 'the blob is too large for the service' },
  InvalidHeaderValue: { kind: 'reject', words: REFUSED },
  InvalidInput: { kind: 'reject', words: REFUSED },
};

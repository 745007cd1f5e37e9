import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedHeaders } from './aws-sign.ts';

/**
 * Amazon's own test suite for Signature Version 4 (aws-sig-v4-test-suite), case `post-x-www-form-urlencoded`:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
 */
test('a request is signed as in the test suite of Amazon', () => {
  const { authorization } = signedHeaders(
    {
      service: 'service',
      region: 'us-east-1',
      host: 'example.amazonaws.com',
      path: '/',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: [Buffer.from('Param1='), Buffer.from('value1')],
    },
    { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    Date.UTC(2015, 7, 30, 12, 36, 0),
  );
  assert.equal(
    authorization,
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  );
});

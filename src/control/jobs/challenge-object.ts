/** What an ownership challenge looks like where it is written. */

/** Object stores get the token as it is, to be copied; receivers of lines get it as one. */
export function challengeText(token: string, keepsObjects: boolean): string {
  return keepsObjects ? token : `${JSON.stringify({ ownership_challenge: token })}\n`;
}

/**
 * Where an object store keeps the challenge, without the bucket: what `result.filename` says.
 *
 * @param conf `<scheme>://<bucket>/<path>?<parameters>`, which has been judged
 */
export function challengePath(conf: string, name: string, nowMs: number): string {
  const place = conf.replace(/^[^:]*:\/\/([^?]*).*$/s, '$1');
  const [bucket = '', ...folders] = place.split('/');
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '');
  const path = decodeURIComponent(folders.join('/'))
    .replaceAll('{DATE}', day)
    .replaceAll(/^\/+|\/+$/g, '');
  // A folder of this machine has no bucket in front: it is shown from its root.
  const root = bucket === '' ? '/' : '';
  return `${root}${path === '' ? '' : `${path}/`}${name}`;
}

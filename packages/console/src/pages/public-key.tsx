import type { JSX } from 'preact';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { CodeBlock, Id } from '../ui/copy.tsx';
import { Notice } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';

/** The public key of an API user, or the URL of its key set. */
export function PublicKey(props: {
  credential: CredentialJson;
  all: readonly CredentialJson[];
}): JSX.Element {
  const { credential, all } = props;
  const { public_key: jwk, jwks_url: url, thumbprint } = credential;
  const liveKeys = all.filter(({ kind, state }) => kind === 'key' && state === 'live');
  const kid = jwk?.kid ?? credential.id;
  return (
    <Card title="Public key">
      <dl class="facts">
        {url !== undefined && (
          <>
            <dt>Key set</dt>
            <dd>
              <code>{url}</code>
            </dd>
          </>
        )}
        {jwk !== undefined && (
          <>
            <dt>Type</dt>
            <dd>{jwk.kty === 'RSA' ? 'RSA' : `${jwk.kty}, ${jwk.crv ?? ''}`}</dd>
            <dt>
              <code>kid</code>
            </dt>
            <dd>
              <Id text={kid} what="kid" />
            </dd>
            <dt>Thumbprint</dt>
            <dd>
              <Id text={thumbprint ?? ''} what="thumbprint" />
            </dd>
          </>
        )}
      </dl>
      {jwk !== undefined && (
        <details>
          <summary>The key as JWK</summary>
          <CodeBlock text={JSON.stringify(jwk, null, 2)} what="JWK" />
        </details>
      )}
      {liveKeys.length > 1 && liveKeys.includes(credential) && (
        <Notice title={`The API user has ${liveKeys.length} live keys`}>
          <p>
            Programs with this one send {jwk === undefined ? 'its kid' : <code>kid: {kid}</code>} in the
            header of their assertions. Without a kid, the oldest key that fits is used.
          </p>
        </Notice>
      )}
    </Card>
  );
}

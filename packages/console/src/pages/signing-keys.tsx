import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type { SigningAlgorithm, SigningKey } from '../api/types.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { Badge, SigningKeyBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { Id } from '../ui/copy.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { ChoiceField, SelectField, type Choice } from '../ui/field.tsx';
import { NextOfKey } from '../ui/key-schedule.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { At } from '../ui/time.tsx';

export function SigningKeysPage(): JSX.Element {
  const isAdmin = useMay('admin');
  const [rotating, setRotating] = useState(false);
  const keys = useResource<{ items: SigningKey[] }>('/signing-keys', [{ noun: 'signing_key' }]);
  return (
    <Page
      title="Signing keys"
      lead="They sign the access tokens. Your APIs fetch the public keys."
      actions={
        isAdmin && (
          <Button kind="primary" icon="rotate" onClick={() => setRotating(true)}>
            Rotate
          </Button>
        )
      }
    >
      <Loaded from={keys} size="tall">
        {({ items }) => <KeyTable keys={items} />}
      </Loaded>
      <section class="card" aria-labelledby="states-title">
        <h2 id="states-title">States of a key</h2>
        <dl class="facts">
          <dt>
            <SigningKeyBadge state="announced" />
          </dt>
          <dd>Published, so that every verifier knows it before it signs the first token.</dd>
          <dt>
            <SigningKeyBadge state="active" />
          </dt>
          <dd>Signs new tokens.</dd>
          <dt>
            <SigningKeyBadge state="retired" />
          </dt>
          <dd>Signs no new tokens. Published until its last token has expired.</dd>
          <dt>
            <SigningKeyBadge state="removed" />
          </dt>
          <dd>No longer published. Tokens that it signed are refused.</dd>
        </dl>
        <p class="soft small">
          Keys rotate by themselves; rotating by hand is for another algorithm, or for when one got out.
        </p>
      </section>
      {rotating && <Rotate onDone={keys.reload} onClose={() => setRotating(false)} />}
    </Page>
  );
}

function KeyTable({ keys }: { keys: readonly SigningKey[] }): JSX.Element {
  const newestFirst = [...keys].sort((a, b) => b.announced_at.localeCompare(a.announced_at));
  return (
    <section class="card flush" aria-label="Signing keys">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Key id</th>
            <th scope="col">State</th>
            <th scope="col">Algorithm</th>
            <th scope="col">Announced</th>
            <th scope="col">Next</th>
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((key) => (
            <tr key={key.kid}>
              <th scope="row">
                <Id text={key.kid} what="key id" length={10} />
              </th>
              <td class="fit">
                {key.proven || key.state === 'removed' ? (
                  <SigningKeyBadge state={key.state} />
                ) : (
                  <Badge kind="danger">not used: no proof</Badge>
                )}
              </td>
              <td data-label="Algorithm" class="fit">
                {key.algorithm}
              </td>
              <td data-label="Announced" class="fit">
                <At at={key.announced_at} />
              </td>
              <td data-label="What is next">
                <span>
                  <NextOfKey of={key} />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

type Mode = 'scheduled' | 'now' | 'compromised';

const MODES: readonly Choice<Mode>[] = [
  {
    value: 'scheduled',
    text: 'By schedule',
    hint: 'Published now. Signs when every verifier has it, without interruption.',
  },
  {
    value: 'now',
    text: 'At once',
    hint: 'Signs now. Verifiers that do not fetch unknown keys refuse its tokens for a while.',
  },
  {
    value: 'compromised',
    text: 'A key leaked',
    hint: 'Signs now. All other keys are withdrawn, so every existing token becomes invalid.',
  },
];

const ALGORITHMS = [
  { value: '', text: 'As configured' },
  { value: 'ES256', text: 'ES256' },
  { value: 'EdDSA', text: 'EdDSA' },
  { value: 'RS256', text: 'RS256' },
] as const;

function Rotate({ onDone, onClose }: { onDone: () => void; onClose: () => void }): JSX.Element {
  const [mode, setMode] = useState<Mode>('scheduled');
  const [algorithm, setAlgorithm] = useState<SigningAlgorithm | ''>('');
  const rotate = async () => {
    await post('/signing-keys/rotate', { mode, ...(algorithm !== '' && { algorithm }) });
    announce(
      mode === 'scheduled' ? 'A new signing key is announced.' : 'The new signing key signs from now on.',
    );
    onDone();
  };
  return (
    <Confirm
      title="Rotate the signing key"
      verb="Rotate"
      kind={mode === 'scheduled' ? 'primary' : 'danger'}
      {...(mode === 'compromised' && {
        typed: { label: 'Every caller must get a new token. Type withdraw to confirm', text: 'withdraw' },
      })}
      onConfirm={rotate}
      onClose={onClose}
    >
      <ChoiceField<Mode> label="When it signs" value={mode} choices={MODES} onInput={setMode} />
      <SelectField
        label="Algorithm"
        value={algorithm}
        options={ALGORITHMS}
        onInput={(chosen) => setAlgorithm(chosen as SigningAlgorithm | '')}
      />
      {mode === 'compromised' && (
        <Notice kind="danger" title="All tokens become invalid">
          <p>
            APIs refuse them as soon as they fetch the keys again. Programs that renew their tokens recover
            after a moment.
          </p>
        </Notice>
      )}
    </Confirm>
  );
}

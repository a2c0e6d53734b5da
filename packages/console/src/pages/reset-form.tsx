import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { newIdempotencyKey, post } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type {
  CreatedCredentialJson,
  CredentialJson,
} from '../../../server/src/http/admin/credential.wire.ts';
import { DAY_MS, inMinutes } from '../format.ts';
import { paths } from '../paths.ts';
import { usePolicy } from '../state/organisation.ts';
import type { LiveUse } from '../state/uses.ts';
import { useAction } from '../ui/action.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { kindText } from '../ui/credential-kind.ts';
import { expiryOf, NameAndExpiry } from '../ui/expiry.tsx';
import { CheckField, ChoiceField, PasswordField, TextField, type Choice } from '../ui/field.tsx';
import { Objection, useForce } from '../ui/force.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Notice } from '../ui/notice.tsx';
import { LastUse } from './credentials.tsx';

type Kind = CredentialJson['kind'];

const KINDS: readonly Choice<Kind>[] = [
  { value: 'secret', text: 'a secret', hint: 'Generated. The right choice for programs.' },
  {
    value: 'password',
    text: 'a password',
    hint: 'Typed or generated. For programs with fields for username and password.',
  },
];

/** When the old credentials end. */
export type OldEnd = 'quiet' | 'time' | 'now' | 'keep';

const ENDS: readonly Choice<OldEnd>[] = [
  {
    value: 'quiet',
    text: 'when quiet',
    hint: 'Automatically, when the new one was used and the old ones were unused for 25 hours. For jobs that run less than once a day, choose a time.',
  },
  { value: 'time', text: 'at a time', hint: 'Programs that still use them then stop getting tokens.' },
  { value: 'now', text: 'now', hint: 'Programs that use them get no more tokens.' },
  {
    value: 'keep',
    text: 'when I retire them',
    hint: 'The new one is added. This page shows which of them are used.',
  },
];

const LIVE_MAX = 5;
/** The server accepts an end within ten years. */
const END_DAYS_MAX = 3650;

export interface ResetFormProps {
  user: ApiUserJson;
  /** Live secrets and passwords. */
  living: readonly CredentialJson[];
  /** Number of live credentials of all kinds. */
  liveCount: number;
  live: LiveUse;
  ends: OldEnd;
  onMade: (created: CreatedCredentialJson, secret: string) => void;
  onSkip: (() => void) | null;
}

export function ResetForm(props: ResetFormProps): JSX.Element {
  const { user, living, liveCount, live, onMade, onSkip } = props;
  const policy = usePolicy();
  const kinds = KINDS.filter(({ value }) => policy === null || policy.credential_kinds.includes(value));
  const [kind, setKind] = useState<Kind>(kinds[0]?.value ?? 'secret');
  const [password, setPassword] = useState('');
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [chosenEnd, setEnd] = useState(props.ends);
  const [endsAt, setEndsAt] = useState(() => inMinutes(Date.now() + DAY_MS));
  const [endPassword, setEndPassword] = useState(true);
  const force = useForce();
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  const hasPassword = living.some((credential) => credential.kind === 'password');
  const replacesPassword = hasPassword && kind === 'password';
  const ends = replacesPassword && chosenEnd === 'keep' ? 'quiet' : chosenEnd;
  const isReset = living.length > 0 && ends !== 'keep';

  const send = async (forced: boolean) => {
    const body = {
      name: name.trim(),
      ...expiryOf(days),
      ...(kind === 'password' && { password }),
      ...(isReset && { ...endOf(ends, endsAt), force: forced }),
      ...(isReset && kind === 'secret' && hasPassword && { end_password: endPassword }),
    };
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    const path = `${apiUserPath(user.client_id)}/${isReset ? 'reset' : 'credentials'}`;
    const created = await post<CreatedCredentialJson>(path, body, { idempotencyKey: attempt.current.key });
    onMade(created, created.client_secret ?? password);
  };
  const action = useAction(async () => void (await force.attempt(send)));
  const isFull = liveCount >= LIVE_MAX && (ends !== 'now' || living.length === 0);
  return (
    <Form onSubmit={() => action.run()}>
      {isFull && (
        <Notice kind="warn" title={`It has ${liveCount} live credentials, the most there may be`}>
          <p>Retire one first, or end the old ones now.</p>
        </Notice>
      )}
      <ChoiceField<Kind> label="The new credential is" value={kind} choices={kinds} onInput={setKind} />
      {kind === 'password' && (
        <NewPassword
          username={user.username}
          value={password}
          onInput={setPassword}
          error={action.errorOf('password')}
        />
      )}
      <NameAndExpiry
        label={`Name of the new ${kind}`}
        hint="Where it will be deployed: “production, cluster 2”."
        name={name}
        onName={setName}
        days={days}
        onDays={setDays}
        errorOf={action.errorOf}
      />
      {living.length > 0 && (
        <>
          <EndFields
            end={ends}
            onEnd={setEnd}
            endsAt={endsAt}
            onEndsAt={setEndsAt}
            error={action.errorOf('overlap_seconds')}
            replacesPassword={replacesPassword}
          />
          {hasPassword && kind === 'secret' && ends !== 'keep' && (
            <CheckField label="The password ends, too" checked={endPassword} onInput={setEndPassword} />
          )}
          <OldOnes living={living} live={live} />
        </>
      )}
      <Objection force={force} label="Reset although it is in use" />
      <FormEnd
        action={action}
        verb={kind === 'secret' ? 'Create the secret' : 'Set the password'}
        kind={ends === 'now' && living.length > 0 ? 'danger' : 'primary'}
        disabled={isFull || (force.objection !== null && !force.overruled && isReset)}
      >
        {onSkip !== null && (
          <Button kind="quiet" onClick={onSkip}>
            I have it: watch the old one
          </Button>
        )}
        <LinkButton kind="quiet" href={paths.apiUser(user.client_id)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

function NewPassword(props: {
  username: string | null;
  value: string;
  onInput: (password: string) => void;
  error: string | null;
}): JSX.Element {
  const { username, value, onInput, error } = props;
  return (
    <>
      <PasswordField
        label="Password"
        hint={`12 to 128 characters. It works with the client id${username === null ? '' : ` and with the username ${username}`}.`}
        autocomplete="new-password"
        value={value}
        onInput={onInput}
        error={error}
      />
      <div>
        <Button small onClick={() => onInput(generatePassword())}>
          Generate a password
        </Button>
      </div>
    </>
  );
}

function EndFields(props: {
  end: OldEnd;
  onEnd: (end: OldEnd) => void;
  endsAt: string;
  onEndsAt: (at: string) => void;
  error: string | null;
  replacesPassword: boolean;
}): JSX.Element {
  const { end, onEnd, endsAt, onEndsAt, error, replacesPassword } = props;
  return (
    <>
      <ChoiceField<OldEnd>
        label="The old ones end"
        value={end}
        choices={replacesPassword ? ENDS.filter(({ value }) => value !== 'keep') : ENDS}
        onInput={onEnd}
      />
      {end === 'time' && (
        <TextField
          label="They end at"
          type="datetime-local"
          min={inMinutes(Date.now())}
          max={inMinutes(Date.now() + END_DAYS_MAX * DAY_MS)}
          value={endsAt}
          onInput={onEndsAt}
          error={error}
          required
        />
      )}
      {replacesPassword && (
        <Notice title="The old password ends now">
          <p>Only one password of an API user can be live.</p>
        </Notice>
      )}
    </>
  );
}

function OldOnes({ living, live }: { living: readonly CredentialJson[]; live: LiveUse }): JSX.Element {
  return (
    <ul class="consequences" aria-label="The old ones">
      {living.map((credential) => (
        <li key={credential.id}>
          The {kindText(credential.kind)} <strong class="breakable">{credential.name}</strong> (
          <code>{credential.id}</code>), last used{' '}
          <LastUse credential={credential} seen={live.credentials.get(credential.id)} />
        </li>
      ))}
    </ul>
  );
}

function endOf(
  end: Exclude<OldEnd, 'keep'>,
  endsAt: string,
): { overlap_seconds: number } | { when_quiet: true } {
  if (end === 'now') return { overlap_seconds: 0 };
  if (end === 'quiet') return { when_quiet: true };
  return { overlap_seconds: Math.max(1, Math.round((Date.parse(endsAt) - Date.now()) / 1000)) };
}

/** 32 characters, so that each byte picks one uniformly. Without l, o, 0 and 1, which look alike. */
const PASSWORD_CHARACTERS = 'abcdefghijkmnpqrstuvwxyz23456789';
const PASSWORD_GROUPS = 5;
const PASSWORD_GROUP_LENGTH = 5;

/** 25 random characters in groups: 125 bits. */
function generatePassword(): string {
  const group = () =>
    Array.from(
      crypto.getRandomValues(new Uint8Array(PASSWORD_GROUP_LENGTH)),
      (byte) => PASSWORD_CHARACTERS[byte % PASSWORD_CHARACTERS.length],
    ).join('');
  return Array.from({ length: PASSWORD_GROUPS }, group).join('-');
}

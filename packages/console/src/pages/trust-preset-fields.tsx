import type { JSX } from 'preact';
import {
  ruleFromPreset,
  type PresetField,
  type PresetValues,
  type TrustPreset,
} from '../../../server/src/domain/trust-presets.ts';
import { trustRuleJson, type TrustRuleInput } from '../../../server/src/domain/trust-rule-json.ts';
import { capital } from '../format.ts';
import { TextField } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { ruleText } from './trust-draft.ts';

/** What the rule of a preset matches, and why that is safe. */
const MATCHES: Readonly<Record<string, string>> = {
  github:
    'A workflow asks GitHub for a token. The rule matches the number of the repository, because its name can pass to somebody else, and events that strangers cannot cause.',
  gitlab:
    'A job gets a token from GitLab. The rule matches the number of the project, because its path can pass to somebody else.',
  kubernetes:
    'A pod has a token of its service account in a file. The rule matches the cluster, the namespace and the service account.',
  aws: 'A program with an AWS role asks AWS for a token. The account needs outbound identity federation.',
  google:
    'A program in Google Cloud asks the metadata server for a token. The rule matches the unique id of the service account, because its e-mail address can be used again.',
  entra:
    'A managed identity or application asks Microsoft Entra for a token. The rule matches tenant and object id, which never change.',
  spiffe: 'A workload asks its SPIFFE agent for a JWT-SVID. The rule matches the SPIFFE ID.',
};

const LABELS: Readonly<Record<string, string>> = {
  role_arn: 'role ARN',
  spiffe_id: 'SPIFFE ID',
  bundle_url: 'bundle URL',
  uid: 'UID',
  email: 'e-mail address',
};

function labelOf({ name }: PresetField): string {
  return LABELS[name] ?? name.replaceAll('_', ' ');
}

export interface PresetFieldsProps {
  preset: TrustPreset;
  values: PresetValues;
  onValue: (field: string, value: string) => void;
  audience: string;
  onAudience: (audience: string) => void;
  /** The operator tried to create the rule: missing values are faults. */
  wasTried: boolean;
}

/** The fields of a preset, and what its rule lets in. */
export function PresetFields(props: PresetFieldsProps): JSX.Element {
  const { preset, values, onValue, audience, onAudience, wasTried } = props;
  const { faults } = presetRule(preset, values, audience);
  const [often, rarely] = [preset.fields.filter(isCommon), preset.fields.filter((field) => !isCommon(field))];
  const alternatives = new Set(preset.oneOf.flat());
  const isAlternative = ({ name }: PresetField) => alternatives.has(name);
  const fieldOf = (field: PresetField) => {
    const { name, isRequired, example, help } = field;
    const isTyped = (values[name] ?? '') !== '';
    const fault = wasTried || isTyped ? faults.get(name) : undefined;
    return (
      <TextField
        key={name}
        label={capital(labelOf(field))}
        hint={help}
        placeholder={example}
        value={values[name] ?? ''}
        onInput={(value) => onValue(name, value)}
        error={fault?.replace(` ${help}`, '') ?? null}
        required={isRequired}
        optional={!isRequired && !isAlternative(field)}
        maxLength={512}
        mono
      />
    );
  };
  return (
    <>
      <p class="soft">{MATCHES[preset.name]}</p>
      {often.filter((field) => !isAlternative(field)).map(fieldOf)}
      {preset.oneOf.map((group) => (
        <fieldset class="stack" key={group.join()}>
          <legend class="hint">At least one of {group.join(', ')}:</legend>
          {often.filter(({ name }) => group.includes(name)).map(fieldOf)}
        </fieldset>
      ))}
      <LetsIn preset={preset} values={values} audience={audience} />
      <details>
        <summary>More: {[...rarely.map(labelOf), 'audience'].join(', ')}</summary>
        <div class="stack">
          {rarely.map(fieldOf)}
          <TextField
            label="Audience"
            hint="The aud of the tokens. The program asks its platform for this one."
            value={audience}
            onInput={onAudience}
            required
            maxLength={512}
            mono
          />
        </div>
      </details>
    </>
  );
}

/** Fields that most rules leave at their default. */
const RARE: ReadonlySet<string> = new Set(['events', 'protected', 'version', 'uid', 'bundle_url', 'email']);

function isCommon({ name, isRequired }: PresetField): boolean {
  return isRequired || !(RARE.has(name) || name === 'issuer');
}

/** The rule that the values make, or the faults by field. */
export function presetRule(
  preset: TrustPreset,
  values: PresetValues,
  audience: string,
): { rule: TrustRuleInput | null; letsIn: string; faults: ReadonlyMap<string, string> } {
  const outcome = ruleFromPreset(preset, values, audience);
  return Array.isArray(outcome)
    ? {
        rule: null,
        letsIn: '',
        faults: new Map(outcome.toReversed().map(({ member, problem }) => [member, problem])),
      }
    : { rule: trustRuleJson(outcome.rule), letsIn: outcome.letsIn, faults: new Map() };
}

/** What the typed values let in. Until they are complete, examples stand in for the missing ones. */
function LetsIn(props: { preset: TrustPreset; values: PresetValues; audience: string }): JSX.Element {
  const { preset, values, audience } = props;
  const typed = presetRule(preset, values, audience);
  const shown = typed.rule === null ? presetRule(preset, withExamples(preset, values), audience) : typed;
  return (
    <Notice title={typed.rule === null && shown.rule !== null ? 'For example, this lets in' : 'This lets in'}>
      <div class="stack tight" aria-live="polite">
        {shown.rule === null ? (
          <p>Nothing yet: correct the values first.</p>
        ) : (
          <>
            <p class="breakable">{capital(shown.letsIn)}.</p>
            <p class="hint breakable">In full: {ruleText(shown.rule)}.</p>
          </>
        )}
      </div>
    </Notice>
  );
}

function withExamples({ fields, oneOf }: TrustPreset, values: PresetValues): PresetValues {
  const isTyped = (name: string) => (values[name] ?? '').trim() !== '';
  const needed = new Set([
    ...fields.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    ...oneOf.filter((group) => !group.some(isTyped)).map(([first = '']) => first),
  ]);
  const examples = fields.filter(({ name }) => needed.has(name) && !isTyped(name));
  return { ...values, ...Object.fromEntries(examples.map(({ name, example }) => [name, example])) };
}

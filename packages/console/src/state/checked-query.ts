import { useEffect, useState } from 'preact/hooks';
import { useQuery } from './query.ts';

/** The allowed values of each parameter of a page. */
export type Rules = Readonly<Record<string, (value: string) => boolean>>;

export interface CheckedQuery {
  query: Readonly<Record<string, string>>;
  setQuery: (changes: Record<string, string>) => void;
  /** Parameters with values that the page does not support: it shows the defaults. */
  dropped: readonly string[];
}

/** Like `useQuery`, but removes unsupported values from the URL. */
export function useCheckedQuery(rules: Rules): CheckedQuery {
  const [query, setQuery] = useQuery();
  const [dropped, setDropped] = useState<readonly string[]>([]);
  const bad = Object.keys(rules).filter((name) => {
    const value = query[name] ?? '';
    return value !== '' && rules[name]?.(value) === false;
  });
  const badNames = bad.join(' ');
  useEffect(() => {
    if (badNames === '') return;
    const names = badNames.split(' ');
    setDropped(names);
    setQuery(Object.fromEntries(names.map((name) => [name, ''])));
  }, [badNames, setQuery]);
  const good = Object.fromEntries(Object.entries(query).filter(([name]) => !bad.includes(name)));
  return { query: good, setQuery, dropped };
}

/** Text that the API accepts: short enough and without control characters. */
export function isText(lengthMax: number): (value: string) => boolean {
  return (value) => value.length <= lengthMax && !/\p{Cc}/u.test(value);
}

export function isOneOf(options: readonly { value: string }[]): (value: string) => boolean {
  return (value) => options.some((option) => option.value === value);
}

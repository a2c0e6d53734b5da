import { useEffect, useState } from 'preact/hooks';
import { useQuery } from './query.ts';

/** For each parameter of a page, which values it may have. */
export type Rules = Readonly<Record<string, (value: string) => boolean>>;

export interface CheckedQuery {
  query: Readonly<Record<string, string>>;
  setQuery: (changes: Record<string, string>) => void;
  /** Parameters of the address whose values the page does not have: it shows the default instead. */
  dropped: readonly string[];
}

/** The query of the address, as `useQuery` has it, without values that nobody can choose: they leave the address. */
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

/** A text that the API takes: not too long, and without control characters. */
export function isText(lengthMax: number): (value: string) => boolean {
  return (value) => value.length <= lengthMax && !/\p{Cc}/u.test(value);
}

export function isOneOf(options: readonly { value: string }[]): (value: string) => boolean {
  return (value) => options.some((option) => option.value === value);
}

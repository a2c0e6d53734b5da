import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { cut, NAME_LENGTH_MAX } from '../format.ts';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';

let pagesShown = 0;

export interface PageProps {
  title: string;
  lead?: ComponentChildren;
  /** Actions beside the title. */
  actions?: ComponentChildren;
  back?: { href: string; text: string };
  narrow?: boolean;
  children: ComponentChildren;
}

/** A page with a heading, which receives the focus on navigation. */
export function Page({ title, lead, actions, back, narrow = false, children }: PageProps): JSX.Element {
  const [isWhole, setWhole] = useState(false);
  const isLong = title.length > NAME_LENGTH_MAX;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    pagesShown += 1;
    if (pagesShown > 1) heading.current?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    document.title = `${cut(title)} · Mintmark`;
  }, [title]);
  return (
    <div class={narrow ? 'page narrow' : 'page'}>
      <header class="page-head">
        <div>
          {back !== undefined && (
            <a class="back" href={back.href}>
              <Icon name="back" size={14} />
              {cut(back.text, 40)}
            </a>
          )}
          <h1 ref={heading} tabIndex={-1} class="breakable">
            {isWhole ? title : cut(title)}
          </h1>
          {isLong && (
            <div>
              <Button small kind="quiet" onClick={() => setWhole(!isWhole)}>
                {isWhole ? 'Short name' : 'Whole name'}
              </Button>
            </div>
          )}
          {lead !== undefined && <div class="soft">{lead}</div>}
        </div>
        {actions !== undefined && <div class="row">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Card(props: {
  title: string;
  id?: string;
  actions?: ComponentChildren;
  flush?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const { title, id, actions, flush = false, children } = props;
  const headingId = `${id ?? title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-title`;
  return (
    <section class={flush ? 'card flush' : 'card'} id={id} aria-labelledby={headingId}>
      <div class="card-head">
        <h2 id={headingId}>{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}

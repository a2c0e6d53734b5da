import type { JSX } from 'preact';
import { paths } from '../paths.ts';
import { LinkButton } from '../ui/button.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';

export function NotFoundPage(): JSX.Element {
  return (
    <Page title="There is no such page">
      <Empty icon="search" title="There is no page at this address">
        <p>It may be incomplete or mistyped.</p>
        <LinkButton href={paths.overview}>Go to the start page</LinkButton>
      </Empty>
    </Page>
  );
}

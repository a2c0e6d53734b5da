// The chart of a run as an SVG that stands alone: light and dark, with a title and a description for screen readers.
import type { Summary } from './summary.ts';

export interface ChartData {
  /** One API user. */
  few: readonly Summary[];
  /** The same servers with many. */
  many: readonly Summary[];
  manyUsers: number;
}

const WIDTH = 760;
const LEFT = 236;
const RIGHT = 64;
const TOP = 74;
const BAR = 13;
const ROW = 44;

const STYLE = `
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
  .head { font-size: 15px; font-weight: 600; }
  .small { font-size: 12px; fill: #59636e; }
  .few { fill: #59636e; } .many { fill: #9aa4ae; }
  .own .few { fill: #0969da; } .own .many { fill: #54a3f5; }
  .grid { stroke: #d1d9e0; } .spread { stroke: #1f2328; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .small { fill: #9198a1; }
    .few { fill: #9198a1; } .many { fill: #656c76; }
    .own .few { fill: #4493f8; } .own .many { fill: #2f6bc0; }
    .grid { stroke: #3d444d; } .spread { stroke: #f0f6fc; }
  }`;

/** `ownName`: the server whose bars stand out. */
export function chart({ few, many, manyUsers }: ChartData, ownName: string): string {
  const users = manyUsers.toLocaleString('en-US');
  const largest = Math.max(...[...few, ...many].map(({ byPlace }) => byPlace.own.ratio.third));
  const scale = (WIDTH - LEFT - RIGHT) / largest;
  const height = TOP + few.length * ROW + 8;
  const rows = few.map((summary, i) => {
    const bars = [
      bar(summary, 'few', TOP + i * ROW, scale),
      bar(many[i] ?? summary, 'many', TOP + i * ROW + BAR + 2, scale),
    ];
    const label = `<text x="${LEFT - 10}" y="${TOP + i * ROW + BAR + 6}" text-anchor="end">${summary.name}</text>`;
    return `<g${summary.name === ownName ? ' class="own"' : ''}>${label}${bars.join('')}</g>`;
  });
  const description = few.map(
    ({ name, byPlace }, i) =>
      `${name} ${byPlace.own.ratio.median.toFixed(2)} and ${many[i]?.byPlace.own.ratio.median.toFixed(2)}`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">CPU time of an access token, in multiples of a hand-written server</title>
<desc id="desc">With one API user and with ${users}: ${description.join('; ')}. Less is better.</desc>
<style>${STYLE}
</style>
<text class="head" x="12" y="24">CPU time of an access token (ES256), in multiples of the hand-written limit</text>
<g class="key"><rect class="few" x="12" y="38" width="${BAR}" height="${BAR}"/><text class="small" x="32" y="49">one API user</text>
<rect class="many" x="130" y="38" width="${BAR}" height="${BAR}"/><text class="small" x="150" y="49">${users} API users at random; the lines are quartiles, less is better</text></g>
<line class="grid" x1="${at(1, scale)}" x2="${at(1, scale)}" y1="${TOP - 8}" y2="${height - 8}" stroke-dasharray="3 3"/>
${rows.join('\n')}
</svg>
`;
}

function bar({ byPlace }: Summary, kind: string, y: number, scale: number): string {
  const { first, median, third } = byPlace.own.ratio;
  const middle = y + BAR / 2;
  const end = at(third, scale) + 6;
  return (
    `<rect class="${kind}" x="${LEFT}" y="${y}" width="${(median * scale).toFixed(1)}" height="${BAR}"/>` +
    `<line class="spread" x1="${at(first, scale)}" x2="${at(third, scale)}" y1="${middle}" y2="${middle}"/>` +
    `<text class="small" x="${end}" y="${y + BAR - 2}">${median.toFixed(2)}</text>`
  );
}

function at(ratio: number, scale: number): number {
  return Number((LEFT + ratio * scale).toFixed(1));
}

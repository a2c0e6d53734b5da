import type { JSX } from 'preact';

/** Strokes on a 20 × 20 grid. */
const SHAPES = {
  overview: 'M3 13a7 7 0 1 1 14 0M10 13l3.5-4',
  users:
    'M7 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM1.5 16.5a5.5 5.5 0 0 1 11 0M13 3.8a3 3 0 0 1 0 5.4M15 12a5.5 5.5 0 0 1 3.5 4.5',
  audit: 'M5 2.5h7l3.5 3.5v11.5H5zM12 2.5V6h3.5M8 10h5M8 13.5h5',
  key: 'M12.5 11.5a4 4 0 1 0-3.8-2.7L2.5 15v2.5H5V16h1.5v-1.5H8l2-2M13.5 6.5h.01',
  operators: 'M10 2.5 3.5 5v5c0 4 2.8 6.5 6.5 7.5 3.7-1 6.5-3.5 6.5-7.5V5zM7.5 10l2 2 3.5-4',
  organisation: 'M3 17.5h14M4.5 17.5v-14h7v14M11.5 7.5h4v10M7 7h2M7 10.5h2M7 14h2',
  profile: 'M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM3.5 17a6.5 6.5 0 0 1 13 0',
  search: 'M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12ZM13.5 13.5 17.5 17.5',
  plus: 'M10 4v12M4 10h12',
  close: 'M5 5l10 10M15 5 5 15',
  copy: 'M7 7h9.5v9.5H7zM3.5 13V3.5H13',
  check: 'M4 10.5l4 4 8-9',
  warning: 'M10 3 1.8 17h16.4zM10 8v4.5M10 14.8h.01',
  info: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM10 9v4.5M10 6.3h.01',
  stop: 'M6.5 2.5h7l4 4v7l-4 4h-7l-4-4v-7zM10 6v5M10 13.7h.01',
  back: 'M12.5 4 6.5 10l6 6',
  next: 'M7.5 4l6 6-6 6',
  download: 'M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13',
  upload: 'M10 13V3.5M6 7l4-4 4 4M3.5 16.5h13',
  rotate: 'M16.5 8.5A6.8 6.8 0 0 0 4 7M3.5 3.5V7H7M3.5 11.5A6.8 6.8 0 0 0 16 13M16.5 16.5V13H13',
  edit: 'M3.5 16.5V13L13 3.5l3.5 3.5L7 16.5zM11 5.5 14.5 9',
  bolt: 'M11.5 2 4 11.5h5L8.5 18 16 8.5h-5z',
  out: 'M12 3.5H4v13h8M8 10h9.5M14.5 7l3 3-3 3',
  trash: 'M3.5 5.5h13M8 5.5V3h4v2.5M5.5 5.5 6.3 17h7.4l.8-11.5',
} as const;

export type IconName = keyof typeof SHAPES;

/** A decoration: the text beside it says the same. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path
        d={SHAPES[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

export function Mark({ size = 26 }: { size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <circle cx="16" cy="16" r="15" fill="#0b7a55" />
      <circle
        cx="16"
        cy="16"
        r="11.5"
        fill="none"
        stroke="#bff0d9"
        stroke-width="1.5"
        stroke-dasharray="1.6 2"
      />
      <path
        d="M9.5 21V11.5l6.5 6 6.5-6V21"
        fill="none"
        stroke="#fff"
        stroke-width="2.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

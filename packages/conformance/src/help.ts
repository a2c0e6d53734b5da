export const HELP = `Usage: mintmark-conformance <issuer URL> --client-id <id> --client-secret-file <file> [options]

Checks an OAuth server for machines from outside, rule by rule. It requests and revokes tokens of the clients that
you name, and sends wrong credentials for them: use clients made for this.

The server:
  --token-endpoint <url>             In place of the one in the metadata.
  --introspection-endpoint <url>     The same.
  --revocation-endpoint <url>        The same.
  --jwks-uri <url>                   The same.
  --protected-url <url>              A URL that answers GET only with an access token of the client; none: there
                                     are only tokens for other servers.

The clients:
  --client-id <id>                   A client that gets tokens, and may introspect them.
  --client-secret-file <file>        The file with its secret.
  --scope <scopes>                   Two scopes that the client may have: "a b".
  --resource <uri>                   An API that its tokens may be for (RFC 8707); none: the server has no such parameter.
  --other-client-id <id>             A second client, with another secret.
  --other-client-secret-file <file>
  --key-client-id <id>               A client with a key in place of a secret (RFC 7523); none: the server takes
                                     no assertions.
  --key-file <file>                  Its private key, as PEM (PKCS #8) or JWK.

The report:
  --deviations <file>                What the server does otherwise on purpose: a JSON list of
                                     {"check": id, "seen": part of the failure's text, "reason": text}.
  --only <id>                        Only this check; repeatable.
  --strict                           A failed SHOULD fails the run, too.
  --json <file>                      Also writes the report as JSON, with what was sent and seen.
  --junit <file>                     Also as JUnit XML.
  --markdown <file>                  Also as a table in Markdown.
  --list                             Lists the checks.
  -h, --help                         Shows this help.
  --version                          Prints the version.

Exit codes: 0 every MUST holds, except for declared deviations · 1 a MUST failed, or a declared deviation was not seen
            2 wrong arguments · 3 the server cannot be reached

Example:
  mintmark-conformance https://auth.example.com --client-id checker --client-secret-file secret.txt --scope "a b"`;

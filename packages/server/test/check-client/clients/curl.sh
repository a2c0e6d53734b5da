#!/bin/bash
# curl: one token, and calls in a loop that xargs runs in parallel.
set -euo pipefail

token=$(
  curl --silent --show-error --fail --retry 3 "$MINTMARK_TOKEN_URL" \
    --data grant_type=client_credentials \
    --data-urlencode "client_id=$MINTMARK_CLIENT_ID" \
    --data-urlencode "client_secret=$MINTMARK_CLIENT_SECRET" |
    jq --raw-output .access_token
)

seq "$MINTMARK_CALLS" | xargs -P "$MINTMARK_PARALLEL" -I{} \
  curl --silent --show-error --fail --output /dev/null \
  --header "Authorization: Bearer $token" "$MINTMARK_API_URL"

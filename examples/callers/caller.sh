#!/bin/sh
# A caller that needs nothing but curl: sh caller.sh POST /orders '{"item": "book"}'
# Prints the answer; ends with 0 if it is 2xx, with 1 if it is any other, with 2 if there is none.
set -eu
gateway=${GATEWAY:-http://127.0.0.1:8600}
method=$1 path=$2 body=${3-}
key=${KEY:-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# With a key it is safe to send this again where the answer was lost: it is accepted once. curl tries again where
# the connection broke, and after 429, 502, 503 and 504, at the moment that Retry-After says.
code=$(curl -sS --retry 5 --retry-all-errors --max-time 30 -X "$method" --data-binary "$body" \
  -H "Idempotency-Key: $key" -H 'Content-Type: application/json' \
  -o "$folder/accepted" -w '%{http_code}' "$gateway/async$path") || exit 2
if [ "$code" != 202 ]; then
  cat "$folder/accepted" >&2
  exit 2
fi
url=$(sed -n 's/.*"response_url":"\([^"]*\)".*/\1/p' "$folder/accepted")
echo "accepted: $url" >&2

# The answer is held back until there is one, 20 seconds at a time. No --retry here: a 503 may be the upstream's own
# answer, and an error is handed out once. Restante's own answers carry Restante-Status, an upstream's never does.
while :; do
  code=$(curl -sS --max-time 60 -H 'Prefer: wait=20' \
    -D "$folder/head" -o "$folder/answer" -w '%{http_code}' "$url") || { sleep 1; continue; }
  status=$(sed -n 's/^[Rr]estante-[Ss]tatus: *\([a-z]*\).*/\1/p' "$folder/head")
  case "$status" in
    pending | processing) sleep 1 ;;
    '') break ;;
    *) cat "$folder/answer" >&2; exit 2 ;; # the work broke (502, 504), was cancelled (410), or is not known (404)
  esac
done
cat "$folder/answer"
case "$code" in 2*) exit 0 ;; *) exit 1 ;; esac

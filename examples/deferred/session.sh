#!/bin/sh
# A caller of an API that reports its end later. In two other terminals:
#
#   node upstream.mjs                      (or: python3 upstream.py)
#   restante serve --config restante.toml
#
set -eu

GATEWAY=${GATEWAY:-http://127.0.0.1:8600}

# field NAME: the text of that name in the JSON on standard input.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1; }

# wait_for URL: polls a response_url until it is no longer "425 Too Early".
wait_for() {
    while [ "$(curl -sS -I -o /dev/null -w '%{http_code}' "$1")" = 425 ]; do sleep 0.2; done
}

echo "== 1. An order: 202 at once"
task=$(curl -sS -H 'Content-Type: application/json' -d '{"topic": "sales"}' "$GATEWAY/async/reports")
echo "$task"
id=$(echo "$task" | field request_id)

echo "== 2. The API has taken it and works; the transaction is processing"
sleep 1
curl -sS "$GATEWAY/-/transactions/$id/events"
echo

echo "== 3. The end, as the API reported it"
wait_for "$(echo "$task" | field response_url)"
curl -sS -w '\n%{http_code}\n' "$(echo "$task" | field response_url)"

echo "== 4. All that happened"
curl -sS "$GATEWAY/-/transactions/$id"
echo

echo "== 5. What a report looks like by hand. The token is what the API was given; this one is wrong, so: 404"
curl -sS -w '\n%{http_code}\n' -H 'Authorization: Bearer 1.wrong' -H 'Content-Type: application/json' \
    -d '{"status": "completed", "message": "Done", "result": {"status": 200, "body": {"pages": 12}}}' \
    "$GATEWAY/-/transactions/$id/events"

#!/bin/sh
# A session with the demo payment API behind Restante. In two other terminals:
#
#   python -m restante.demo.payments --listen 127.0.0.1:9000
#   restante serve --config payments.toml
#
set -eu

GATEWAY=${GATEWAY:-http://127.0.0.1:8600}
SHOP=${SHOP:-361:demo-secret}
ORDER=${ORDER:-order-$(date +%s)}

# call METHOD URL [BODY]: prints the answer's body, then its code.
call() {
    if [ $# -gt 2 ]; then
        curl -sS -u "$SHOP" -X "$1" -H 'Content-Type: application/json' -w '\n%{http_code}\n' -d "$3" "$2"
    else
        curl -sS -u "$SHOP" -X "$1" -w '\n%{http_code}\n' "$2"
    fi
}

# field NAME: the text of that name in the JSON on standard input.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1; }

# wait_for URL: polls a response_url until it is no longer "425 Too Early".
wait_for() {
    while [ "$(curl -sS -u "$SHOP" -I -o /dev/null -w '%{http_code}' "$1")" = 425 ]; do sleep 0.5; done
}

payment() {
    printf '{"request": {"amount": %s, "currency": "USD", "description": "An order", "tracking_id": "%s",
      "duplicate_check": false, "credit_card": {"number": "%s", "verification_value": "123",
      "holder": "Jane Doe", "exp_month": "05", "exp_year": "2035"}}}' "$1" "$ORDER-$1" "$2"
}

echo "== 1. A payment, asynchronously: 202 at once, with two addresses"
task=$(call POST "$GATEWAY/async/transactions/payments" "$(payment 1999 4200000000000000)")
echo "$task"
status_url=$(echo "$task" | field status_url)
response_url=$(echo "$task" | field response_url)

echo "== 2. Its status: processing, while the bank thinks"
call GET "$status_url"

echo "== 3. Its result: the payment API's own answer, as it came"
wait_for "$response_url"
call GET "$response_url"

echo "== 4. Now the status is completed; the result may be read again for 24 hours"
call GET "$status_url"

echo "== 5. A request that the payment API refuses"
task=$(call POST "$GATEWAY/async/transactions/payments" "$(payment 0 4200000000000000)")
response_url=$(echo "$task" | field response_url)
wait_for "$response_url"
call GET "$response_url"

echo "== 6. An error is returned once: the second time it is unknown"
call GET "$response_url"

echo "== 7. Cancelling: 200 before the payment is sent, 409 once it is on its way"
task=$(call POST "$GATEWAY/async/transactions/payments" "$(payment 500 4200000000000000)")
call DELETE "$(echo "$task" | field status_url)"

echo "== 8. A card that asks its holder (3-D Secure): incomplete, with an address for the browser"
task=$(call POST "$GATEWAY/async/transactions/payments" "$(payment 2500 4012000000001097)")
response_url=$(echo "$task" | field response_url)
wait_for "$response_url"
result=$(call GET "$response_url")
echo "$result"
redirect_url=$(echo "$result" | field redirect_url)

echo "== 9. The holder confirms there; the payment API is then asked by uid, straight through the gateway"
curl -sS -o /dev/null -d decision=confirm "$redirect_url"
call GET "$GATEWAY/transactions/$(echo "$result" | field uid)"

echo "== 10. What the gateway has kept"
call GET "$GATEWAY/-/transactions"

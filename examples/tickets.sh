#!/bin/sh
# A session with the demo ticket API behind Restante. In two other terminals:
#
#   python -m restante.demo.tickets --listen 127.0.0.1:9001
#   restante serve --config tickets.toml
#
set -eu

GATEWAY=${GATEWAY:-http://127.0.0.1:8600}

# call METHOD URL [BODY]: prints the answer's body, then its code.
call() {
    if [ $# -gt 2 ]; then
        curl -sS -X "$1" -H 'Content-Type: application/json' -w '\n%{http_code}\n' -d "$3" "$2"
    else
        curl -sS -X "$1" -w '\n%{http_code}\n' "$2"
    fi
}

# field NAME: the text of that name in the JSON on standard input.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' | head -n 1; }

# wait_for URL: polls a transaction until it has ended.
wait_for() {
    while call GET "$1" | head -n 1 | grep -q '"status": *"\(pending\|processing\)", *"events"'; do sleep 0.5; done
}

ticket() {
    printf '{"type_code": "%s", "subject": "Pedido atrasado", "description": "O pedido não chegou.",
      "order_id": "order-7"}' "$1"
}

echo "== 1. A ticket: 202 at once, with the path of a transaction"
accepted=$(call POST "$GATEWAY/channel/v0/tickets" "$(ticket marketplace-entrega)")
echo "$accepted"
transaction=$GATEWAY$(echo "$accepted" | field path)

echo "== 2. The transaction, under way"
call GET "$transaction"

echo "== 3. Completed: the latest event carries the ticket's id"
wait_for "$transaction"
completed=$(call GET "$transaction")
echo "$completed"

echo "== 4. The ticket itself, straight through the gateway"
call GET "$GATEWAY/channel/v0/tickets/$(echo "$completed" | field ticket_id)"

echo "== 5. A type code that does not exist: the failure's event carries the API's own error list"
accepted=$(call POST "$GATEWAY/channel/v0/tickets" "$(ticket mktplace-entrega)")
transaction=$GATEWAY$(echo "$accepted" | field path)
wait_for "$transaction"
call GET "$transaction"

echo "== 6. What failed today, newest first"
today=$(date -u +%Y-%m-%d)
call GET "$GATEWAY/seller/v0/transactions?created_at_gte=${today}T00:00:00&status=failed&_sort=created_at:desc&_limit=5"

"""A demo payment API in the style of the platform of seed 000: card transactions behind HTTP Basic.

Synchronous, as such APIs are: a call holds its connection until the bank has answered, which takes
`bank_delay_seconds`. The header `Demo-Bank-Delay: <seconds>` (0 to 300) asks for another delay.
Amounts are integers in minor units. Repeating a request repeats the charge, unless it is the same money from
the same card within 30 seconds (`duplicate_check`): guarding against that is the business of whoever calls.

    python -m restante.demo.payments --listen 127.0.0.1:9000 --shop 361:demo-secret
"""

import random
from functools import partial
from urllib.parse import parse_qs

import msgspec

from . import SECRET_KEY, SHOP_ID
from .answers import answer, describe, refuse
from .bank import Bank
from .cards import Card, Vault
from .checks import Errors, Fields, check_card_request, check_child_request, whole_number
from .clock import Clock, SystemClock
from .codes import Code
from .ledger import KEPT, Kind, Ledger, Status, Transaction
from .notices import Notices, Post, post
from .page import question_page, result_page, unknown_page
from .parents import PARENTS, objection
from .reports import DEFERRED, Place, Reports, place_of
from .shops import Shops
from .web import (
    Answer,
    Receive,
    Refused,
    Request,
    Scope,
    Send,
    Site,
    answer_json,
    arguments,
    read_json,
    serve,
)

HTML = "text/html; charset=utf-8"
LONGEST_DELAY_SECONDS = 300.0


class PaymentAPI:
    """The ASGI app. `shops` are secret keys by shop id; `public_url` is the origin that customers reach.

    `deferring`: where the caller takes reports, a payment that waits for its customer is not answered as
    incomplete, but put off until the customer has decided.
    """

    def __init__(
        self,
        *,
        shops: dict[str, str],
        bank_delay_seconds: float = 0.0,
        clock: Clock | None = None,
        chance: random.Random | None = None,
        public_url: str | None = None,
        max_transactions: int = 10_000,
        deferring: bool = False,
        post: Post = post,
    ) -> None:
        self._shops = Shops(shops)
        self._clock = clock or SystemClock()
        self._chance = chance or random.SystemRandom()
        self._bank = Bank(clock=self._clock, chance=self._chance)
        self._bank_delay_seconds = bank_delay_seconds
        self._public_url = public_url
        self._ledger = Ledger(max_transactions)
        self._vault = Vault(max_transactions)
        self.notices = Notices(clock=self._clock, post=post)
        self._reports = Reports(self.notices, post)
        self._deferring = deferring
        self._site = self._lay_out()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._site(scope, receive, send)

    def charges(self, tracking_id: str) -> int:
        """How many times a card was charged, or money on it held, under this tracking id."""
        return self._ledger.charges(tracking_id)

    def _lay_out(self) -> Site:
        site = Site()
        for kind in Kind:
            create = self._create_child if kind in PARENTS else self._create
            site.route("POST", f"/transactions/{kind}s", partial(create, kind))
        site.route("GET", "/transactions/{uid}", self._show)
        site.route("GET", "/v2/transactions/tracking_id/{tracking_id*}", self._track)
        site.route("GET", "/process/{uid}", self._ask_customer)
        site.route("POST", "/process/{uid}", self._hear_customer)
        return site

    # -- what merchants call

    async def _create(self, kind: Kind, request: Request) -> Answer:
        shop_id, fields, version = self._open(request)
        card, errors = check_card_request(kind, fields, self._vault)
        if card is None or errors:
            raise Refused(refuse(422, version, errors))
        self._vault.keep(card)
        transaction = self._make(kind, request, shop_id, fields, currency=fields["currency"], card=card)
        return await self._perform(transaction, request)

    async def _create_child(self, kind: Kind, request: Request) -> Answer:
        shop_id, fields, version = self._open(request)
        errors: Errors = check_child_request(kind, fields)
        parent = self._ledger.get(fields.get("parent_uid"), shop_id)
        if parent is None and not errors:
            errors = {"parent_uid": ["is not found"]}
        if parent is None or errors:
            raise Refused(refuse(422, version, errors))
        transaction = self._make(
            kind, request, shop_id, fields, currency=parent.currency, card=parent.card, parent=parent
        )
        reason = objection(kind, parent, transaction.amount, self._ledger)
        if reason:
            raise Refused(refuse(422, version, {"base": [reason]}))
        return await self._perform(transaction, request)

    async def _show(self, request: Request) -> Answer:
        transaction = self._ledger.get(request.params["uid"], self._shops.identify(request))
        if transaction is None:
            return refuse(404, _version(request), {}, text="Record not found")
        return answer(transaction)

    async def _track(self, request: Request) -> Answer:
        """Up to 10, newest first. The newest one's uid and status stand beside the list as well: one of the
        platform's public clients reads them there."""
        found = self._ledger.track(self._shops.identify(request), request.params["tracking_id"])
        newest = {"uid": found[0].uid, "transaction_status": found[0].status} if found else {}
        return answer_json(200, {"transactions": [describe(transaction) for transaction in found], **newest})

    # -- what the customer's browser calls

    async def _ask_customer(self, request: Request) -> Answer:
        transaction = self._ledger.get(request.params["uid"])
        if transaction is None:
            return Answer(404, unknown_page(), HTML)
        page = question_page if transaction.awaits_customer else result_page
        return Answer(200, page(transaction), HTML)

    async def _hear_customer(self, request: Request) -> Answer:
        """The decision ends the transaction; a second one changes nothing."""
        transaction = self._ledger.get(request.params["uid"])
        if transaction is None:
            return Answer(404, unknown_page(), HTML)
        decision = parse_qs(request.body.decode("latin-1")).get("decision", [""])[0]
        if decision not in ("confirm", "refuse"):
            return await self._ask_customer(request)
        if transaction.awaits_customer:
            transaction.code = Code.PROCESSING  # so that a second click finds nothing to decide
            transaction.authentication = "Y" if decision == "confirm" else "N"
            await self._bank.ask(transaction, self._delay(request))
            self._notify(transaction)
            if transaction.place is not None:
                self._reports.end(
                    transaction.place, "The customer has decided", {"transaction": describe(transaction)}
                )
        return_url = transaction.request.get("return_url")
        if return_url:
            return Answer(303, b"", HTML, (("Location", return_url),))
        return Answer(200, result_page(transaction), HTML)

    # -- the work

    async def _perform(self, transaction: Transaction, request: Request) -> Answer:
        """From the duplicate check to the entry in the ledger nothing waits: no twin slips in."""
        if transaction.request.get("duplicate_check") is not False and self._ledger.duplicates(transaction):
            text = Code.DUPLICATE.message
            raise Refused(refuse(422, transaction.version, {"base": [text]}, Code.DUPLICATE))
        delay_seconds = self._delay(request)
        self._ledger.add(transaction)
        if self._bank.challenges(transaction):
            transaction.code, transaction.challenged = Code.CHALLENGE, True
            place = place_of(request) if self._deferring else None
            return answer(transaction) if place is None else await self._put_off(transaction, place)
        await self._bank.ask(transaction, delay_seconds)
        self._notify(transaction)
        return answer(transaction)

    async def _put_off(self, transaction: Transaction, place: Place) -> Answer:
        """Tells where the customer is asked; the decision will be told as the end."""
        transaction.place = place
        described = describe(transaction)
        await self._reports.progress(
            place,
            "The customer is asked to confirm",
            uid=transaction.uid,
            redirect_url=described["redirect_url"],
        )
        return answer_json(202, {"transaction": described}, DEFERRED)

    def _make(
        self,
        kind: Kind,
        request: Request,
        shop_id: str,
        fields: Fields,
        *,
        currency: str,
        card: Card | None,
        parent: Transaction | None = None,
    ) -> Transaction:
        now = self._clock.now()
        return Transaction(
            uid=f"{self._chance.randrange(10**7, 10**8)}-{self._chance.getrandbits(40):010x}",
            kind=kind,
            shop_id=shop_id,
            amount=whole_number(fields["amount"]) or 0,
            currency=currency,
            request={name: fields.get(name) for name in KEPT},
            origin=self._public_url or request.origin,
            version=_version(request),
            created_at=now,
            updated_at=now,
            card=card,
            parent=parent,
        )

    def _notify(self, transaction: Transaction) -> None:
        url = transaction.request.get("notification_url")
        if url and transaction.status is not Status.INCOMPLETE:
            body = msgspec.json.encode({"transaction": describe(transaction)})
            self.notices.send(url, self._shops.authorization(transaction.shop_id), body)

    # -- the call

    def _open(self, request: Request) -> tuple[str, Fields, str]:
        """Who calls, what is in `request`, and which version of the API is spoken."""
        shop_id, version = self._shops.identify(request), _version(request)
        try:
            document = read_json(request.body)
        except ValueError as error:
            raise Refused(refuse(400, version, {}, text=str(error))) from None
        fields = document.get("request") if isinstance(document, dict) else None
        if not isinstance(fields, dict) or not fields:
            raise Refused(refuse(422, version, {"request": ["can't be blank"]}))
        return shop_id, fields, version

    def _delay(self, request: Request) -> float:
        text = request.headers.get("demo-bank-delay")
        if text is None:
            return self._bank_delay_seconds
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_DELAY_SECONDS:
            message = f"Demo-Bank-Delay must be a number of seconds from 0 to {LONGEST_DELAY_SECONDS:.0f}"
            raise Refused(answer_json(400, {"message": message, "errors": {}}))
        return seconds


def _version(request: Request) -> str:
    return request.headers.get("x-api-version", "2")


def main() -> None:
    parser = arguments("The demo payment API.", listen="127.0.0.1:9000", delay=1.5)
    parser.add_argument(
        "--shop", default=f"{SHOP_ID}:{SECRET_KEY}", metavar="ID:KEY", help="default: %(default)s"
    )
    parser.add_argument(
        "--deferring", action="store_true", help="report the end of 3-D Secure where the caller takes reports"
    )
    chosen = parser.parse_args()
    shop_id, _, secret_key = chosen.shop.partition(":")
    api = PaymentAPI(shops={shop_id: secret_key}, bank_delay_seconds=chosen.delay, deferring=chosen.deferring)
    serve(api, chosen.listen)


if __name__ == "__main__":
    main()

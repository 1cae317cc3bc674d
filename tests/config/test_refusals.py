"""What is wrong is one line that names the setting by its full place and says what would do."""

import tomllib

import pytest

from restante.config import SettingError, settings

URL = 'url = "http://127.0.0.1:9000"'
UP = f"[upstream]\n{URL}\n"
TICKETS = '[[routes]]\nmatch = "POST /tickets"\n'
WITH_ROUTE = UP + TICKETS
RECONCILING = WITH_ROUTE + "interrupted = 'reconcile'\n"
RECONCILE_ONLY = 'goes with interrupted = "reconcile" only'
LOOKUP = (
    'expected GET and a path, such as "GET /v2/transactions/tracking_id/{tracking_id}"; '
    "{tracking_id} and {id} stand for the transaction's"
)
AS_TRANSACTION = WITH_ROUTE + 'dialect = "transaction"\ntransactions = "/transactions"\n'
TWO = f"[upstreams.bank]\n{URL}\n[upstreams.desk]\n{URL}\n"

DURATION = "expected a duration such as 500ms, 3s, 5m, 24h or 30d"
SIZE = "expected a size such as 64KiB, 16MiB or 1GiB, or a number of bytes"
NO_SUCH = "there is no such setting"
LATER = "not part of this version"
ADDRESS = "expected HOST:PORT, such as 127.0.0.1:8600 or [::1]:8600"
ORIGIN = "expected an origin such as https://pay.example, without a path"
UNENCODED = "in its user and password, @ : / ? and # must be written %40 %3A %2F %3F and %23"
STORE = (
    "expected sqlite:///FILE (sqlite:////FILE where the path begins at the root) "
    "or postgresql://USER@HOST/DATABASE"
)
TARGET = "expected a URL such as http://127.0.0.1:9000 or https://api.example/base"
MATCH = 'expected a method (or *) and a path, such as "POST /channel/v0/tickets" or "* /v2/*"'
RATE = "expected a rate such as 100/s, 600/m or 50/h, more than 0"
PATH = "expected a path such as /seller/v0/transactions, not below /-/ or /async/"
TRACKING = "expected a JSON pointer into the body, such as /request/tracking_id, or a header's name"
PORTS = 'expected a list of 1 to 100 ports and ranges, such as [443, "8000-8999"]'
PORT = 'expected a port such as 443 or a range such as "8000-8999"'
SOME_TEXT = "expected text: at least one character, no control characters"
OPEN = (
    "can be reached by others and auth.mode is open; use a loopback address such as 127.0.0.1, "
    "another auth.mode, or set insecure = true"
)

REFUSALS = [
    # names
    ("lisen = 'a'\n" + UP, f"lisen: {NO_SUCH}; did you mean listen?"),
    ("colour = 'red'\n" + UP, f"colour: {NO_SUCH}"),
    (UP + "tiemout = '3s'", f"upstream.tiemout: {NO_SUCH}; did you mean timeout?"),
    (UP + "retry = { attempt = 3 }", f"upstream.retry.attempt: {NO_SUCH}; did you mean attempts?"),
    (WITH_ROUTE + "path = '/x'", f"routes[0].path: {NO_SUCH}; did you mean match?"),
    (UP + "[auth]\nmod = 'open'", f"auth.mod: {NO_SUCH}; did you mean mode?"),
    # the upstream itself
    ("", "upstream: missing: say which API does the work, with --upstream URL or [upstream] url = …"),
    (
        "[upstreams]",
        "upstream: missing: say which API does the work, with --upstream URL or [upstream] url = …",
    ),
    (UP + TWO, "upstreams: give either [upstream] or [upstreams.NAME], not both"),
    ("upstream = 'http://a'", 'upstream: expected a table; write [upstream] and below it url = "…"'),
    ("upstream = 3", "upstream: expected a table"),
    ("upstreams = []", "upstreams: expected a table"),
    (
        "upstreams.bank = 'http://a'",
        'upstreams.bank: expected a table; write [upstreams.bank] and below it url = "…"',
    ),
    (
        '[upstreams."a b"]\n' + URL,
        "upstreams: expected names of letters, digits, - and _, at most 64 characters",
    ),
    (
        "[upstream]\ntimeout = '3s'",
        "upstream.url: missing: where the API is: scheme, host, port, and a base path if it has one",
    ),
    ("[upstream]\nurl = 9000", f"upstream.url: {TARGET}"),
    ("[upstream]\nurl = '127.0.0.1:9000'", f"upstream.url: {TARGET}"),
    ("[upstream]\nurl = 'ftp://host'", f"upstream.url: {TARGET}"),
    ("[upstream]\nurl = 'http://host:99999'", f"upstream.url: {TARGET}"),
    ("[upstream]\nurl = 'http://'", f"upstream.url: {TARGET}"),
    (
        "[upstream]\nurl = 'http://shop:hunter2@host'",
        "upstream.url: expected a URL without user and password; credentials belong into set_headers",
    ),
    ("[upstream]\nurl = 'http://host/?a=1'", "upstream.url: expected a URL without a query and a fragment"),
    (UP + "concurrency = 0", "upstream.concurrency: expected a whole number from 1 to 10000"),
    (UP + "concurrency = '64'", "upstream.concurrency: expected a whole number from 1 to 10000"),
    (UP + "concurrency = true", "upstream.concurrency: expected a whole number from 1 to 10000"),
    (UP + "rate = 100", f"upstream.rate: {RATE}"),
    (UP + "rate = '100'", f"upstream.rate: {RATE}"),
    (UP + "rate = '100/d'", f"upstream.rate: {RATE}"),
    (UP + "rate = '0/s'", f"upstream.rate: {RATE}"),
    (UP + "timeout = 60", f"upstream.timeout: {DURATION}, in quotes"),
    (UP + "timeout = '60'", f"upstream.timeout: {DURATION}"),
    (UP + "timeout = '60 seconds'", f"upstream.timeout: {DURATION}"),
    (UP + "timeout = '1w'", f"upstream.timeout: {DURATION}"),
    (UP + "timeout = '-3s'", f"upstream.timeout: {DURATION}"),
    (UP + "timeout = '0s'", "upstream.timeout: expected a duration longer than 0"),
    (UP + "connect_timeout = '0ms'", "upstream.connect_timeout: expected a duration longer than 0"),
    (UP + "timeout = '999999999d'", "upstream.timeout: expected a duration of at most 36500d"),
    (TWO + "timeout = 'soon'", f"upstreams.desk.timeout: {DURATION}"),
    (UP + "retry = 3", "upstream.retry: expected a table"),
    (UP + "retry = { attempts = 0 }", "upstream.retry.attempts: expected a whole number from 1 to 1000"),
    (
        UP + "retry = { backoff = '10m', max_backoff = '5m' }",
        "upstream.retry.max_backoff: must not be shorter than backoff (10m)",
    ),
    (UP + "retry = { backoff = '6m' }", "upstream.retry.max_backoff: must not be shorter than backoff (6m)"),
    (
        UP + "retry = { on = 'connect' }",
        'upstream.retry.on: expected a list of "connect" and answer codes, such as ["connect", 502, 503]',
    ),
    (
        UP + "retry = { on = ['timeout'] }",
        'upstream.retry.on[0]: expected a list of "connect" and answer codes, such as ["connect", 502, 503]',
    ),
    (
        UP + "retry = { on = ['connect', 200] }",
        "upstream.retry.on[1]: expected a code from 300 to 599; 2xx means that the work was done",
    ),
    (UP + "preserve_host = 'yes'", "upstream.preserve_host: expected true or false"),
    (
        UP + "set_headers = 'Authorization: x'",
        'upstream.set_headers: expected a table of header fields, such as { Authorization = "Bearer …" }',
    ),
    (
        UP + "set_headers = { Host = 'a' }",
        "upstream.set_headers.Host: is made from url; preserve_host = true keeps the caller's",
    ),
    (
        UP + "set_headers = { Connection = 'close' }",
        "upstream.set_headers.Connection: is made by Restante itself and cannot be set",
    ),
    (
        UP + "set_headers = { Restante-Attempt = '1' }",
        "upstream.set_headers.Restante-Attempt: is made by Restante itself and cannot be set",
    ),
    (
        UP + "set_headers = { Authorization = 7 }",
        "upstream.set_headers.Authorization: expected text that may stand in a header field",
    ),
    (
        UP + 'set_headers = { X-Key = "a\\r\\nX-Evil: 1" }',
        "upstream.set_headers.X-Key: expected text that may stand in a header field",
    ),
    (
        UP + 'set_headers = { "X Key" = "a" }',
        "upstream.set_headers.'X Key': is not the name of a header field",
    ),
    (
        UP + "set_headers = { x-a = '1', X-A = '2' }",
        "upstream.set_headers: the same header field is named twice",
    ),
    (UP + "ca_file = 'ca.pem'", "upstream.ca_file: goes with an https:// url only"),
    (UP + "client_cert = 'me.pem'", "upstream.client_cert: goes with an https:// url only"),
    (
        "[upstream]\nurl = 'https://a'\nclient_key = 'k.pem'",
        "upstream.client_key: goes with client_cert, which is missing",
    ),
    (
        "[upstream]\nurl = 'https://a'\nca_file = ''",
        "upstream.ca_file: expected text: at least one character, no control characters",
    ),
    (UP + "ca_file = 3", "upstream.ca_file: expected text in quotes"),
    (UP + "events_url = 'http://a'", "upstream.events_url: there is no such setting"),
    # routes
    ("routes = 3\n" + UP, "routes: expected [[routes]], one for each route"),
    ("[routes]\nmatch = 'POST /a'\n" + UP, "routes: expected [[routes]], one for each route"),
    ("routes = ['POST /a']\n" + UP, "routes[0]: expected a table"),
    (
        UP + "[[routes]]\npriority = 1",
        "routes[0].match: missing: the method (* for any) and the path as it comes, without /async in "
        "front; one * in it matches the rest",
    ),
    (UP + "[[routes]]\nmatch = '/tickets'", f"routes[0].match: {MATCH}"),
    (UP + "[[routes]]\nmatch = 'POST tickets'", f"routes[0].match: {MATCH}"),
    (UP + "[[routes]]\nmatch = 'POST  /tickets'", f"routes[0].match: {MATCH}"),
    (UP + "[[routes]]\nmatch = 'POST /tickets?a=1'", f"routes[0].match: {MATCH}"),
    (
        UP + "[[routes]]\nmatch = 'post /tickets'",
        f"routes[0].match: methods are written in upper case; {MATCH}",
    ),
    (
        UP + "[[routes]]\nmatch = '* /a/*/b/*'",
        f"routes[0].match: a path may hold one * only, which matches the rest; {MATCH}",
    ),
    (
        WITH_ROUTE + TICKETS + "[[routes]]\nmatch = 7",
        f"routes[2].match: {MATCH}",
    ),
    (WITH_ROUTE + "dialect = 'rest'", 'routes[0].dialect: expected "task" or "transaction"'),
    (
        WITH_ROUTE + "dialect = 'transaction'",
        'routes[0].transactions: missing: dialect = "transaction" needs the path to look them up',
    ),
    (
        WITH_ROUTE + "transactions = '/transactions'",
        'routes[0].transactions: goes with dialect = "transaction" only',
    ),
    (WITH_ROUTE + "data = { id = '/id' }", 'routes[0].data: goes with dialect = "transaction" only'),
    (
        WITH_ROUTE + "dialect = 'transaction'\ntransactions = 'transactions'",
        f"routes[0].transactions: {PATH}",
    ),
    (WITH_ROUTE + "dialect = 'transaction'\ntransactions = '/a/*'", f"routes[0].transactions: {PATH}"),
    (WITH_ROUTE + "dialect = 'transaction'\ntransactions = '/-/mine'", f"routes[0].transactions: {PATH}"),
    (
        UP + "[[routes]]\nmatch = 'POST /async/a'",
        "routes[0].match: paths below /-/ and /async/ reach no route; write the path without /async",
    ),
    (
        UP + "[[routes]]\nmatch = '* /-/*'",
        "routes[0].match: paths below /-/ and /async/ reach no route; write the path without /async",
    ),
    (
        WITH_ROUTE + "operation = 'destroy'",
        'routes[0].operation: expected "create", "update", "delete" or "read"',
    ),
    (
        WITH_ROUTE + "interrupted = 'ignore'",
        'routes[0].interrupted: expected "fail", "retry" or "reconcile"',
    ),
    (
        RECONCILING + "found = '/uid'",
        "routes[0].lookup: missing: how the upstream is asked what became of a request, with the caller's "
        "header fields: GET /v2/transactions/tracking_id/{tracking_id}",
    ),
    (
        RECONCILING + "lookup = 'GET /x/{id}'",
        "routes[0].found: missing: what is in the look-up's answer if the work was done",
    ),
    (
        RECONCILING + "lookup = 'GET /x/{tracking_id}'\nfound = '/uid'",
        "routes[0].tracking_id: missing: lookup asks for the {tracking_id}",
    ),
    (RECONCILING + "lookup = 'POST /x/{id}'", f"routes[0].lookup: {LOOKUP}"),
    (RECONCILING + "lookup = 'GET /x/{uid}'", f"routes[0].lookup: {LOOKUP}"),
    (RECONCILING + "lookup = 'GET x/{id}'", f"routes[0].lookup: {LOOKUP}"),
    (
        RECONCILING + "lookup = 'GET /x'",
        "routes[0].lookup: must say which transaction is meant, with {tracking_id} or {id}",
    ),
    (
        RECONCILING + "lookup = 'GET /x/{id}'\nfound = 'uid'",
        "routes[0].found: expected a JSON pointer such as /id",
    ),
    (
        RECONCILING + "lookup = 'GET /x/{id}'\nfound = ''",
        "routes[0].found: expected a JSON pointer such as /uid; the whole answer is always there",
    ),
    (WITH_ROUTE + "lookup = 'GET /x/{id}'", f"routes[0].lookup: {RECONCILE_ONLY}"),
    (WITH_ROUTE + "not_found = 'retry'", f"routes[0].not_found: {RECONCILE_ONLY}"),
    (
        WITH_ROUTE + "callback = ''",
        "routes[0].callback: expected a JSON pointer such as /notification_url; the whole body is no URL",
    ),
    (WITH_ROUTE + "callback = 'url'", "routes[0].callback: expected a JSON pointer such as /id"),
    (WITH_ROUTE + "priority = 1000", "routes[0].priority: expected a whole number from -100 to 100"),
    (WITH_ROUTE + "tracking_id = 'a b'", f"routes[0].tracking_id: {TRACKING}"),
    (WITH_ROUTE + "tracking_id = '/a~2'", f"routes[0].tracking_id: {TRACKING}"),
    (WITH_ROUTE + "tracking_id = ''", f"routes[0].tracking_id: {TRACKING}"),
    (
        WITH_ROUTE + "deferred = true",
        "routes[0].deferred: needs events_url, the origin at which upstreams report",
    ),
    (WITH_ROUTE + "deferred = 'no'", "routes[0].deferred: expected true or false"),
    (
        "events_url = '/x'\n" + UP,
        "events_url: expected an origin such as https://pay.example, without a path",
    ),
    (
        AS_TRANSACTION + "data = '/id'",
        'routes[0].data: expected a table of JSON pointers, such as { ticket_id = "/id" }',
    ),
    (AS_TRANSACTION + "data = { id = 'id' }", "routes[0].data.id: expected a JSON pointer such as /id"),
    (AS_TRANSACTION + "data = { id = 3 }", "routes[0].data.id: expected a JSON pointer such as /id"),
    (
        WITH_ROUTE + "messages = 'Done'",
        'routes[0].messages: expected a table of texts, such as { completed = "Ticket created" }',
    ),
    (
        WITH_ROUTE + "messages = { complete = 'Done' }",
        f"routes[0].messages.complete: {NO_SUCH}; did you mean completed? "
        "(known: accepted, processing, attempt, delay, completed, failed, cancelled, expired, "
        "deferred, info, lookup, settled, resolved)",
    ),
    (
        WITH_ROUTE + "messages = { failed = '' }",
        "routes[0].messages.failed: expected text of 1 to 1000 characters",
    ),
    (
        WITH_ROUTE + "upstream = 'bank'",
        "routes[0].upstream: there is no upstream called bank; there is default",
    ),
    (
        TWO + TICKETS + "upstream = 'http://u:p@h'",
        "routes[0].upstream: there is no upstream of that name; there is bank, desk",
    ),
    (TWO + TICKETS, "routes[0].upstream: missing: there are several upstreams (bank, desk)"),
    (
        TWO,
        "upstreams: name one of them default, for what no route matches, or add a last route for * /*, "
        "or set strict = true",
    ),
    # at the top
    ("listen = 8600\n" + UP, f"listen: {ADDRESS}"),
    ("listen = '8600'\n" + UP, f"listen: {ADDRESS}"),
    ("listen = ':8600'\n" + UP, f"listen: {ADDRESS}"),
    ("listen = '127.0.0.1:70000'\n" + UP, f"listen: {ADDRESS}"),
    ("listen = '::1:8600'\n" + UP, f"listen: {ADDRESS}"),
    ("listen = '0.0.0.0:8600'\n" + UP, f"listen: 0.0.0.0:8600 {OPEN}"),
    ("listen = '[::]:8600'\n" + UP, f"listen: [::]:8600 {OPEN}"),
    ("listen = 'gateway.example:8600'\n" + UP, f"listen: gateway.example:8600 {OPEN}"),
    ("admin_listen = '10.0.0.7:8601'\n" + UP, f"admin_listen: 10.0.0.7:8601 {OPEN}"),
    ("admin_listen = '127.0.0.1:8600'\n" + UP, "admin_listen: must not be the same address as listen"),
    ("admin_listen = 'here'\n" + UP, f"admin_listen: {ADDRESS}"),
    ("public_url = 'pay.example'\n" + UP, f"public_url: {ORIGIN}"),
    ("public_url = 'https://pay.example/api'\n" + UP, f"public_url: {ORIGIN}"),
    ("public_url = 'https://me:secret@pay.example'\n" + UP, f"public_url: {ORIGIN}"),
    ("public_url = 'https://pay.example:x'\n" + UP, f"public_url: {ORIGIN}"),
    ("store = 'restante.db'\n" + UP, f"store: {STORE}"),
    ("store = 'sqlite://restante.db'\n" + UP, f"store: {STORE}"),
    ("store = 'sqlite:///'\n" + UP, f"store: {STORE}"),
    ("store = 'sqlite:///:memory:'\n" + UP, f"store: expected a file on disk, without options; {STORE}"),
    ("store = 'sqlite:///a.db?mode=ro'\n" + UP, f"store: expected a file on disk, without options; {STORE}"),
    ("store = 'postgresql://u:hunter2@h'\n" + UP, f"store: {STORE}"),
    *(
        (f"store = 'postgresql://u:{password}@h/db'\n" + UP, f"store: {UNENCODED}")
        for password in ("hunter@2", "hunter/2", "hunter/2?x", "hunter/2#x")
    ),
    ("store = 'mysql://u:hunter2@h/db'\n" + UP, f"store: {STORE}"),
    ("retention = '24'\n" + UP, f"retention: {DURATION}"),
    ("retention = '0s'\n" + UP, "retention: expected a duration longer than 0"),
    (
        "retention = '60d'\n" + UP,
        "history: 30d is shorter than retention; set it to 60d at least",
    ),
    (
        "retention = '2d'\nhistory = '36h'\n" + UP,
        "history: 36h is shorter than retention; set it to 2d at least",
    ),
    ("accept_status = 201\n" + UP, "accept_status: expected 200 or 202"),
    ("accept_status = '202'\n" + UP, "accept_status: expected 200 or 202"),
    ("max_body = '16MB'\n" + UP, f"max_body: {SIZE}"),
    ("max_body = '16 MiB'\n" + UP, f"max_body: {SIZE}"),
    ("max_body = 1.5\n" + UP, f"max_body: {SIZE}"),
    ("max_body = 0\n" + UP, "max_body: expected a size from 1 byte to 1024GiB"),
    ("max_result = '2048GiB'\n" + UP, "max_result: expected a size from 1 byte to 1024GiB"),
    ("max_queued = 0\n" + UP, "max_queued: expected a whole number from 1 to 1000000000"),
    ("max_waiting = 'many'\n" + UP, "max_waiting: expected a whole number from 1 to 1000000"),
    ("max_events = 9\n" + UP, "max_events: expected a whole number from 10 to 1000000"),
    ("max_streams = -1\n" + UP, "max_streams: expected a whole number from 0 to 1000000"),
    ("max_head = 4095\n" + UP, "max_head: expected 4KiB at least"),
    ("max_target = '65KiB'\n" + UP, "max_target: must not be longer than max_head (64KiB)"),
    ("idle_timeout = '0s'\n" + UP, "idle_timeout: expected a duration longer than 0"),
    (
        "rate_per_tenant = 5\n" + UP,
        "rate_per_tenant: expected a rate such as 100/s, 600/m or 50/h, more than 0",
    ),
    ("strict = 1\n" + UP, "strict: expected true or false"),
    (
        "trusted_proxies = '10.0.0.0/8'\n" + UP,
        'trusted_proxies: expected a list of networks, such as ["10.0.0.0/8"]',
    ),
    (
        "trusted_proxies = ['10.0.0.1', '10.0.0.1/8']\n" + UP,
        "trusted_proxies[1]: expected a network such as 10.0.0.0/8 or an address",
    ),
    (
        "trusted_proxies = [10]\n" + UP,
        "trusted_proxies[0]: expected a network such as 10.0.0.0/8 or an address",
    ),
    ("mask = ['/a', 'b']\n" + UP, "mask[1]: expected a JSON pointer such as /id"),
    (
        "mask = '/a'\n" + UP,
        'mask: expected a list of up to 100 JSON pointers, such as ["/request/credit_card/number"]',
    ),
    ("grace = 30\n" + UP, f"grace: {DURATION}, in quotes"),
    (
        "role = 'gateway'\n" + UP,
        'role: several processes need store = "postgresql://…"; one SQLite file has one server',
    ),
    (
        "workers = 2\n" + UP,
        'workers: several processes need store = "postgresql://…"; one SQLite file has one server',
    ),
    ("workers = 0\n" + UP, "workers: expected a whole number from 1 to 64"),
    (
        "role = 'sender'\n" + UP,
        'role: expected "all", "gateway", "runner" or "webhooks"',
    ),
    ("log_level = 'loud'\n" + UP, 'log_level: expected "debug", "info", "warning" or "error"'),
    (UP + "[auth]\nmode = 'none'", 'auth.mode: expected "open", "keys" or "passthrough"'),
    (
        "hosts = ['gateway', 'gateway:80']\n" + UP,
        "hosts[1]: expected a host name such as gateway.internal, without a port",
    ),
    (
        "cors_origins = 'https://a'\n" + UP,
        'cors_origins: expected a list of origins, such as ["https://app.example"]',
    ),
    (
        "cors_origins = ['https://a', 'https://a/b']\n" + UP,
        "cors_origins[1]: expected an origin such as https://pay.example, without a path",
    ),
    (UP + "[auth]\ninsecure = 'yes'", "auth.insecure: expected true or false"),
    ("auth = 'open'\n" + UP, "auth: expected a table"),
    (
        "role = 'webhooks'\n" + UP,
        'role: several processes need store = "postgresql://…"; one SQLite file has one server',
    ),
    (
        UP + "[webhooks]\nallow = ['x']",
        "webhooks.allow[0]: expected a network such as 10.0.0.0/8 or an address",
    ),
    (
        UP + "[webhooks]\nschedule = []",
        'webhooks.schedule: expected a list of 1 to 50 durations, such as ["0s", "5s", "5m"]',
    ),
    (
        UP + "[webhooks]\nschedule = ['0s', 'soon']",
        "webhooks.schedule[1]: expected a duration such as 500ms, 3s, 5m, 24h or 30d, in quotes",
    ),
    (UP + "[webhooks]\ntimeout = '10ms'", "webhooks.timeout: expected a duration of 1s at least"),
    (
        UP + "[webhooks]\nretention = '1h'",
        "webhooks.retention: 1h is shorter than the whole schedule may last (326526s); "
        "deliveries would be gone before they are given up",
    ),
    # where webhooks may go
    (UP + "[webhooks]\nalow = []", f"webhooks.alow: {NO_SUCH}; did you mean allow?"),
    (
        UP + "[webhooks]\nallow = '10.0.0.0/8'",
        'webhooks.allow: expected a list of networks, such as ["10.0.0.0/8"]',
    ),
    (
        UP + "[webhooks]\nallow = ['10.0.0.0/8', 'localhost']",
        "webhooks.allow[1]: expected a network such as 10.0.0.0/8 or an address",
    ),
    (UP + "[webhooks]\nports = 443", f"webhooks.ports: {PORTS}"),
    (UP + "[webhooks]\nports = []", f"webhooks.ports: {PORTS}"),
    (UP + "[webhooks]\nports = [443, 0]", f"webhooks.ports[1]: {PORT}"),
    (UP + "[webhooks]\nports = [443, '90-80']", f"webhooks.ports[1]: {PORT}"),
    (UP + "[webhooks]\nports = [true]", f"webhooks.ports[0]: {PORT}"),
    (UP + "[webhooks]\nca_file = ''", f"webhooks.ca_file: {SOME_TEXT}"),
]


@pytest.mark.parametrize(("file", "line"), REFUSALS, ids=[line[:60] for _, line in REFUSALS])
def test_a_wrong_setting_is_named_and_the_line_says_what_would_do(file: str, line: str) -> None:
    with pytest.raises(SettingError) as refused:
        settings(tomllib.loads(file))
    assert str(refused.value) == line


@pytest.mark.parametrize("raw", [3, [], {3: 4}])
def test_what_is_no_table_is_refused(raw: object) -> None:
    with pytest.raises(SettingError, match="expected a table"):
        settings(raw)  # type: ignore[arg-type]


def test_no_message_repeats_what_may_be_a_secret() -> None:
    for file, line in REFUSALS:
        assert "hunter2" not in line, file
        assert "X-Evil" not in line, file

"""Who calls: shops, by HTTP Basic credentials. The same credentials go with every notification."""

import base64
import binascii
import hmac

from .web import Refused, Request, answer_json

REALM = ("WWW-Authenticate", 'Basic realm="Gateway API"')


class Shops:
    """`keys` are secret keys by shop id."""

    def __init__(self, keys: dict[str, str]) -> None:
        self._keys = keys

    def identify(self, request: Request) -> str:
        """The shop whose credentials came with the call; refused with 401 without them."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        try:
            shop_id, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            shop_id, key = "", ""
        known = self._keys.get(shop_id, "")
        if scheme.lower() != "basic" or not known or not hmac.compare_digest(known.encode(), key.encode()):
            raise Refused(answer_json(401, {"message": "Unauthorized"}, REALM))
        return shop_id

    def authorization(self, shop_id: str) -> str:
        """The value of `Authorization` for calls to this shop."""
        pair = f"{shop_id}:{self._keys[shop_id]}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")

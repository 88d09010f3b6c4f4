"""Asks the library what stands on standard input; prints its answers in the same order."""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def verify(it):
    try:
        Webhook(it["secret"]).verify(it["body"].encode(), it["headers"], json_parse=False)
    except WebhookVerificationError as refusal:
        return {"refused": str(refusal)}
    return "verified"


def sign(it):
    time = datetime.fromtimestamp(it["timestamp"], tz=timezone.utc)
    return {"signed": Webhook(it["secret"]).sign(it["id"], time, it["body"])}


KINDS = {"verify": verify, "sign": sign}
questions = json.loads(sys.stdin.buffer.read())
print(json.dumps([KINDS[kind](it) for question in questions for kind, it in question.items()]))

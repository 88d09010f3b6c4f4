"""Calls the printed functions, a case a line; prints what each one answered."""

import base64
import importlib
import sys


def text(field):
    return base64.b64decode(field).decode(errors="surrogateescape")


for line in open(sys.argv[1]):
    module, names, headers, method, body, query, payload, secrets, now = line[:-1].split("\t")
    given = {
        "headers": {name: text(value) for name, value in
                    (pair.split("=", 1) for pair in headers.split(",") if pair)},
        "method": method,
        "body": base64.b64decode(body),
        "query": base64.b64decode(query),
        "payload": base64.b64decode(payload),
        "secrets": [text(secret) for secret in secrets.split(",") if secret],
        "now": int(now),
    }
    try:
        verify = importlib.import_module(module).verify
        answer = verify(*(given[name] for name in names.split(",")))
        print("true" if answer is True else "false" if answer is False else answer)
    except Exception as error:
        print("threw", repr(error))

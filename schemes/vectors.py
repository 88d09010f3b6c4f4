#!/usr/bin/env python3
"""Checks the vectors of the schemes by an implementation that shares nothing with Angarium's.

`python3 schemes/vectors.py` recomputes every signature in `schemes/*.toml` from the providers'
descriptions, written down here a second time, and says which differ. Where a provider publishes no
example, the vector of its file was made by this program (`published = false`).

Needs Python 3.11, and `openssl` for signatures by a pair of keys and for certificates.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
import zlib

HERE = pathlib.Path(__file__).parent


def mac(key, text, hash=hashlib.sha256):
    return hmac.new(key, text, hash).digest()


def b64(data):
    return base64.b64encode(data).decode()


class Vector(dict):
    """A request; header names in lower case."""

    def __init__(self, raw, documents=()):
        super().__init__(raw)
        self.documents = {document["url"]: document for document in documents}
        self.headers = {k.lower(): v for k, v in raw.get("headers", {}).items()}
        self.body = raw.get("body", "").encode()
        self.secret = raw["secret"].encode()
        self.url = raw.get("url", "https://angarium.example/in/src_1")

    def of(self, name):
        return self.headers[name.lower()].encode()


def hexed(header, prefix="", hash=hashlib.sha256):
    return lambda v: {header: prefix + mac(v.secret, v.body, hash).hex()}


def based(header, prefix="", hash=hashlib.sha256):
    return lambda v: {header: prefix + b64(mac(v.secret, v.body, hash))}


def equal(header, prefix=""):
    return lambda v: {header: prefix + v.secret.decode()}


def timed(header, time, between, before=b"", prefix="", encode=bytes.hex):
    def sign(v):
        text = before + v.of(time) + between + v.body
        return {header: prefix + encode(mac(v.secret, text))}

    return sign


def listed(header, time_name, mark, separator, between):
    """`t=…,v1=…`: the time stands in the header itself."""

    def sign(v):
        items = v.headers[header.lower()].split(separator)
        time = next(item for item in items if item.startswith(time_name)).removeprefix(time_name)
        made = mark + mac(v.secret, time.encode() + between + v.body).hex()
        assert made in items, (made, items)
        return {}

    return sign


def standard(prefix):
    def sign(v):
        key = base64.b64decode(v["secret"].removeprefix("whsec_"))
        text = b".".join([v.of(prefix + "id"), v.of(prefix + "timestamp"), v.body])
        made = "v1," + b64(mac(key, text))
        items = v.headers[prefix + "signature"].split(" ")
        assert made in items, (made, items)
        return {}

    return sign


def twilio(v):
    form = sorted(urllib.parse.parse_qsl(v["body"], keep_blank_values=True))
    text = v.url + "".join(name + value for name, value in form)
    return {"X-Twilio-Signature": b64(mac(v.secret, text.encode(), hashlib.sha1))}


def basic(v):
    return {"Authorization": "Basic " + b64(v.secret)}


def mailgun(v):
    signature = json.loads(v.body)["signature"]
    made = mac(v.secret, (signature["timestamp"] + signature["token"]).encode()).hex()
    assert made == signature["signature"], made
    return {}


def in_body(*path):
    def check(v):
        value = json.loads(v.body)
        for step in path:
            value = value[step]
        assert value == v["secret"], value
        return {}

    return check


def in_query(name):
    def check(v):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(v.url).query)
        assert query[name] == [v["secret"]], query
        return {}

    return check


def docusign(v):
    made = b64(mac(v.secret, v.body))
    named = {k: s for k, s in v.headers.items() if k.startswith("x-docusign-signature-")}
    assert made in named.values(), (made, named)
    return {}


def hubspot(v):
    url = v.url
    for character in ":/?@!$'()*,;":
        url = url.replace(urllib.parse.quote(character, safe=""), character)
    text = v.get("method", "POST").encode() + url.encode() + v.body
    text += v.of("X-HubSpot-Request-Timestamp")
    return {"X-HubSpot-Signature-v3": b64(mac(v.secret, text))}


def openssl(*command, **files):
    """Runs openssl in a folder with these files."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            (pathlib.Path(scratch) / name).write_bytes(content)
        done = subprocess.run(["openssl", *command], cwd=scratch, check=True, capture_output=True)
        return done.stdout


def verify_pair(key, text, signature, options):
    """Verified by OpenSSL with a public key (SPKI)."""
    command = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key"]
    command += ["-in", "text", "-sigfile", "signature", "-rawin", *options]
    openssl(*command, key=key, text=text, signature=signature)


def paired(header, text, algorithm, decode):
    def check(v):
        signature = decode(v.headers[header.lower()])
        verify_pair(algorithm.spki(v["secret"]), text(v), signature, algorithm.options)
        return {}

    return check


class Ed25519:
    options = []

    def __init__(self, decode):
        self.decode = decode

    def spki(self, secret):
        return bytes.fromhex("302a300506032b6570032100") + self.decode(secret)


class Ecdsa:
    options = ["-digest", "sha256"]

    def spki(self, secret):
        return base64.b64decode(secret)


def adyen(v):
    for item in json.loads(v.body)["notificationItems"]:
        item = item["NotificationRequestItem"]
        amount = item["amount"]
        fields = [item["pspReference"], item.get("originalReference") or ""]
        fields += [item["merchantAccountCode"], item["merchantReference"]]
        fields += [str(amount["value"]), amount["currency"], item["eventCode"], item["success"]]
        made = b64(mac(bytes.fromhex(v["secret"]), ":".join(fields).encode()))
        assert made == item["additionalData"]["hmacSignature"], made
    return {}


def twilio_json(v):
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(v.url).query)
    assert query["bodySHA256"] == [hashlib.sha256(v.body).hexdigest()], query
    return {"X-Twilio-Signature": b64(mac(v.secret, v.url.encode(), hashlib.sha1))}


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt(text):
    """Head, claims, what is signed, and the signature."""
    head, claims, signature = text.split(".")
    signed = f"{head}.{claims}".encode()
    return json.loads(unb64url(head)), json.loads(unb64url(claims)), signed, unb64url(signature)


P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def plaid(v):
    head, claims, signed, signature = jwt(v.of("Plaid-Verification").decode())
    secret = json.loads(v["secret"])
    keys = {key["kid"]: key for key in secret.get("keys", [secret])}
    key = P256 + unb64url(keys[head["kid"]]["x"]) + unb64url(keys[head["kid"]]["y"])
    assert head["alg"] == "ES256", head
    assert claims["request_body_sha256"] == hashlib.sha256(v.body).hexdigest(), claims

    def number(half):
        half = half.lstrip(b"\0")
        half = b"\0" * (half[0] >> 7) + half
        return bytes([2, len(half)]) + half

    numbers = number(signature[:32]) + number(signature[32:])
    verify_pair(key, signed, bytes([0x30, len(numbers)]) + numbers, ["-digest", "sha256"])
    return {}


def monday(v):
    head, claims, signed, signature = jwt(v.of("Authorization").decode())
    assert (head["alg"], claims["aud"]) == ("HS256", v.url), (head, claims)
    assert signature == mac(v.secret, signed)
    return {}


def ebay(v):
    envelope = json.loads(base64.b64decode(v.of("X-EBAY-SIGNATURE")))
    key = base64.b64decode(v["secret"].split("-----")[2])
    verify_pair(key, v.body, base64.b64decode(envelope["signature"]), ["-digest", "sha1"])
    return {}


def certified(v, url, name):
    """The public key of the certificate that a request names."""
    document = v.documents[url]
    text = document["text"].encode()
    named = openssl("x509", "-noout", "-ext", "subjectAltName", "-in", "text", text=text)
    assert f"DNS:{name}\n".encode() in named, named
    if "root" in document:
        root = document["root"].encode()
        command = ["verify", "-CAfile", "root", "-untrusted", "text", "-attime", "1767225600"]
        openssl(*command, "-purpose", "sslserver", "text", root=root, text=text)
    key = openssl("x509", "-pubkey", "-noout", "-in", "text", text=text)
    return base64.b64decode(key.decode().split("-----")[2])


def paypal(v):
    key = certified(v, v.of("PAYPAL-CERT-URL").decode(), "messageverificationcerts.paypal.com")
    parts = [v.of("PAYPAL-TRANSMISSION-ID"), v.of("PAYPAL-TRANSMISSION-TIME"), v.secret]
    text = b"|".join(parts + [str(zlib.crc32(v.body)).encode()])
    signature = base64.b64decode(v.of("PAYPAL-TRANSMISSION-SIG"))
    verify_pair(key, text, signature, ["-digest", "sha256"])
    return {}


def sns(v):
    message = json.loads(v.body)
    names = {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
    if message["Type"] != "Notification":
        names = names - {"Subject"} | {"SubscribeURL", "Token"}
    names = sorted(names & message.keys())
    assert message["TopicArn"] == v["secret"], message
    text = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    digest = {"1": "sha1", "2": "sha256"}[message["SignatureVersion"]]
    key = certified(v, message["SigningCertURL"], "sns.amazonaws.com")
    verify_pair(key, text, base64.b64decode(message["Signature"]), ["-digest", digest])
    return {}


SIGNS = {
    "adyen": adyen,
    "adyen-platform": lambda v: {
        "HmacSignature": b64(mac(bytes.fromhex(v["secret"]), v.body))
    },
    "asana": hexed("X-Hook-Signature"),
    "aws-sns": sns,
    "bitbucket": hexed("X-Hub-Signature", "sha256="),
    "calendly": listed("Calendly-Webhook-Signature", "t=", "v1=", ",", b"."),
    "chargebee": basic,
    "chargify": hexed("X-Chargify-Webhook-Signature-Hmac-Sha-256"),
    "cloudevents": equal("Authorization", "Bearer "),
    "cursor": hexed("X-Webhook-Signature", "sha256="),
    "discord": paired(
        "X-Signature-Ed25519",
        lambda v: v.of("X-Signature-Timestamp") + v.body,
        Ed25519(bytes.fromhex),
        bytes.fromhex,
    ),
    "docusign": docusign,
    "dropbox": hexed("X-Dropbox-Signature"),
    "ebay": ebay,
    "elevenlabs": listed("ElevenLabs-Signature", "t=", "v0=", ",", b"."),
    "event-grid": in_query("code"),
    "github": hexed("X-Hub-Signature-256", "sha256="),
    "gitlab": equal("X-Gitlab-Token"),
    "hubspot": hubspot,
    "intercom": hexed("X-Hub-Signature", "sha1=", hashlib.sha1),
    "linear": hexed("Linear-Signature"),
    "mailgun": mailgun,
    "meta": hexed("X-Hub-Signature-256", "sha256="),
    "microsoft-graph": in_body("value", 0, "clientState"),
    "monday": monday,
    "okta": equal("Authorization"),
    "paddle": listed("Paddle-Signature", "ts=", "h1=", ";", b":"),
    "paypal": paypal,
    "plaid": plaid,
    "postmark": basic,
    "razorpay": hexed("X-Razorpay-Signature"),
    "sendgrid": paired(
        "X-Twilio-Email-Event-Webhook-Signature",
        lambda v: v.of("X-Twilio-Email-Event-Webhook-Timestamp") + v.body,
        Ecdsa(),
        base64.b64decode,
    ),
    "sentry": hexed("Sentry-Hook-Signature"),
    "shopify": based("X-Shopify-Hmac-SHA256"),
    "slack": timed("X-Slack-Signature", "X-Slack-Request-Timestamp", b":", b"v0:", "v0="),
    "square": lambda v: {
        "x-square-hmacsha256-signature": b64(mac(v.secret, v.url.encode() + v.body))
    },
    "standard": standard("webhook-"),
    "stripe": listed("Stripe-Signature", "t=", "v1=", ",", b"."),
    "svix": standard("svix-"),
    "telnyx": paired(
        "telnyx-signature-ed25519",
        lambda v: v.of("telnyx-timestamp") + b"|" + v.body,
        Ed25519(base64.b64decode),
        base64.b64decode,
    ),
    "trello": lambda v: {
        "X-Trello-Webhook": b64(mac(v.secret, v.body + v.url.encode(), hashlib.sha1))
    },
    "twilio": twilio,
    "twilio-json": twilio_json,
    "twitch": lambda v: {
        "Twitch-Eventsub-Message-Signature": "sha256="
        + mac(
            v.secret,
            v.of("Twitch-Eventsub-Message-Id")
            + v.of("Twitch-Eventsub-Message-Timestamp")
            + v.body,
        ).hex()
    },
    "twitter": based("x-twitter-webhooks-signature", "sha256="),
    "typeform": based("Typeform-Signature", "sha256="),
    "vercel": hexed("x-vercel-signature", "", hashlib.sha1),
    "webflow": timed("x-webflow-signature", "x-webflow-timestamp", b":"),
    "websub": hexed("X-Hub-Signature", "sha256="),
    "woocommerce": based("X-WC-Webhook-Signature"),
    "xero": based("x-xero-signature"),
    "zoom": timed("x-zm-signature", "x-zm-request-timestamp", b":", b"v0:", "v0="),
}


def check(name, raw, documents):
    vector = Vector(raw, documents)
    made = SIGNS[name](vector)
    for header, value in made.items():
        found = vector.headers.get(header.lower())
        if found != value:
            return f"{name}: {header} is {found}, and by this program {value}"
    return None


def main():
    count, wrong = 0, []
    for file in sorted(HERE.glob("*.toml")):
        scheme = tomllib.loads(file.read_text())
        for raw in scheme.get("vector", []):
            count += 1
            try:
                wrong.append(check(file.stem, raw, scheme.get("document", [])))
            except Exception as error:
                wrong.append(f"{file.stem}: {error!r}")
    wrong = [line for line in wrong if line]
    print("\n".join(wrong + [f"{count} vectors, {len(wrong)} differ"]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

// Asks the library what stands on standard input; prints its answers in the same order.
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const kinds = {
  verify({ secret, headers, body }) {
    try {
      new Webhook(secret).verify(Buffer.from(body), headers, { jsonParse: false });
    } catch (refusal) {
      if (!(refusal instanceof WebhookVerificationError)) throw refusal;
      return { refused: refusal.message };
    }
    return "verified";
  },
  sign({ secret, id, timestamp, body }) {
    return { signed: new Webhook(secret).sign(id, new Date(timestamp * 1000), body) };
  },
};

const questions = JSON.parse(readFileSync(0, "utf8"));
const asked = questions.flatMap(Object.entries);
console.log(JSON.stringify(asked.map(([kind, it]) => kinds[kind](it))));

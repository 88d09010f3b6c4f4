// Calls the printed functions, a case a line; prints what each one answered.
import { readFileSync } from "node:fs";

const bytes = (field) => Buffer.from(field, "base64");
const latin = (field) => bytes(field).toString("latin1");

for (const line of readFileSync(process.argv[2], "utf8").split("\n").slice(0, -1)) {
  const [module, names, headers, method, body, query, payload, secrets, now] = line.split("\t");
  const pairs = headers.split(",").filter(Boolean).map((pair) => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), latin(pair.slice(at + 1))];
  });
  const given = {
    headers: Object.fromEntries(pairs),
    method,
    body: bytes(body),
    query: bytes(query),
    payload: bytes(payload),
    secrets: secrets.split(",").filter(Boolean).map(latin),
    now: Number(now),
  };
  try {
    const { verify } = await import(`./${module}.mjs`);
    console.log(String(verify(...names.split(",").map((name) => given[name]))));
  } catch (error) {
    console.log("threw", String(error).replaceAll("\n", " "));
  }
}

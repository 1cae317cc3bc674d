// A caller in Node (18 or later) without packages: node caller.mjs POST /orders '{"item": "book"}'
// Prints the answer; ends with 0 if it is 2xx, with 1 if it is any other, with 2 if there is none.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const GATEWAY = process.env.GATEWAY ?? "http://127.0.0.1:8600";
const TRIES = 6;
const PASSING = new Set([429, 502, 503, 504]);

// Stored and run in the background; the URL where the answer will be. With a key it is safe to send it again where the
// answer was lost: it is accepted once.
async function submit(method, path, body, key = randomUUID()) {
  for (let number = 1; ; number++) {
    let pause = 2 ** number / 4;
    try {
      const headers = { "Idempotency-Key": key, "Content-Type": "application/json" };
      const signal = AbortSignal.timeout(30_000);
      const answer = await fetch(`${GATEWAY}/async${path}`, { method, body, headers, signal });
      if (answer.ok) return (await answer.json()).response_url;
      if (!PASSING.has(answer.status) || number === TRIES) throw new Refused(await answer.text());
      await answer.arrayBuffer();
      pause = Math.max(pause, Number(answer.headers.get("Retry-After") ?? 0));
    } catch (error) {
      if (error instanceof Refused || number === TRIES) throw error;
    }
    await sleep(pause * 1000);
  }
}

class Refused extends Error {}

// The upstream's answer, held back until there is one, 20 seconds at a time. Restante's own answers carry
// Restante-Status, an upstream's never does. An error is handed out once, so what came must not be thrown away.
async function result(url) {
  for (;;) {
    let answer, body;
    try {
      answer = await fetch(url, { headers: { Prefer: "wait=20" }, signal: AbortSignal.timeout(60_000) });
      body = await answer.text();
    } catch {
      await sleep(1000); // nobody there just now; the server gives it again if we did not get it
      continue;
    }
    const status = answer.headers.get("Restante-Status");
    if (status === null) return { code: answer.status, body };
    // The work broke (502, 504), was cancelled (410), or is not known (404).
    if (status !== "pending" && status !== "processing") throw new Refused(body);
    await sleep(1000 * Number(answer.headers.get("Retry-After") ?? 1));
  }
}

const [method, path, body] = process.argv.slice(2);
try {
  const url = await submit(method, path, body, process.env.KEY);
  console.error(`accepted: ${url}`);
  const answer = await result(url);
  process.stdout.write(answer.body);
  process.exitCode = answer.code >= 200 && answer.code < 300 ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}

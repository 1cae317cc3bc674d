// An API that honours Idempotency-Key, in Node without packages: node upstream.mjs
// Orders are files in FOLDER, one for each key: the one who makes the file makes the order.

import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";

const PORT = Number(process.env.PORT ?? 9003);
const FOLDER = process.env.FOLDER ?? "orders";

// What was made under this key: now, or at an earlier attempt. Written whole before it has its name, and only the
// first one gets the name.
async function once(key, make) {
  const file = `${FOLDER}/${createHash("sha256").update(key).digest("hex")}.json`;
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(make()));
  try {
    await link(draft, file);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  } finally {
    await rm(draft);
  }
  return readFile(file);
}

const server = createServer(async (request, response) => {
  const say = (code, body) => {
    response.writeHead(code, { "Content-Type": "application/json" });
    response.end(body);
  };
  try {
    let body = "";
    for await (const piece of request) body += piece;
    if (request.method !== "POST" || request.url !== "/orders") return say(404, '{"message":"no such place"}');
    let order = {};
    try {
      order = JSON.parse(body) ?? {};
    } catch {} // refused below
    if (!order.item) return say(422, '{"message":"item is missing"}');
    // Restante sends its transaction's id here, the same at every attempt, unless the caller sent a key.
    const key = request.headers["idempotency-key"] ?? randomUUID();
    say(201, await once(key, () => ({ order: randomUUID(), item: order.item })));
  } catch (error) {
    console.error(error);
    say(500, '{"message":"something went wrong"}');
  }
});

await mkdir(FOLDER, { recursive: true });
server.listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));

// An API that takes work and reports its end later, in Node without packages: node upstream.mjs
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const PORT = Number(process.env.PORT ?? 9002);
const SECONDS = Number(process.env.SECONDS_OF_WORK ?? 2);

// Tells the gateway, and again while it cannot be reached. 404 and 409 are final.
async function tell(url, token, report) {
  for (let pause = 500; pause < 60_000; pause *= 2) {
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(report),
      });
      if (answer.status < 500) return answer.status;
    } catch {
      // nobody there just now
    }
    await sleep(pause);
  }
}

async function work(order, url, token) {
  await tell(url, token, { message: "Collecting the numbers", data: { percent: 0 } });
  await sleep(SECONDS * 500);
  await tell(url, token, { message: "Drawing the charts", data: { percent: 50 } });
  await sleep(SECONDS * 500);
  const result = order.topic
    ? { status: 200, body: { topic: order.topic, pages: 12 } }
    : { status: 422, body: { message: "topic is missing" } };
  const status = order.topic ? "completed" : "failed";
  console.log(status, await tell(url, token, { status, result }));
}

createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  const url = request.headers["restante-events-url"];
  if (request.method !== "POST" || request.url !== "/reports" || !url) {
    response.writeHead(404).end();
    return;
  }
  let order = {};
  try {
    order = JSON.parse(body) ?? {};
  } catch {
    // told as a failure below
  }
  response.writeHead(202, { "Restante-Completion": "deferred" }).end();
  work(order, url, request.headers["restante-events-token"]);
}).listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));

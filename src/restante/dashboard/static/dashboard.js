// What pages do beyond being read: times in the reader's own zone, notes under plots, and staying up to date.
// A page that is out of date loads itself again and takes over what has changed; how it looks is the server's.
"use strict";

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dated = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY = 24 * 60 * 60 * 1000;

function local(at) {
  const moment = new Date(at);
  return (Date.now() - moment > DAY ? dated : short).format(moment);
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
let ahead = 0; // by how much this clock is before the server's

function span(seconds) {
  const place = UNITS.findIndex(([unit]) => seconds >= unit);
  const [unit, name] = UNITS[place];
  const [smaller, small] = UNITS[place + 1] || [1, ""];
  const rest = small ? Math.floor((seconds % unit) / smaller) : 0;
  return `${Math.floor(seconds / unit)} ${name}` + (rest ? ` ${rest} ${small}` : "");
}

function tick() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time.ago")) {
    const seconds = Math.floor((Date.now() - ahead - new Date(time.dateTime)) / 1000);
    const text = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}

function tellTimes(within) {
  const now = (within.querySelector("main") || within).dataset.now;
  if (now) ahead = Date.now() - new Date(now);
  for (const time of within.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    if (time.hasAttribute("data-short")) {
      time.textContent = local(moment);
    } else if (time.classList.contains("ago")) {
      time.title = `${whole.format(moment)} (${time.title})`;
    } else {
      time.textContent = whole.format(moment);
    }
  }
}

function tellNote(event) {
  const place = event.target.closest(".place");
  const figure = event.target.closest(".plot");
  if (!figure) return;
  const note = figure.querySelector(".note");
  note.textContent = place ? `${local(place.dataset.at)}: ${place.dataset.note}` : "";
  const title = place && place.querySelector("title");
  if (title) title.remove(); // the note says it, in the reader's own time
}

// What a node is, whatever stands before it now: its name, or else its place, within what has a name.
function key(node) {
  const steps = [];
  for (; node && node.id !== "main"; node = node.parentElement) {
    const name = node.id || node.dataset.key || node.getAttribute("href") || node.getAttribute("aria-labelledby");
    const link = name || (node.localName === "tr" && node.querySelector("a")?.getAttribute("href"));
    steps.unshift(link || Array.prototype.indexOf.call(node.parentElement.children, node));
    if (node.localName === "section" && name) break;
  }
  return steps.join(" ");
}

const FOCUSED = "a, button, summary, input, select, [tabindex]";
const SCROLLED = ".scroll, .json, pre";

function takeOver(fresh, current) {
  const open = new Map([...current.querySelectorAll("details")].map((one) => [key(one), one.open]));
  const scrolled = new Map([...current.querySelectorAll(SCROLLED)].map((one) => [key(one), [one.scrollLeft, one.scrollTop]]));
  const active = document.activeElement;
  const focused = active !== current && current.contains(active) ? key(active) : null;
  current.replaceChildren(...fresh.childNodes);
  for (const one of current.querySelectorAll("details")) {
    if (open.has(key(one))) one.open = open.get(key(one));
  }
  for (const one of current.querySelectorAll(SCROLLED)) {
    const place = scrolled.get(key(one));
    if (place) [one.scrollLeft, one.scrollTop] = place;
  }
  if (focused !== null) {
    const again = [...current.querySelectorAll(FOCUSED)].find((one) => key(one) === focused);
    (again || current).focus({ preventScroll: true }); // what is gone leaves its reader on the page
  }
}

function tellAway(away) {
  const line = document.getElementById("away");
  const text = away ? line.dataset.text : "";
  if (line.textContent !== text) line.textContent = text;
}

let loading = false;
let stale = false;

async function load(event) {
  const typing = () => document.querySelector("main :is(input, select):focus");
  const look = event && event.type === "error"; // whether the server is there
  if (loading || document.hidden || (typing() && !look)) {
    stale = true;
    return;
  }
  loading = true;
  stale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    tellAway(false);
    if (answer.redirected || answer.status === 403) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh) return;
    if (typing()) {
      stale = true;
      return;
    }
    tellTimes(fresh);
    takeOver(fresh, document.getElementById("main"));
    tick();
    if (page.body.dataset.live !== document.body.dataset.live) follow(page.body.dataset.live);
  } catch {
    stale = true;
    tellAway(true);
  } finally {
    loading = false;
  }
}

// A page that nobody looks at has no stream: a browser has six connections to a server for all of its pages.
const AGAIN = 5000;
let stream = null;
let waiting = 0;

function follow(place) {
  document.body.dataset.live = place || "";
  if (stream) stream.close();
  stream = null;
  clearTimeout(waiting);
  if (!place || document.hidden) return;
  stream = new EventSource(place);
  stream.addEventListener("changed", load);
  stream.addEventListener("ended", () => { follow(""); load(); });
  stream.addEventListener("open", load); // what went on between the page and its stream
  stream.addEventListener("error", (event) => {
    load(event);
    if (event.target.readyState === EventSource.CLOSED) waiting = setTimeout(() => follow(place), AGAIN);
  });
}

tellTimes(document);
document.addEventListener("pointerover", tellNote);
document.addEventListener("visibilitychange", () => {
  const place = document.body.dataset.live;
  if (!place) return;
  follow(place);
  if (!document.hidden) load();
});
setInterval(tick, 1000);
document.addEventListener("focusout", () => { if (stale) setTimeout(load, 0); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const search = document.querySelector(".find input");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});
if (document.body.dataset.live) follow(document.body.dataset.live);

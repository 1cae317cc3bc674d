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

function tellTimes(within) {
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

function path(node) {
  const steps = [];
  for (; node && node.id !== "main"; node = node.parentElement) {
    steps.unshift(Array.prototype.indexOf.call(node.parentElement.children, node));
  }
  return steps.join(".");
}

function takeOver(fresh, current) {
  const open = new Map([...current.querySelectorAll("details")].map((one) => [path(one), one.open]));
  const scrolled = new Map([...current.querySelectorAll(".scroll, .json, pre")].map((one) => [path(one), [one.scrollLeft, one.scrollTop]]));
  const focused = current.contains(document.activeElement) ? path(document.activeElement) : null;
  current.replaceChildren(...fresh.childNodes);
  for (const one of current.querySelectorAll("details")) {
    if (open.has(path(one))) one.open = open.get(path(one));
  }
  for (const one of current.querySelectorAll(".scroll, .json, pre")) {
    const place = scrolled.get(path(one));
    if (place) [one.scrollLeft, one.scrollTop] = place;
  }
  if (focused !== null) {
    const again = focused.split(".").filter(Boolean).reduce((node, step) => node && node.children[step], current);
    if (again) again.focus({ preventScroll: true });
  }
}

let loading = false;
let stale = false;

async function load() {
  if (loading || document.hidden || document.querySelector("main :is(input, select):focus")) {
    stale = true;
    return;
  }
  loading = true;
  stale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected || answer.status === 403) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("main");
    if (!fresh) return;
    tellTimes(fresh);
    takeOver(fresh, document.getElementById("main"));
    if (page.body.dataset.live !== document.body.dataset.live) follow(page.body.dataset.live);
  } catch {
    stale = true; // the server is away; the stream comes back when it does
  } finally {
    loading = false;
  }
}

let stream = null;

function follow(place) {
  if (stream) stream.close();
  stream = null;
  document.body.dataset.live = place || "";
  if (!place) return;
  stream = new EventSource(place);
  stream.addEventListener("changed", load);
  stream.addEventListener("ended", () => { follow(""); load(); });
}

tellTimes(document);
document.addEventListener("pointerover", tellNote);
document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) load(); });
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

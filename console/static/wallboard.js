// Keeps the wallboard's numbers moving. The page is complete without this file; here nothing is computed or
// worded, each cell gets the text that the server would have rendered.
import { chart } from "./chart.js";

const SILENCE_MS = 40000; // the server speaks at least each 15 s: two missed and one to spare
const RETRY_MS = 5000;
const SPEAK_MS = 60000; // a screen reader is told once a minute at most, and only what changed

const byId = (id) => document.getElementById(id);
const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

function fill(box, row) {
  for (const cell of box.querySelectorAll("[data-cell]")) setText(cell, row.cells[cell.dataset.cell] ?? "not known");
  for (const tag of box.querySelectorAll("[data-late]")) tag.hidden = !row.late;
  const late = box.matches("tr") ? box : box.querySelector("[data-late-box]");
  late?.classList.toggle("board-row--late", row.late);
}

function newRow(row) {
  const line = byId("row").content.firstElementChild.cloneNode(true);
  line.dataset.row = row.scope;
  line.querySelector("a[data-name]")?.setAttribute("href", `/providers/${encodeURIComponent(row.scope)}`);
  return line;
}

function fillProviders(rows) {
  const body = byId("providers");
  const lines = new Map([...body.children].map((line) => [line.dataset.row, line]));
  rows.forEach((row, place) => {
    const line = lines.get(row.scope) ?? newRow(row);
    lines.delete(row.scope);
    setText(line.querySelector("[data-name]"), row.name);
    fill(line, row);
    if (body.children[place] !== line) body.insertBefore(line, body.children[place] ?? null);
  });
  for (const gone of lines.values()) gone.remove();
}

function minuteLine(minute) {
  const line = document.createElement("tr");
  line.className = "nhsuk-table__row";
  const head = line.appendChild(document.createElement("th"));
  head.scope = "row";
  head.className = "nhsuk-table__header";
  head.textContent = minute.time;
  for (const text of minute.cells) {
    const cell = line.appendChild(document.createElement("td"));
    cell.className = "nhsuk-table__cell nhsuk-table__cell--numeric";
    cell.textContent = text;
  }
  return line;
}

let minutesShown = "";
function fillMinutes(minutes, plot) {
  if (!plot) return;
  const now = JSON.stringify(minutes);
  if (now === minutesShown) return;
  minutesShown = now;
  byId("minutes").replaceChildren(...minutes.map(minuteLine));
  plot.show(minutes.map((each) => [each.t, each.offered, each.answered, each.longest_s]));
}

let spokenAt = 0;
function speak(summary) {
  if (Date.now() - spokenAt < SPEAK_MS || byId("spoken").textContent === summary) return;
  spokenAt = Date.now();
  setText(byId("spoken"), summary);
}

// The server has rendered the piece anew: it takes the place of the old, with what was open and focused in it.
function replace(box, html) {
  const open = [...box.querySelectorAll("details[open]")].map((each) => each.id);
  const focused = box.contains(document.activeElement) ? address(document.activeElement) : null;
  box.innerHTML = html;
  for (const each of box.querySelectorAll("details")) each.open = open.includes(each.id);
  if (focused) [...box.querySelectorAll("a, summary, [tabindex]")].find((each) => address(each) === focused)?.focus();
}

const address = (element) => element.closest("details")?.id || element.getAttribute("href") || element.tagName;

function show(board, plot) {
  for (const box of document.querySelectorAll("[data-total]")) fill(box, board.total);
  fillProviders(board.rows);
  fillMinutes(board.minutes, plot);
  speak(board.summary);
}

let silence;
function heard(at) {
  setText(byId("at"), at);
  byId("lost").firstElementChild.hidden = true;
  clearTimeout(silence);
  silence = setTimeout(lost, SILENCE_MS);
}

function lost() {
  setText(byId("lost-at"), byId("at").textContent);
  byId("lost").firstElementChild.hidden = false;
}

function listen(plot) {
  const source = new EventSource(byId("board").dataset.events);
  source.addEventListener("figures", (message) => {
    const board = JSON.parse(message.data);
    show(board, plot);
    heard(board.at);
  });
  for (const box of document.querySelectorAll("[data-part]")) {
    source.addEventListener(box.dataset.part, (message) => {
      const news = JSON.parse(message.data);
      replace(box, news.html);
      if (news.at) heard(news.at);
    });
  }
  source.addEventListener("still", (message) => heard(JSON.parse(message.data).at));
  source.addEventListener("error", () => {
    lost();
    // The browser retries by itself after a broken line, but gives up after a refusal (a restart, a sign-out).
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(plot), RETRY_MS);
  });
  // A page that the browser keeps for its back button must not keep a line to the server.
  window.addEventListener("pagehide", () => source.close(), { once: true });
}

window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

// The big screen and a provider's page have no chart of minutes.
function plotMinutes() {
  const rendered = [...byId("minutes").children].map((line) => [
    Number(line.dataset.t),
    ...JSON.parse(line.dataset.values),
  ]);
  const plot = chart(byId("chart"));
  plot.show(rendered);
  return plot;
}

listen(byId("chart") ? plotMinutes() : null);

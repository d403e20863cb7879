// Looks again at a list by itself, for people who wait before it. The page is complete without this file; what is shown
// is always what the server rendered.
const box = document.querySelector("[data-again]");
const lost = document.querySelector("[data-again-lost]");
const said = document.querySelector("[data-again-said]");
const EVERY_MS = Number(box.dataset.again) * 1000;

function show(fresh) {
  if (fresh.textContent === box.textContent) return;
  const row = document.activeElement?.closest("[data-row]")?.dataset.row;
  box.replaceChildren(...fresh.childNodes);
  if (row) (box.querySelector(`[data-row="${CSS.escape(row)}"] :is(button, a)`) ?? box).focus();
  if (fresh.dataset.said !== box.dataset.said) said.textContent = box.dataset.said = fresh.dataset.said;
}

async function look() {
  try {
    const answer = await fetch(window.location.pathname);
    if (answer.redirected) {
      window.location.reload(); // nobody is signed in any more
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    show(page.querySelector("[data-again]"));
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);

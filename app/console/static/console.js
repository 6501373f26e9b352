// The console's one script. Every page works without it; with it lists refresh by themselves, searches follow the
// typing, dangerous buttons ask first, texts can be copied, and times are shown in the reader's own zone.
"use strict";

const QUIET_MS = 300;

function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.textContent = format.format(at);
    element.title = at.toISOString();
  }
}

function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const block of root.querySelectorAll(".copyable:not(:has(.copy))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy small";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre, code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
}

function enhance(root) {
  localTimes(root);
  copyButtons(root);
}

// Puts the region of a freshly fetched page in place of the one shown; what was open stays open, focus stays put.
function swap(region, fresh) {
  if (!fresh || fresh.innerHTML === region.dataset.shown) return false;
  const open = [...region.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  const shown = fresh.innerHTML;
  region.replaceChildren(...fresh.childNodes);
  region.dataset.shown = shown;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
  enhance(region);
  return true;
}

async function refresh(address) {
  const region = document.getElementById("live");
  if (!region || region.querySelector("form :focus:not(button)")) return;
  const answer = await fetch(address, { credentials: "same-origin" });
  if (answer.redirected && answer.url.includes("/sign-in")) { location.reload(); return; }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const changed = swap(region, page.getElementById("live"));
  const tabs = document.querySelector(".subhead");
  const freshTabs = page.querySelector(".subhead");
  if (changed && tabs && freshTabs && !tabs.contains(document.activeElement)) tabs.replaceWith(freshTabs);
  return changed;
}

function follow(region) {
  const note = document.getElementById("live-note");
  let waiting = 0;
  const source = new EventSource(region.dataset.live);
  source.addEventListener("changed", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      if (await refresh(location.href)) note.textContent = `Updated at ${new Date().toLocaleTimeString()}`;
    }, QUIET_MS);
  });
  addEventListener("pagehide", () => source.close());
}

function searchWhileTyping(form) {
  let waiting = 0;
  let last = "";
  const search = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const address = `${form.action.split("?")[0]}?${new URLSearchParams(new FormData(form))}`;
      if (address === last) return;
      last = address;
      await refresh(address);
      if (address === last) history.replaceState(null, "", address);
    }, QUIET_MS);
  };
  form.addEventListener("input", search);
  form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
}

function ask(form) {
  const dialog = document.createElement("dialog");
  const question = document.createElement("p");
  question.id = "question";
  question.textContent = form.dataset.confirm;
  dialog.setAttribute("aria-labelledby", "question");
  const buttons = document.createElement("div");
  buttons.className = "buttons";
  const no = document.createElement("button");
  no.textContent = "Cancel";
  const yes = document.createElement("button");
  yes.textContent = form.querySelector("button:not([type=button])").textContent;
  yes.className = "danger";
  buttons.append(no, yes);
  dialog.append(question, buttons);
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => { dialog.close(); form.dataset.confirm = ""; form.requestSubmit(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm) { event.preventDefault(); ask(form); return; }
  const busy = event.submitter?.dataset.busy;
  if (busy) { event.submitter.textContent = busy; event.submitter.setAttribute("aria-disabled", "true"); }
});

document.addEventListener("click", (event) => {
  if (event.target.closest?.('button[aria-disabled="true"]')) event.preventDefault();
});

// A part that only one choice needs is shown with that choice.
function showOnChoice(input) {
  const part = document.getElementById(input.dataset.shows);
  const update = () => { part.hidden = !input.checked; };
  const inputs = input.name && input.type === "radio" ? document.getElementsByName(input.name) : [input];
  for (const each of inputs) each.addEventListener("change", update);
  update();
}

enhance(document);
document.querySelectorAll("[data-shows]").forEach(showOnChoice);
document.querySelectorAll("form[data-typeahead]").forEach(searchWhileTyping);
const region = document.querySelector("[data-live]");
if (region) follow(region);

"use strict";

// Adds leads to the page as they arrive, and updates them when they change. The server renders them; without this
// script, reload the page to see them.
(() => {
  const list = document.getElementById("leads");
  const empty = document.getElementById("empty");
  const count = document.getElementById("count");
  const state = document.getElementById("state");
  const news = document.getElementById("news");
  const limit = Number(list.dataset.limit);
  let cursor = list.dataset.cursor;

  function show(word, live) {
    state.hidden = false;
    state.textContent = word;
    state.classList.toggle("live", live);
  }

  function recount() {
    count.textContent = String(list.childElementCount);
    empty.hidden = list.childElementCount > 0;
  }

  function add(event) {
    cursor = event.lastEventId;
    const lead = JSON.parse(event.data);
    const before = document.getElementById("lead-" + lead.id);
    const fragment = document.createElement("template");
    fragment.innerHTML = lead.html;
    const item = fragment.content.firstElementChild;
    item.classList.add("new");
    if (before) {
      before.replaceWith(item);
      news.textContent = "Lead changed: " + lead.title;
      return;
    }
    list.prepend(item);
    while (list.childElementCount > limit) list.lastElementChild.remove();
    recount();
    news.textContent = "New lead: " + lead.title;
  }

  function reset(event) {
    cursor = event.lastEventId;
    list.replaceChildren();
    recount();
  }

  // The browser reconnects a broken stream by itself, but gives up after an error status, such as while a server
  // restarts.
  function listen() {
    const source = new EventSource("events?after=" + encodeURIComponent(cursor));
    source.addEventListener("open", () => show("Live", true));
    source.addEventListener("lead", add);
    source.addEventListener("reset", reset);
    source.addEventListener("error", () => {
      show("Reconnecting", false);
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
  }

  listen();
})();

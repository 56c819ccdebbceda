// Live feed: adds rendered rows at the top, each once. Without script the page works with links.
(() => {
  const list = document.querySelector("[data-feed]");
  const state = document.querySelector("[data-live]");
  if (!list || !state || !window.EventSource) return;

  const showState = (live) => {
    state.hidden = false;
    state.dataset.live = live ? "on" : "off";
    const text = live ? "Live: new events appear automatically" : "Waiting for the connection";
    if (state.textContent !== text) state.textContent = text;
  };

  const source = new EventSource(`${list.dataset.feed}?after=${list.dataset.after}`);
  source.onopen = () => showState(true);
  source.onerror = () => showState(false);
  source.onmessage = (message) => {
    if (document.getElementById(`event-${message.lastEventId}`)) return;
    const template = document.createElement("template");
    template.innerHTML = message.data;
    const row = template.content.firstElementChild;
    row.classList.add("event-new");
    list.prepend(row);
    document.querySelector("[data-empty]")?.remove();
  };
})();

// The live feed: rows come ready-made from this site, and each is put on top once. Without this file the page works by links.
(() => {
  const list = document.querySelector("[data-feed]");
  const state = document.querySelector("[data-live]");
  if (!list || !state || !window.EventSource) return;

  const say = (live) => {
    state.hidden = false;
    state.dataset.live = live ? "on" : "off";
    const words = live ? "Live: new lines appear by themselves" : "Waiting for the connection";
    if (state.textContent !== words) state.textContent = words;
  };

  const source = new EventSource(`${list.dataset.feed}?after=${list.dataset.after}`);
  source.onopen = () => say(true);
  source.onerror = () => say(false);
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

// Says that what a page shows has changed since, by the live feed. Without this file one reloads the page.
(() => {
  const notice = document.querySelector("[data-changes]");
  if (!notice || !window.EventSource) return;
  const kinds = notice.dataset.kinds.split(" ");
  const source = new EventSource(`${notice.dataset.changes}?after=${notice.dataset.after}`);
  source.onmessage = (message) => {
    const template = document.createElement("template");
    template.innerHTML = message.data;
    const kind = template.content.firstElementChild.dataset.kind;
    if (!kinds.some((one) => kind.startsWith(one))) return;
    notice.hidden = false;
    source.close();
  };
})();

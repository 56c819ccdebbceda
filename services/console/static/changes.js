// Shows a notice when the live feed has an event that changes the page. Without script the user reloads the page.
(() => {
  const notice = document.querySelector("[data-changes]");
  if (!notice || !window.EventSource) return;
  const kinds = notice.dataset.kinds.split(" ");
  const source = new EventSource(`${notice.dataset.changes}?after=${notice.dataset.after}`);
  source.onmessage = (message) => {
    const template = document.createElement("template");
    template.innerHTML = message.data;
    const kind = template.content.firstElementChild.dataset.kind;
    if (!kinds.some((prefix) => kind.startsWith(prefix))) return;
    notice.hidden = false;
    source.close();
  };
})();

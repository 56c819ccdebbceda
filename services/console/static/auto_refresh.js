// Reloads a page that shows a running job after two seconds. Without script the page has a link.
setTimeout(() => location.reload(), 2000);

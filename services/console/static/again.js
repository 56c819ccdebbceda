// A page that shows something being made looks again after two seconds. Without this file one follows the link in it.
setTimeout(() => location.reload(), 2000);

// Lists are refreshed in place by htmx; when the answer is not a list, the page is left for it
// (docs/decisions/0004-htmx.md).
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  const main = tasks.find((task) => task.type === "main");
  if (ctx.select && !main?.fragment.childElementCount) {
    event.preventDefault();
    location.assign(ctx.response.raw.url);
  }
});
document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (ctx?.request.method === "GET") location.assign(ctx.request.action);
});
// A one-time link carries its secret after the # sign, so that no server log sees it.
document.addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("input[data-from-fragment]");
  if (field && location.hash.length > 1) {
    field.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname + location.search);
  }
  document.getElementById("problem")?.focus();
});

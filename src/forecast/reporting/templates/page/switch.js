(function () {
  var button = document.getElementById("all-code"), cells = document.querySelectorAll("details.code");
  if (!button || !cells.length) return;
  button.hidden = false;
  button.addEventListener("click", function () {
    var open = button.getAttribute("aria-pressed") !== "true";
    cells.forEach(function (cell) { cell.open = open; });
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Fold all code" : "Show all code";
  });
})();

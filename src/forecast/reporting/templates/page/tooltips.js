(function () {
  var main = document.getElementById("content"), tip, ring;
  function add(parent, name) {
    var made = document.createElement("div");
    made.className = name;
    return parent.appendChild(made);
  }
  function hide() { tip.className = "readout"; ring.className = "ring"; }

  document.querySelectorAll("[data-say]").forEach(function (plot) {
    var svg = plot.querySelector("svg"), marks = JSON.parse(plot.dataset.say), by = plot.dataset.by, at = 0;
    // A slider to screen readers.
    var keys = add(plot, "keys"), box, scale;
    if (!tip) {
      tip = add(main, "readout");
      ring = add(main, "ring");
      tip.setAttribute("aria-hidden", "true");
    }
    keys.tabIndex = 0;
    set("role", "slider");
    set("aria-label", "Values of the chart, one by one");
    set("aria-valuemin", 1);
    set("aria-valuemax", marks.length);

    function set(name, value) { keys.setAttribute(name, value); }
    function put(which) {
      at = which;
      set("aria-valuenow", at + 1);
      set("aria-valuetext", marks[at][2]);
    }
    function measure() {
      box = svg.getBoundingClientRect();
      scale = box.width / svg.viewBox.baseVal.width;
    }
    function show() {
      measure();
      var page = main.getBoundingClientRect();
      var x = box.left - page.left + marks[at][0] * scale, y = box.top - page.top + marks[at][1] * scale;
      tip.textContent = marks[at][2].replace(/: |; /g, "\n");
      tip.style.left = tip.style.top = 0;
      var wide = tip.offsetWidth, high = tip.offsetHeight;
      tip.style.left = Math.max(4, Math.min(x - wide / 2, main.clientWidth - wide - 4)) + "px";
      tip.style.top = y + (y + page.top > high + 20 ? -high - 14 : 14) + "px";
      ring.style.left = x + "px";
      ring.style.top = y + "px";
      tip.className = "readout on";
      ring.className = "ring on";
    }
    function point(event) {
      measure();
      var least = Infinity;
      marks.forEach(function (one, i) {
        var far = Math.abs(one[0] * scale + box.left - event.clientX) * (by === "y" ? 0.1 : 1)
          + Math.abs(one[1] * scale + box.top - event.clientY) * (by === "x" ? 0.1 : 1);
        if (far < least) { least = far; put(i); }
      });
      show();
    }
    put(0);
    plot.onpointermove = plot.onpointerdown = point;
    plot.onpointerleave = function (event) { if (event.pointerType === "mouse") hide(); };
    keys.onfocus = show;
    keys.onblur = hide;
    keys.onkeydown = function (event) {
      var last = marks.length - 1, key = event.key;
      var to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[key];
      if (to === undefined) return;
      event.preventDefault();
      put(Math.max(0, Math.min(last, to)));
      show();
    };
  });
  if (!tip) return;
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") hide(); });
  document.addEventListener("pointerdown", function (event) { if (!event.target.closest("[data-say]")) hide(); });
  window.addEventListener("resize", hide);
})();

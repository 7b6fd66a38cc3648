"use strict";
// Sorting and filtering; without this script the page is the same but for them.
(() => {
  const open = () => {
    const article = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (article?.matches("article")) article.querySelector("details").open = true;
  };
  addEventListener("hashchange", open);
  open();

  const table = document.getElementById("table");
  if (!table) return; // of one guest there is none
  const body = table.tBodies[0];
  const form = document.querySelector(".filter");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent;
  };

  const sort = (heading, column) => {
    const down = heading.ariaSort === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.ariaSort = down ? "descending" : "ascending";
    const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)));
    body.append(...(down ? rows.reverse() : rows));
  };

  const filter = () => {
    const states = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of body.rows) {
      const fits = states.has(row.dataset.state) && wanted.every((word) => row.dataset.words.includes(word));
      row.hidden = !fits;
      document.getElementById(row.dataset.for).hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${body.rows.length}`;
  };

  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(heading, column));
    heading.replaceChildren(button);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", filter);
  form.hidden = false;
  filter();
})();

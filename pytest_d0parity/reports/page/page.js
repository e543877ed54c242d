"use strict";

document.querySelector(".controls").hidden = false;

// Every number holds all its digits: shown shortly until somebody asks, and copied as it is shown.
document.getElementById("digits").addEventListener("change", (event) => {
  for (const data of document.querySelectorAll("data")) {
    data.dataset.short ??= data.textContent;
    data.textContent = event.target.checked ? data.value : data.dataset.short;
  }
});

function key(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.querySelector("data")?.value ?? cell.textContent.trim();
  const number = text.trim() === "" ? NaN : Number(text);
  return { text, number };
}

// Numbers in their order, then texts in theirs.
function compare(one, other) {
  const first = Number.isNaN(one.number), second = Number.isNaN(other.number);
  if (first !== second) return first ? 1 : -1;
  return first ? one.text.localeCompare(other.text, "en", { numeric: true }) : one.number - other.number;
}

function sort(table, header) {
  const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const each of header.parentNode.cells) each.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
  const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: key(row, header.cellIndex) }));
  const sign = direction === "ascending" ? 1 : -1;
  rows.sort((one, other) => sign * compare(one.key, other.key));
  table.tBodies[0].append(...rows.map((each) => each.row));
}

for (const table of document.querySelectorAll("table.data")) {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, header));
    header.append(button);
  }
}

// Every word has to be somewhere in the row.
for (const tools of document.querySelectorAll(".tools")) {
  const rows = [...document.getElementById(tools.dataset.for).tBodies[0].rows];
  tools.hidden = rows.length < 6;  // what is seen at a glance needs no filter
  const texts = rows.map((row) =>
    [row.textContent, ...[...row.querySelectorAll("data")].map((data) => data.value)].join(" ").toLowerCase());
  const output = tools.querySelector("output");
  tools.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, number) => {
      row.hidden = !words.every((word) => texts[number].includes(word));
      shown += !row.hidden;
    });
    output.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}

// A hash is shown shortly, and copied whole.
for (const hash of document.querySelectorAll(".hash")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "copy";
  button.setAttribute("aria-label", `Copy the SHA-256 ${hash.dataset.copy.slice(0, 12)}…`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(hash.dataset.copy);
      button.textContent = "copied";
    } catch {  // a page from the disk may not write to the clipboard in every browser
      hash.textContent = hash.dataset.copy;
      getSelection().selectAllChildren(hash);
    }
  });
  hash.after(" ", button);
}

// Names go on in the next line behind a colon or a dot, and not in the middle of a word.
for (const name of document.querySelectorAll("th[scope=row]")) {
  const parts = name.childElementCount ? [] : name.textContent.split(/(?<=[:.])(?=\w)/);
  if (parts.length > 1) name.replaceChildren(...parts.flatMap((part) => [document.createElement("wbr"), part]));
}

// A table that is wider than the page says so.
const wide = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    target.previousElementSibling.hidden = target.scrollWidth <= target.clientWidth + 1;
  }
});
for (const scroll of document.querySelectorAll(".scroll")) {
  const hint = document.createElement("p");
  hint.className = "hint";
  hint.hidden = true;
  hint.textContent = "This table is wider than the page: scroll it sideways. →";
  scroll.before(hint);
  wide.observe(scroll);
}

// On paper nothing can be unfolded.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

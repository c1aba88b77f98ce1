// Optional: sends the page's forms without leaving the page, and shows errors as the server's own error page does.
// Load it with <script src="/enhance.js" defer></script>. Without it, or if it fails, the browser sends the form itself.
// The messages are in the page's language. For the script's own words, set data-heading="…" and data-error="…:" on the form.
for (const form of document.querySelectorAll('form[method="post"]')) {
  let failed = false;
  form.addEventListener("submit", async event => {
    const button = event.submitter;
    if (failed || (button?.getAttribute("formmethod") || "post").toLowerCase() !== "post") return;
    event.preventDefault();
    const data = new FormData(form, button);
    const body = form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
    let answer;
    try {
      const action = button?.getAttribute("formaction") ?? form.getAttribute("action");
      const address = new URL(action?.trim() || location.href, document.baseURI);
      answer = await (await fetch(address, { method: "POST", body, headers: {
        Accept: "application/json", "Accept-Language": form.closest("[lang]")?.lang || "en",
      } })).json();
    } catch {
      failed = true; // the browser sends the form, once this event is over
      setTimeout(() => button ? button.click() : HTMLFormElement.prototype.submit.call(form));
      return;
    }
    if (answer.ok) location.assign(answer.next);
    else showErrors(form, answer.errors);
  });
}

function showErrors(form, errors) {
  const { heading = "There is a problem", error = "Error:" } = form.dataset;
  document.querySelectorAll(".telecrm-summary, .telecrm-error").forEach(old => old.remove());
  for (const control of document.querySelectorAll('[aria-describedby*="telecrm-error-"], [aria-invalid]')) {
    const ids = (control.getAttribute("aria-describedby") ?? "").split(/\s+/).filter(id => !id.startsWith("telecrm-error-"));
    control.setAttribute("aria-describedby", ids.join(" "));
    control.removeAttribute("aria-invalid");
  }
  const make = (name, text = "", more = {}) => Object.assign(document.createElement(name), { textContent: text }, more);
  const list = make("ul");
  errors.forEach(({ field, message }, n) => {
    const controls = [...form.elements].filter(control => field && control.name === field && control.type !== "hidden");
    const item = list.appendChild(make("li", controls.length ? "" : message));
    if (!controls.length) return;
    const [first] = controls, id = `telecrm-error-${n}`, group = controls.length > 1 && first.closest("fieldset");
    first.id ||= `telecrm-field-${n}`;
    item.append(make("a", message, { href: `#${encodeURIComponent(first.id)}` }));
    const note = make("span", ` ${message}`, { id, className: "telecrm-error" });
    note.prepend(make("span", error));
    const slot = form.querySelector(["data-error-for", "data-fs-error"].map(name => `[${name}="${CSS.escape(field)}"]`));
    if (slot) slot.append(note);
    else if (group) group.querySelector("legend").after(note);
    else (first.closest("label") ?? first).before(note);
    for (const described of group ? [group] : controls) {
      described.setAttribute("aria-describedby", `${described.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
    }
    for (const control of controls) if (control.type !== "radio") control.setAttribute("aria-invalid", "true");
  });
  const box = make("div", "", { className: "telecrm-summary", tabIndex: -1 });
  const alert = box.appendChild(make("div", "", { role: "alert" }));
  alert.append(make("h2", heading), list);
  if (!document.title.startsWith(`${error} `)) document.title = `${error} ${document.title}`;
  (document.querySelector("main") ?? form.parentNode).prepend(box);
  box.focus();
}

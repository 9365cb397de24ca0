// Elements made of values. Text becomes text nodes: nothing from the world is ever read as HTML.

export const byId = (id) => document.getElementById(id);

export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export const fill = (element, ...children) =>
  element.replaceChildren(...children.flat().filter((child) => child !== null));

export const seconds = (value) => `${value.toFixed(value < 10 ? 1 : 0)} s`;

export const clock = (at) =>
  new Date(1000 * at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const picture = (of, camera) =>
  h("img", { src: `api/evidence?${new URLSearchParams({ of, camera })}`, alt: camera, title: camera });

export function toast(text, bad = false) {
  const made = h("div", { class: bad ? "toast bad" : "toast" }, text);
  byId("toasts").append(made);
  setTimeout(() => made.remove(), bad ? 9000 : 5000);
}

// What people do: the answer is a sentence, also where it is a refusal.
export async function post(path, body = {}) {
  let answer, said;
  try {
    answer = await fetch(`api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    said = await answer.json();
  } catch {
    toast("No answer: the connection is lost. Nothing says that it was done.", true);
    return null;
  }
  const detail = said.detail;
  if (typeof detail === "string") toast(detail, !answer.ok);
  else if (!answer.ok) toast((detail ?? []).map((each) => `${each.loc.at(-1)}: ${each.msg}`).join("; "), true);
  return answer.ok ? said : null;
}

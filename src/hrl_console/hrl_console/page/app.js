import { byId, clock, fill, h, picture, post, seconds, toast } from "./dom.js";
import { drawMap, KEY } from "./map.js";
import { hasKey, readKey, signature } from "./sign.js";

const SILENT = 3000; // ms without news; the server sends some ten times a second
const RETRY = 1000; // ms

const state = {}; // section -> value, as hrl_console.gateway names them
let me = null;
let socket = null;
let heard = 0;

// --- who looks, and the connection ----------------------------------------------------------

async function start() {
  let answer;
  try {
    answer = await fetch("api/me");
  } catch {
    setTimeout(start, RETRY);
    return;
  }
  me = await answer.json(); // null: nobody who is known
  byId("login").hidden = me !== null;
  byId("console").hidden = me === null;
  if (me === null) {
    byId("token").focus();
    return;
  }
  byId("who").textContent = `${me.name}: ${me.roles.join(", ")}`;
  const may = (role) => me.roles.includes(role);
  byId("orders-part").hidden = !may("operator");
  byId("key-part").hidden = !may("approver");
  for (const name of Object.keys(state)) render(name);
  connect();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(`${scheme}//${location.host}/live`);
  socket = mine;
  mine.onmessage = (message) => {
    heard = Date.now();
    const changed = JSON.parse(message.data);
    Object.assign(state, changed);
    for (const name of Object.keys(changed)) render(name);
    if (["site", "robot", "trail", "beliefs", "decision"].some((name) => name in changed)) redraw();
    showLink();
  };
  mine.onclose = (event) => {
    if (socket !== mine) return;
    socket = null;
    showLink();
    if (event.code === 4403) start();
    else if (event.code === 4429) toast("Too many look at this console; trying again.", true);
    if (event.code !== 4403) setTimeout(() => { if (me && !socket) connect(); }, RETRY);
  };
}

function showLink() {
  const live = socket !== null && Date.now() - heard < SILENT;
  byId("link").textContent = live ? "live" : "lost";
  byId("link").className = live ? "badge good" : "badge bad";
  byId("lost").hidden = live;
}

setInterval(() => { if (me) showLink(); }, 500);

// --- what is shown ----------------------------------------------------------------------------

let drawn = false;
function redraw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    drawMap(byId("map"), state);
  });
}
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

const may = (role) => me?.roles.includes(role) ?? false;
const nothing = (text) => h("p", { class: "muted" }, text);

const show = {
  site(site) {
    byId("title").textContent = `hrl console: ${site.name}`;
    for (const [name, options] of [["item", site.items], ["from_bin", site.bins], ["to_station", site.targets]]) {
      const select = byId("order").querySelector(`[name=${name}]`);
      if (select.dataset.options === `${options}`) continue; // what was chosen stays
      select.dataset.options = `${options}`;
      fill(select, options.map((each) => h("option", {}, each)));
    }
  },

  robot(robot) {
    const stop = byId("stop");
    stop.textContent = robot.stop ? "Release" : "Stop";
    stop.classList.toggle("release", robot.stop);
    stop.disabled = robot.stop && !may("operator");
    stop.title = robot.stop ? "Needs an operator" : "Everything stops";
    byId("stopped").hidden = !robot.stop;
    byId("stopped").textContent = "The emergency stop is pressed. " +
      (may("operator") ? "Release it when nothing can be hurt." : "An operator has to release it.");
    for (const left of document.querySelectorAll("[data-expires]")) {
      const rest = Math.max(0, left.dataset.expires - (robot.time ?? 0));
      left.textContent = seconds(rest);
    }
  },

  skill(skill) {
    if (!skill) {
      fill(byId("skill"), nothing("No skill runs."));
      return;
    }
    const numbers = [`step ${skill.step} of at most ${skill.bound}`];
    if (skill.error !== null) numbers.push(`${skill.error.toFixed(2)} m to go`);
    if (skill.chance !== null) numbers.push(`chance of success ${Math.round(100 * skill.chance)} %`);
    fill(byId("skill"),
      h("p", { class: "now" }, skill.what),
      h("progress", { max: skill.bound, value: skill.step, "aria-label": "steps of the bound" }),
      h("p", { class: "numbers muted" }, h("span", {}, skill.phase), numbers.map((each) => h("span", {}, each))));
  },

  decision(decision) {
    if (!decision) {
      fill(byId("decision"), nothing("No decision yet."));
      return;
    }
    const open = byId("decision").querySelector("details")?.open ?? false;
    fill(byId("decision"),
      h("p", { class: "now" }, decision.what),
      h("p", {}, decision.reason),
      h("p", { class: "muted" }, `Decision ${decision.number} of mission ${decision.mission}, by ${decision.policy}`),
      h("ul", { class: "bars" }, decision.candidates.map((each) =>
        h("li", { class: each.chosen ? "chosen" : each.allowed ? "" : "no", title: each.why || false },
          h("span", {}, each.label, each.why ? h("small", {}, ` ${each.why}`) : null),
          h("span", {}, each.allowed ? `${Math.round(100 * each.p)} %` : "not allowed"),
          h("meter", { max: 1, value: each.allowed ? each.p : 0, "aria-hidden": true })))),
      decision.tree.length
        ? h("details", { open }, h("summary", {}, "How the tree came to it"), h("pre", {}, decision.tree.join("\n")))
        : null);
  },

  missions(missions) {
    byId("doing").textContent = missions.doing;
    fill(byId("missions"), missions.list.map((mission) => h("div", { class: "card" },
      h("div", { class: "head" },
        h("span", {}, h("b", {}, mission.state), ` ${mission.id}`, mission.by ? h("small", {}, ` by ${mission.by}`) : null),
        mission.open && may("operator")
          ? h("button", { class: "quiet", onclick: () => cancel(mission.id) }, "Cancel") : null),
      mission.orders.map((order) => h("p", {},
        h("span", { class: order.good === null ? "muted" : order.good ? "good" : "bad" }, order.state),
        ` ${order.what}`, order.detail ? h("small", {}, ` ${order.detail}`) : null)))));
    if (!missions.list.length) fill(byId("missions"), nothing("None yet."));
  },

  approvals(approvals) {
    const there = new Map([...byId("approvals").children].map((card) => [card.dataset.id, card]));
    const cards = approvals.map((each) => {
      const before = there.get(each.id);
      const same = before && before.dataset.state === each.state && before.dataset.shots === `${each.cameras}`;
      return same ? before : approvalCard(each); // what is being typed stays
    });
    for (const [id, card] of there) if (!cards.includes(card) && !approvals.some((a) => a.id === id)) card.remove();
    byId("approvals").replaceChildren(...cards);
  },

  handovers(handovers) {
    fill(byId("handovers"), handovers.map((each) => h("div", { class: "card" },
      h("p", {}, h("b", {}, each.what), h("small", {}, ` mission ${each.mission}`)),
      h("p", {}, each.summary),
      h("p", {}, h("b", {}, "Next: "), each.recommendation),
      each.tries.length ? h("details", {}, h("summary", {}, `What was tried (${each.tries.length})`),
        each.tries.map((line) => h("p", {}, line))) : null,
      h("div", { class: "shots" }, each.cameras.map((camera) => picture(each.key, camera))),
      each.folder ? h("p", { class: "muted" }, `Package: ${each.folder}`) : null)));
    if (!handovers.length) fill(byId("handovers"), nothing("Nothing."));
  },

  diagnostics(nodes) {
    fill(byId("diagnostics"), nodes.map((node) => h("div", { class: "card" },
      h("div", { class: "head" }, h("b", {}, node.name),
        h("span", { class: `badge ${node.level}` }, { good: "well", warn: "look", bad: "silent" }[node.level])),
      node.words.map((line) => h("p", { class: node.level === "good" ? "muted" : "" }, line)))));
    if (!nodes.length) fill(byId("diagnostics"), nothing("No node says anything."));
  },

  figures(figures) {
    fill(byId("figures"), figures.map((each) =>
      h("div", { title: each.description }, h("dt", {}, each.name), h("dd", {}, each.value))));
  },

  people(people) {
    fill(byId("people"), people.map((each) => h("p", {}, h("span", { class: "muted" }, `${clock(each.at)} `),
      h("b", {}, each.by), ` ${each.did}`, each.detail ? h("small", {}, ` ${each.detail}`) : null)));
    if (!people.length) fill(byId("people"), nothing("Nothing yet."));
  },

  cameras(cameras) {
    for (const [camera, version] of Object.entries(cameras)) {
      let image = byId(`camera-${camera}`);
      if (!image) {
        image = h("img", { id: `camera-${camera}`, alt: `What ${camera} sees` });
        byId("cameras").append(h("figure", {}, image, h("figcaption", {}, camera)));
      }
      if (image.dataset.loading || image.dataset.version === `${version}`) continue;
      image.dataset.loading = 1; // the next one when this one is there
      image.onload = image.onerror = () => { delete image.dataset.loading; };
      image.dataset.version = version;
      image.src = `api/picture?${new URLSearchParams({ camera, version })}`;
    }
  },
};

function render(name) {
  if (name in show && state[name] !== undefined) show[name](state[name]);
}

const ENDS = { approved: "approved", denied: "denied", expired: "expired: no answer means no", withdrawn: "withdrawn" };

function approvalCard(each) {
  const waits = each.state === "pending";
  const reason = h("input", { placeholder: "Reason or comment", "aria-label": "Reason or comment", maxlength: 500 });
  const answer = (approve) => async (event) => {
    event.preventDefault();
    if (!approve && !reason.value.trim()) {
      toast("A denial needs a reason.", true);
      reason.focus();
      return;
    }
    const signed = await signature(each, approve, me.name, reason.value);
    await post("answer", { id: each.id, approve, comment: reason.value, signature: signed });
  };
  return h("article",
    { class: waits ? "approval" : "approval ended", "data-id": each.id, "data-state": each.state, "data-shots": `${each.cameras}` },
    h("div", {},
      h("h2", {}, waits ? `May it ${each.what}?` : `${each.what}: ${ENDS[each.state]}${each.by ? ` by ${each.by}` : ""}`),
      waits ? h("p", {}, each.why) : null,
      each.comment ? h("p", {}, each.comment) : null,
      h("p", { class: "muted" }, `Risk tier ${each.tier}, decision ${each.decision} of mission ${each.mission}`)),
    waits ? h("div", {}, h("span", { class: "left", "data-expires": each.expires }, ""), h("br"), h("small", {}, "left")) : h("span"),
    waits && each.cameras.length ? h("div", { class: "shots" }, each.cameras.map((camera) => picture(each.id, camera))) : null,
    waits && may("approver")
      ? h("form", { onsubmit: answer(true) }, reason,
        h("button", { class: "main" }, "Approve"),
        h("button", { type: "button", onclick: answer(false) }, "Deny"))
      : null,
    waits && !may("approver") ? h("p", { class: "muted" }, "An approver has to answer.") : null);
}

// --- what people do ---------------------------------------------------------------------------

function cancel(mission) {
  if (confirm(`End mission ${mission}?`)) post("cancel", { mission });
}

async function login(token) {
  const answer = await fetch("api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  byId("login-fault").textContent = answer.ok ? "" : `${(await answer.json()).detail}`;
  byId("token").value = "";
  return start();
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  login(byId("token").value);
});

byId("logout").addEventListener("click", async () => {
  await post("logout");
  location.reload(); // also the key is forgotten
});

byId("stop").addEventListener("click", () => {
  if (!state.robot?.stop) post("stop");
  else if (confirm("Release the emergency stop? The robot may move at once.")) post("release");
});

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  post("orders", { orders: [Object.fromEntries(new FormData(event.target))] });
});

byId("key-file").addEventListener("change", async (event) => {
  try {
    await readKey(event.target.files[0]);
  } catch (error) {
    toast(`No key of ./hrl secure approver: ${error.message || error.name}`, true);
  }
  byId("key-state").textContent = hasKey() ? "Answers are signed." : "";
});

fill(byId("key"), KEY.map(([colour, what]) => {
  const line = h("i");
  line.style.borderColor = `var(${colour})`; // by the style's interface: an attribute is forbidden
  return h("span", {}, line, what);
}));
// A link of ./hrl demo --console brings its token behind the #, which no server sees.
const brought = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
if (brought) login(brought);
else start();

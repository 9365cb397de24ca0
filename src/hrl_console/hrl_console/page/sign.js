// Answers are signed here, with a key that stays in this page: neither the console nor anybody
// between can answer in somebody else's name. The text is that of hrl_master.approver_keys.Statement.

let key = null;

export const hasKey = () => key !== null;

export async function readKey(file) {
  const base64 = (await file.text()).replace(/-----[^-]+-----|\s/g, "");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  key = await crypto.subtle.importKey("pkcs8", bytes, { name: "Ed25519" }, false, ["sign"]);
}

// As Python's json.dumps writes it: only ASCII, ", " between the parts.
const text = (value) =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

export function statement(question, approve, by, comment) {
  const { id, mission, decision, what, asked } = question;
  return `["hrl approval", ${text(id)}, ${text(mission)}, ${decision}, ${text(what)}, ` +
    `[${asked[0]}, ${asked[1]}], ${approve}, ${text(by)}, ${text(comment)}]`;
}

export async function signature(question, approve, by, comment) {
  if (key === null) return "";
  const bytes = new TextEncoder().encode(statement(question, approve, by, comment));
  const signed = new Uint8Array(await crypto.subtle.sign("Ed25519", key, bytes));
  return Array.from(signed, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

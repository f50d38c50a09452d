// A widget's model in a page without a notebook: state, and who wants to know of its changes.
// `kernel(messages)` hears what a notebook's kernel would hear; static pages have none.

class VdjaxModel {
  constructor(state, kernel = () => {}) {
    this.state = decodeBytes(state);
    this.kernel = kernel;
    this.changed = new Set();
    this.listeners = new Map();
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    const same = this.state[name] === value;
    this.state[name] = value;
    if (same) return;
    this.changed.add(name);
    this.tell(name);
  }
  save_changes() {
    const state = Object.fromEntries([...this.changed].map((name) => [name, this.state[name]]));
    this.changed.clear();
    if (Object.keys(state).length) this.kernel({ method: "update", state: encodeBytes(state) });
  }
  send(content) {
    this.kernel({ method: "custom", content });
  }
  on(event, callback) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(callback);
  }
  off(event, callback) {
    if (event == null) this.listeners.clear();
    else if (callback == null) this.listeners.delete(event);
    else this.listeners.get(event)?.delete(callback);
  }
  /** What the kernel says: new state, or a message. */
  receive(message) {
    if (message.method === "update") {
      const state = decodeBytes(message.state);
      Object.assign(this.state, state);
      Object.keys(state).forEach((name) => this.tell(name));
    } else if (message.method === "custom") {
      this.emit("msg:custom", decodeBytes(message.content), []);
    }
  }
  tell(name) {
    this.emit(`change:${name}`, this, this.state[name]);
    this.emit("change", this);
  }
  emit(event, ...rest) {
    [...(this.listeners.get(event) ?? [])].forEach((callback) => callback(...rest));
  }
}

/** Bytes travel as {"$bytes": base64} in JSON; a widget sees them as a DataView, as notebooks do. */
function decodeBytes(value) {
  if (Array.isArray(value)) return value.map(decodeBytes);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$bytes === "string") {
    return new DataView(Uint8Array.from(atob(value.$bytes), (c) => c.charCodeAt(0)).buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decodeBytes(item)]));
}

function encodeBytes(value) {
  if (Array.isArray(value)) return value.map(encodeBytes);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof DataView) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return { $bytes: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encodeBytes(item)]));
}

/** Show a widget, given its module's text, in some elements; returns what cleans up. */
async function vdjaxShow(text, model, elements) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  const cleanups = [await module.default.initialize?.({ model })];
  for (const el of elements) {
    el.replaceChildren();
    cleanups.push(await module.default.render({ model, el }));
  }
  return () => cleanups.forEach((cleanup) => cleanup?.());
}

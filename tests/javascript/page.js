// A page in jsdom for the components, which Streamlit calls with a parent element, data and callbacks.

import { readFileSync } from "node:fs"
import { JSDOM } from "jsdom"

let now, timers

// Opens a page with this content, stops its clock and returns the element around the content.
export function openPage(html) {
  const { window } = new JSDOM(`<div id="parent">${html}</div>`, { url: "https://sheet.example/Page" })
  globalThis.window = window
  globalThis.document = window.document
  globalThis.AbortController = window.AbortController
  stopClock()
  return window.document.querySelector("#parent")
}

function stopClock() {
  let started = 0
  now = 0
  timers = new Map()
  Date.now = () => now
  globalThis.setTimeout = (callback, ms) => {
    timers.set(++started, { due: now + ms, callback })
    return started
  }
  globalThis.clearTimeout = (timer) => timers.delete(timer)
}

// Lets so many milliseconds pass on the stopped clock.
export function passes(ms) {
  const end = now + ms
  const next = () => [...timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0]
  for (let timer = next(); timer; timer = next()) {
    const [number, { due, callback }] = timer
    timers.delete(number)
    now = due
    callback()
  }
  now = end
}

// Lets promises settle.
export const settled = () => new Promise((resolve) => setImmediate(resolve))

// The text of a file of pages/.
export const source = (path) => readFileSync(new URL(`../../pages/${path}`, import.meta.url), "utf8")

export function fire(node, type, properties = {}) {
  const event = new window.Event(type, { bubbles: true, cancelable: true })
  node.dispatchEvent(Object.assign(event, properties))
  return event
}

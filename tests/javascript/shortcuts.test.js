import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/search/shortcuts.js"
import { openPage } from "./page.js"

let root

beforeEach(() => {
  root = openPage('<input aria-label="Words" value="dog"><input aria-label="Other"><input type="checkbox"><button>Go</button>')
  component({ data: { label: "Words" } })
  component({ data: { label: "Words" } })
})

function press(selector, properties = {}) {
  const event = new window.KeyboardEvent("keydown", { key: "/", bubbles: true, composed: true, cancelable: true, ...properties })
  root.querySelector(selector).focus()
  root.querySelector(selector).dispatchEvent(event)
  return event
}

const focused = () => document.activeElement.getAttribute("aria-label")

test("the page goes to its top for each new search that was asked for further down", () => {
  const scrolled = []
  root.innerHTML = '<div data-testid="stMain"></div>'
  root.firstChild.scrollTo = (...place) => scrolled.push(place)
  for (const ascents of [0, 1, 1, 2]) component({ data: { label: "Words", ascents } })
  assert.deepEqual(scrolled, [[0, 0], [0, 0]])
})

test("/ goes to the search box and selects what is in it", () => {
  assert.ok(press("button").defaultPrevented)
  assert.equal(focused(), "Words")
  assert.equal(document.activeElement.selectionEnd, 3)
  assert.ok(press('[type="checkbox"]').defaultPrevented)
})

test("/ is a character where something is being written, and with other keys it is not ours", () => {
  assert.ok(!press('[aria-label="Other"]').defaultPrevented)
  assert.ok(!press("button", { ctrlKey: true }).defaultPrevented)
  assert.ok(!press("button", { key: "a" }).defaultPrevented)
})

test("behind an open picture the search box stays where it is, and on a page without one nothing happens", () => {
  root.setAttribute("role", "dialog")
  assert.ok(!press("button").defaultPrevented)
  root.removeAttribute("role")
  root.querySelector("input").remove()
  assert.ok(!press("button").defaultPrevented)
})

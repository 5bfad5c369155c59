import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import { JSDOM } from "jsdom"
import { installHistory, placeOf, typesFurther } from "../../pages/ui/history.js"

const START = "https://sheet.example/gallery/search"
let window

beforeEach(() => {
  window = new JSDOM("", { url: START }).window
  globalThis.URL = window.URL
  Date.now = () => now
  now = 0
  installHistory(window, { adjustments: ["floor", "n"], words: "q" })
})

let now

const act = (type = "keydown") => window.dispatchEvent(new window.Event(type))
const typed = (search) => window.history.replaceState({}, "", `${START}${search}`) // as Streamlit does for a widget
const led = (address) => window.history.pushState({}, "", address) // as it does for a script
const entries = () => window.history.length
const here = () => window.location.pathname + window.location.search

test("a search that a person asks for is an entry, although Streamlit replaces the address", () => {
  act()
  typed("?q=dog")
  assert.equal(entries(), 2)
  act()
  now = 60_000
  typed("?q=red+flower")
  assert.deepEqual([entries(), here()], [3, "/gallery/search?q=red+flower"])
})

test("one click that changes the address twice is one entry", () => {
  act("pointerdown")
  led(`${START}?q=`)
  led("https://sheet.example/gallery/clusters")
  assert.deepEqual([entries(), here()], [2, "/gallery/clusters"])
})

test("what only adjusts a search is no entry, and the address says it", () => {
  act()
  typed("?q=dog")
  for (const floor of [0.1, 0.2, 0.3]) {
    act("pointerdown")
    typed(`?q=dog&floor=${floor}`)
  }
  act()
  led(`${START}?floor=0.3&n=48&q=dog`)
  assert.deepEqual([entries(), here()], [2, "/gallery/search?floor=0.3&n=48&q=dog"])
})

test("an address that nobody asked for is corrected in place, also after going back", () => {
  led(`${START}?keyword=cold`)
  assert.equal(entries(), 1)
  act()
  typed("?q=dog")
  act()
  window.dispatchEvent(new window.Event("popstate"))
  led(`${START}?q=cat`)
  assert.equal(entries(), 2)
})

test("typing on within some seconds is the same search, and another search is not", () => {
  act()
  typed("?q=red")
  now = 3000
  act()
  typed("?q=red+flower")
  assert.equal(entries(), 2)
  act()
  typed("?q=dog")
  assert.equal(entries(), 3)
  now = 60_000
  act()
  typed("?q=dog+on+a+beach")
  assert.equal(entries(), 4)
})

test("a follow-up is an entry however soon it comes", () => {
  act()
  typed("?q=red")
  window.document.body.innerHTML = "<textarea></textarea>"
  window.document.querySelector("textarea").dispatchEvent(new window.Event("keydown", { bubbles: true }))
  typed("?q=red+at+night")
  assert.equal(entries(), 3)
})

test("the order of parameters and those without a value make no other place", () => {
  const place = (search) => placeOf(`${START}${search}`, ["floor"])
  assert.equal(place("?q=a&keyword=b&floor=0.2"), place("?keyword=b&like=&q=a"))
  assert.notEqual(place("?keyword=b"), place("?keyword=c"))
  assert.notEqual(place("?photo=b"), place(""))
})

test("only longer words with the same filters are typed further", () => {
  const further = (from, to) => typesFurther(`${START}${from}`, `${START}${to}`, "q")
  assert.ok(further("?q=red&keyword=b", "?q=red+flower&keyword=b"))
  assert.ok(!further("?q=red&keyword=b", "?q=red+flower&keyword=c"))
  assert.ok(!further("?q=red", "?q=re"))
  assert.ok(!further("", "?q=red"))
})

test("Streamlit may leave out the address", () => {
  act()
  window.history.replaceState({}, "")
  assert.deepEqual([entries(), window.location.href], [1, START])
})

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/ui/viewer.js"
import { fire, openPage, passes } from "./page.js"

let root, state, moves, leave

beforeEach(() => {
  root = openPage('<div role="dialog"><div class="viewer"></div><input></div>')
  globalThis.Image = class { set src(address) { this.address = address } }
  window.HTMLDialogElement.prototype.showModal = function () { this.open = true }
  window.HTMLDialogElement.prototype.close = function () { this.open = false; this.dispatchEvent(new window.Event("close")) }
  moves = []
  state = { base: "images/demo", ids: ["a", "b", "c"], first: 11, total: 30, current: "b", title: "<b>Boat</b>" }
})

function render(changes = {}) {
  state = { ...state, ...changes }
  leave = component({ data: state, parentElement: root.querySelector('[role="dialog"]'), setTriggerValue: (...move) => moves.push(move) })
}

const part = (name) => root.querySelector(`.${name}`)
const shown = () => part("picture").dataset.id
const press = (key, target = part("zoom")) => {
  const event = new window.Event("keydown", { bubbles: true, composed: true, cancelable: true })
  target.dispatchEvent(Object.assign(event, { key }))
  return event
}

test("a picture is shown with its title and its place among the others", () => {
  render()
  assert.equal(part("picture").alt, "<b>Boat</b>")
  assert.equal(part("picture").src, "https://sheet.example/images/demo/b/view")
  assert.equal(part("position").textContent, "12 of 30")
  assert.equal(root.querySelectorAll("b").length, 0)
})

test("where the larger view does not load, the thumbnail is shown", () => {
  render()
  fire(part("picture"), "error")
  assert.equal(part("picture").src, "https://sheet.example/images/demo/b/thumbnail")
  fire(part("picture"), "error")
  assert.equal(part("picture").src, "https://sheet.example/images/demo/b/thumbnail")
})

for (const [key, to] of [["ArrowRight", "c"], ["j", "c"], ["ArrowLeft", "a"], ["K", "a"]]) {
  test(`${key} shows the picture ${to} at once and reports it once`, () => {
    render()
    assert.ok(press(key).defaultPrevented)
    assert.equal(shown(), to)
    assert.deepEqual(moves, [])
    passes(1000)
    assert.deepEqual(moves, [["moved", to]])
  })
}

test("moves in quick succession are one report", () => {
  render({ current: "a" })
  press("ArrowRight")
  passes(100)
  press("ArrowRight")
  passes(1000)
  assert.deepEqual(moves, [["moved", "c"]])
})

test("an answer to an earlier move does not take back a later one", () => {
  render({ current: "a" })
  press("j")
  passes(200)
  press("j")
  render({ current: "b", title: "B" })
  assert.equal(shown(), "c")
  passes(200)
  render({ current: "c", title: "C" })
  assert.deepEqual([shown(), part("picture").alt], ["c", "C"])
})

test("there is nothing before the first picture and after the last", () => {
  render({ current: "a" })
  assert.ok(part("previous").disabled)
  assert.ok(!press("ArrowLeft").defaultPrevented)
  render({ current: "c" })
  part("next").click()
  passes(1000)
  assert.deepEqual([shown(), moves], ["c", []])
  render({ ids: ["c"], total: 1, first: 1 })
  assert.ok(part("next").hidden && part("position").textContent === "")
})

test("keys in a field, or with another key held, are not moves", () => {
  render()
  press("j", root.querySelector("input"))
  const event = new window.Event("keydown", { bubbles: true, composed: true })
  part("zoom").dispatchEvent(Object.assign(event, { key: "ArrowRight", altKey: true }))
  assert.equal(shown(), "b")
})

test("a swipe to the left shows the next picture, and a tap does not", () => {
  render()
  const touch = (type, x) => fire(part("stage"), type, { changedTouches: [{ clientX: x }] })
  touch("touchstart", 200)
  touch("touchend", 190)
  assert.equal(shown(), "b")
  touch("touchstart", 200)
  touch("touchend", 100)
  assert.equal(shown(), "c")
})

test("full size shows the original; Escape closes it alone, and the focus is on the picture again", () => {
  render()
  part("zoom").click()
  assert.ok(part("full").open)
  assert.equal(part("whole").src, "https://sheet.example/images/demo/b/original")
  press("ArrowRight", part("close"))
  assert.equal(shown(), "b")
  let escaped = false
  root.addEventListener("keydown", () => { escaped = true })
  press("Escape", part("close"))
  assert.ok(!escaped)
  part("close").click()
  assert.ok(!part("full").open)
  assert.equal(document.activeElement, part("zoom"))
})

test("keys are heard once, however often the page runs", () => {
  render({ current: "a" })
  render()
  render()
  press("j")
  assert.equal(shown(), "b")
  leave()
  press("j")
  assert.equal(shown(), "b")
})

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/clusters/dial.js"
import { fire, openPage, passes, source } from "./page.js"

const CURVE = { at: [0.0, 0.5, 1.0], groups: [1, 8, 0], share: [100.0, 80.4, 0.0] }
const UNHEARD = { threshold: 0, smallest: 0 }
let root, sent, unmount, state

beforeEach(() => {
  root = openPage(source("clusters/dial.html"))
  sent = []
  state = {
    session: "first",
    heard: UNHEARD,
    threshold: 0.5,
    smallest: 2,
    lowest: 0,
    published: null,
    curve: CURVE,
    plateaus: [{ threshold: 0.6, lowest: 0.55, highest: 0.65, reason: "stays the same" }],
  }
  at("drawing").getBoundingClientRect = () => ({ left: 100, width: 200 })
  at("plot").setPointerCapture = () => {}
  answer()
})

const at = (name) => root.querySelector(`.${name}`)
const busy = () => at("dial").getAttribute("aria-busy") === "true"

// The server shows the dial again, with these changes.
function answer(changes = {}) {
  state = { ...state, ...changes }
  unmount = component({
    data: state,
    parentElement: root,
    setStateValue: (name, message) => sent.push(structuredClone({ [name]: message })),
  })
}

function slide(threshold) {
  at("slider").value = threshold
  fire(at("slider"), "input")
}

function type(name, text) {
  at(name).value = text
  fire(at(name), "input")
}

function enter(name, text) {
  type(name, text)
  fire(at(name), "change")
}

function point(type, properties) {
  fire(at("plot"), type, { button: 0, buttons: 0, pointerId: 1, ...properties })
}

test("a value is shown at once and sent with its number", () => {
  slide(0.6)
  assert.equal(at("exact").value, "0.6")
  assert.equal(at("slider").getAttribute("aria-valuetext"), "0.600")
  assert.equal(at("mark").style.left, "60%")
  assert.ok(busy())
  assert.deepEqual(sent, [{ asked: { session: "first", threshold: [1, 0.6] } }])
})

test("while a message is on its way, only the latest value waits for its answer", () => {
  slide(0.6)
  slide(0.61)
  slide(0.62)
  assert.equal(sent.length, 1)
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  assert.deepEqual(sent.slice(1), [{ asked: { session: "first", threshold: [3, 0.62] } }])
})

test("a stale answer never sets a value back", () => {
  slide(0.6)
  slide(0.7)
  answer({ threshold: 0.4 })
  assert.equal(at("exact").value, "0.7")
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  assert.equal(at("exact").value, "0.7")
  assert.ok(busy())
})

test("once everything is acknowledged the server's value is shown, an undone one too", () => {
  slide(0.6)
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  assert.ok(!busy())
  answer({ threshold: 0.5 })
  assert.equal(at("exact").value, "0.5")
  assert.equal(at("slider").value, "0.5")
  assert.equal(sent.length, 1)
})

test("values of both controls travel in one message", () => {
  slide(0.6)
  slide(0.65)
  enter("smallest", "5")
  answer({ heard: { threshold: 1, smallest: 0 } })
  assert.deepEqual(sent[1], { asked: { session: "first", threshold: [2, 0.65], smallest: [3, 5] } })
})

test("one control's answer leaves the other's value waiting", () => {
  slide(0.6)
  enter("smallest", "5")
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  assert.equal(at("smallest").value, "5")
  assert.ok(busy())
  answer({ heard: { threshold: 1, smallest: 2 }, smallest: 5 })
  assert.ok(!busy())
})

test("what is not acknowledged is sent again after three seconds, until it is", () => {
  slide(0.6)
  passes(2999)
  assert.equal(sent.length, 1)
  passes(1)
  passes(3000)
  assert.deepEqual(sent.slice(1), [sent[0], sent[0]])
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  passes(10_000)
  assert.equal(sent.length, 3)
})

test("a restarted server is told what the old one never acknowledged", () => {
  slide(0.6)
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  slide(0.7)
  answer({ session: "second", heard: UNHEARD, threshold: 0.5 })
  assert.equal(at("exact").value, "0.7")
  assert.deepEqual(sent.at(-1), { asked: { session: "second", threshold: [3, 0.7] } })
  answer({ heard: { threshold: 3, smallest: 0 }, threshold: 0.7 })
  assert.ok(!busy())
})

test("a restarted server's value is shown if nothing waits", () => {
  answer({ session: "second", threshold: 0.3 })
  assert.equal(at("exact").value, "0.3")
  assert.deepEqual(sent, [])
})

test("values are numbered on from what the server has heard", () => {
  unmount()
  answer({ heard: { threshold: 7, smallest: 9 } })
  slide(0.6)
  assert.deepEqual(sent, [{ asked: { session: "first", threshold: [10, 0.6] } }])
})

test("a typed threshold is sent exactly, once it is entered", () => {
  type("exact", "0.71342")
  assert.deepEqual(sent, [])
  fire(at("exact"), "change")
  assert.deepEqual(sent, [{ asked: { session: "first", threshold: [1, 0.71342] } }])
})

test("an answer does not overwrite what is being typed", () => {
  type("exact", "0.7")
  answer({ threshold: 0.4 })
  assert.equal(at("exact").value, "0.7")
})

for (const [way, ...event] of [["Escape", "keydown", { key: "Escape" }], ["leaving", "blur"]]) {
  test(`${way} takes back what was typed and not entered`, () => {
    type("exact", "0.7")
    fire(at("exact"), ...event)
    assert.equal(at("exact").value, "0.5")
    assert.deepEqual(sent, [])
  })
}

for (const [name, text, reason] of [
  ["exact", "", "A number from -1 to 1"],
  ["exact", "1.5", "A number from -1 to 1"],
  ["exact", "high", "A number from -1 to 1"],
  ["smallest", "0", "A whole number from 1 to 1000000"],
  ["smallest", "2.5", "A whole number from 1 to 1000000"],
  ["smallest", "", "A whole number from 1 to 1000000"],
]) {
  test(`"${text}" for ${name} is refused with a reason, and nothing is sent`, () => {
    enter(name, text)
    assert.equal(at(name).validationMessage, reason)
    assert.deepEqual(sent, [])
  })
}

test("a number that fits clears the reason for which another was refused", () => {
  enter("exact", "1.5")
  enter("exact", "0.9")
  assert.equal(at("exact").validationMessage, "")
  assert.equal(sent.length, 1)
})

test("the mark stays on the scale when the threshold lies outside", () => {
  answer({ threshold: -0.4 })
  assert.equal(at("mark").style.left, "0%")
})

test("the mark has a place when the lowest threshold is the highest", () => {
  answer({ lowest: 1, threshold: 1 })
  assert.equal(at("mark").style.left, "0%")
})

test("the scale of curve and slider begins at the lowest threshold", () => {
  answer({ lowest: -0.5, threshold: 0.25 })
  assert.equal(at("mark").style.left, "50%")
  assert.equal(at("slider").min, "-0.5")
})

for (const [clientX, threshold] of [[150, 0.25], [20, 0], [900, 1]]) {
  test(`a press at ${clientX} px on the curve from 100 to 300 px sets ${threshold}`, () => {
    point("pointerdown", { clientX })
    assert.deepEqual(sent, [{ asked: { session: "first", threshold: [1, threshold] } }])
  })
}

test("only the main button sets a threshold on the curve", () => {
  point("pointerdown", { clientX: 150, button: 2 })
  assert.deepEqual(sent, [])
})

test("dragging on the curve moves the threshold along", () => {
  at("plot").hasPointerCapture = () => true
  point("pointermove", { clientX: 200, buttons: 1 })
  assert.equal(at("exact").value, "0.5")
  point("pointermove", { clientX: 250, buttons: 1 })
  assert.equal(at("exact").value, "0.75")
})

test("pointing at the curve tells the nearest point of it", () => {
  point("pointermove", { clientX: 210 })
  assert.equal(at("tip").textContent, "0.500: 8 clusters, 80 % of pictures clustered")
  assert.ok(!at("tip").hidden)
  point("pointerleave")
  assert.ok(at("tip").hidden)
  assert.deepEqual(sent, [])
})

test("without a curve nothing is drawn and pointing tells nothing", () => {
  answer({ curve: null, plateaus: [] })
  assert.ok(at("plot").hidden)
  point("pointermove", { clientX: 210 })
  assert.ok(at("tip").hidden)
  slide(0.6)
  assert.equal(at("exact").value, "0.6")
})

test("a stable threshold is one click away, and its reason is text", () => {
  answer({ plateaus: [{ threshold: 0.6, lowest: 0.55, highest: 0.65, reason: "<b>stays</b>" }] })
  const button = at("steady").querySelector("button")
  assert.equal(button.title, "A stable threshold: <b>stays</b>")
  assert.equal(root.querySelector("b b"), null)
  button.click()
  assert.deepEqual(sent, [{ asked: { session: "first", threshold: [1, 0.6] } }])
})

test("the published threshold has a line of its own", () => {
  assert.equal(at("published"), null)
  answer({ published: 0.8 })
  assert.equal(at("published").style.left, "80%")
})

test("the curve is drawn again only when it has changed", () => {
  const mark = at("mark")
  answer({ threshold: 0.4 })
  assert.equal(at("mark"), mark)
  answer({ curve: { ...CURVE, groups: [1, 9, 0] } })
  assert.notEqual(at("mark"), mark)
})

test("an unmounted dial sends nothing again", () => {
  slide(0.6)
  unmount()
  passes(10_000)
  assert.equal(sent.length, 1)
})

test("an unmounted dial listens to nothing", () => {
  const button = at("steady").querySelector("button")
  unmount()
  slide(0.7)
  enter("exact", "0.8")
  enter("smallest", "4")
  button.click()
  point("pointerdown", { clientX: 150 })
  point("pointermove", { clientX: 150 })
  assert.deepEqual(sent, [])
  assert.ok(at("tip").hidden)
})

test("a dial that is mounted again works and shows the server's value", () => {
  slide(0.6)
  unmount()
  answer({ heard: { threshold: 1, smallest: 0 }, threshold: 0.6 })
  slide(0.7)
  assert.deepEqual(sent[1], { asked: { session: "first", threshold: [2, 0.7] } })
})

test("ending a call that a newer one has replaced leaves the dial as it is", () => {
  slide(0.6)
  const superseded = unmount
  answer()
  superseded()
  answer()
  assert.equal(at("exact").value, "0.6")
  passes(3000)
  assert.equal(sent.length, 2)
})

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/ui/gallery.js"
import { fire, openPage, passes } from "./page.js"

let root, reports, state

beforeEach(() => {
  root = openPage('<div class="sheet" role="list"></div>')
  globalThis.getComputedStyle = () => ({ gridTemplateColumns: "160px 160px 160px" })
  reports = []
  state = { size: "medium", pick: "ticks", thumbs: {}, acknowledged: 0, frames: frames("a", "b", "c", "d", "e") }
})

function frames(...ids) {
  const frame = (id) => ({ id, url: `./images/demo/${id}`, title: `Picture ${id}`, similarity: "0.500" })
  return ids.map((id, i) => ({ ...frame(id), number: i + 1 }))
}

function render(changes = {}) {
  state = { ...state, ...changes }
  const report = (name, value) => reports.push(structuredClone([name, value]))
  component({ data: state, parentElement: root, setTriggerValue: report, setStateValue: report })
}

const all = (selector) => [...root.querySelectorAll(selector)]
const frame = (id) => root.querySelector(`.frame[data-id="${id}"]`)
const pressed = (id) => frame(id).querySelector('.thumb[aria-pressed="true"]')?.dataset.which
const ids = () => all(".frame").map((item) => item.dataset.id)

const click = (node, properties) => node.dispatchEvent(new window.MouseEvent("click", { bubbles: true, ...properties }))
const pick = (id, properties) => click(frame(id).querySelector(".pick"), properties)

// -- pictures -------------------------------------------------------------------------------------------------

test("pictures are shown in the order given, with number, title and similarity", () => {
  render()
  assert.deepEqual(ids(), ["a", "b", "c", "d", "e"])
  assert.equal(frame("b").querySelector(".caption").textContent, "2Picture b0.500")
  assert.equal(frame("b").querySelector("img").src, "https://sheet.example/images/demo/b")
})

test("a text from outside is never HTML", () => {
  const text = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
  render({ frames: [{ ...frames("a")[0], title: text, credit: text, reason: text, similarity: text }] })
  assert.equal(all("img").length, 1)
  assert.equal(all("script").length, 0)
  for (const part of ["title", "credit", "reason", "similarity"])
    assert.equal(root.querySelector(`.${part}`).textContent, text)
  fire(root.querySelector("img"), "error")
  assert.equal(all("img, script").length, 0)
  assert.equal(root.querySelector(".missing-title").textContent, text)
})

test("in place of a picture that does not load stands its title, and a click still opens it", () => {
  render()
  fire(frame("b").querySelector("img"), "error")
  assert.equal(frame("b").querySelector(".missing .missing-title").textContent, "Picture b")
  assert.equal(frame("b").querySelector("img"), null)
  frame("b").querySelector(".missing-title").click()
  assert.deepEqual(reports, [["opened", "b"]])
})

test("the same pictures are not built again, so that focus stays", () => {
  render()
  frame("b").querySelector(".open").focus()
  render({ size: "large", frames: frames("a", "b", "c", "d", "e") })
  assert.equal(document.activeElement, frame("b").querySelector(".open"))
  assert.ok(root.querySelector(".sheet").classList.contains("large"))
})

test("cards offer no search for their like", () => {
  render({ cards: true, pick: "", thumbs: null })
  assert.equal(all(".similar, .pick, .thumb").length, 0)
})

// -- opening --------------------------------------------------------------------------------------------------

test("a click opens the picture under it when pictures changed meanwhile", () => {
  render()
  render({ frames: frames("c", "x", "a") })
  all(".open")[0].click()
  frame("x").querySelector("img").click()
  frame("a").querySelector(".similar").click()
  assert.deepEqual(reports, [["opened", "c"], ["opened", "x"], ["similar", "a"]])
})

test("a sheet without a place draws nothing", () => {
  root.replaceChildren()
  render()
  assert.equal(root.childNodes.length, 0)
})

// -- keyboard -------------------------------------------------------------------------------------------------

for (const [key, from, to] of [
  ["ArrowRight", "a", "b"],
  ["ArrowLeft", "b", "a"],
  ["ArrowDown", "b", "e"],
  ["ArrowUp", "e", "b"],
  ["ArrowLeft", "a", "a"],
  ["ArrowRight", "e", "e"],
  ["ArrowDown", "c", "c"],
  ["ArrowUp", "a", "a"],
]) {
  test(`${key} in three columns goes from ${from} to ${to}`, () => {
    render()
    const start = frame(from).querySelector(".open")
    start.focus()
    const event = fire(start, "keydown", { key })
    assert.equal(document.activeElement, frame(to).querySelector(".open"))
    assert.equal(event.defaultPrevented, from !== to) // the page scrolls where focus does not move
  })
}

test("other keys are left to the browser", () => {
  render()
  const start = frame("a").querySelector(".open")
  start.focus()
  assert.ok(!fire(start, "keydown", { key: "Enter" }).defaultPrevented)
  assert.equal(document.activeElement, start)
})

test("arrows in a checkbox do not move to another picture", () => {
  render()
  const box = frame("a").querySelector(".pick")
  box.focus()
  fire(box, "keydown", { key: "ArrowRight" })
  assert.equal(document.activeElement, box)
})

test("arrows move among the pictures that are shown now", () => {
  render()
  render({ frames: frames("x", "y") })
  frame("x").querySelector(".open").focus()
  fire(document.activeElement, "keydown", { key: "ArrowRight" })
  assert.equal(document.activeElement, frame("y").querySelector(".open"))
})

// -- picks ----------------------------------------------------------------------------------------------------

test("all that is picked is reported, and what is no more is not", () => {
  render()
  pick("b")
  pick("d")
  pick("b")
  assert.deepEqual(reports, [["picked", ["b"]], ["picked", ["b", "d"]], ["picked", ["d"]]])
})

test("picks stay when more pictures are shown", () => {
  render()
  pick("b")
  render({ frames: frames("a", "b", "c", "d", "e", "f") })
  assert.ok(frame("b").querySelector(".pick").checked)
  pick("f")
  assert.deepEqual(reports.at(-1), ["picked", ["b", "f"]])
})

const press = (id, key, properties = {}) => {
  const open = frame(id).querySelector(".open")
  open.focus()
  return fire(open, "keydown", { key, ...properties })
}
const picked = () => all(".frame.picked").map((item) => item.dataset.id)

test("with shift all between two pictures are picked, or no more, also backwards", () => {
  render()
  pick("d")
  pick("b", { shiftKey: true })
  assert.deepEqual(picked(), ["b", "c", "d"])
  pick("c", { shiftKey: true })
  assert.deepEqual(picked(), ["d"])
})

test("while selecting, a click on a picture picks it, and Enter still opens it", () => {
  render({ pick: "select" })
  frame("b").querySelector("img").click()
  click(frame("d").querySelector(".open"), { shiftKey: true })
  assert.deepEqual(reports, [["picked", ["b"]], ["picked", ["b", "c", "d"]]])
  assert.ok(press("e", "Enter").defaultPrevented)
  assert.deepEqual(reports.at(-1), ["opened", "e"])
})

test("x and Space pick by keyboard, Ctrl+A all, Escape none", () => {
  render({ pick: "quiet" })
  press("b", "x")
  assert.ok(press("d", " ").defaultPrevented)
  assert.deepEqual(picked(), ["b", "d"])
  press("b", "x")
  assert.deepEqual(picked(), ["d"])
  press("a", "a", { ctrlKey: true })
  assert.equal(picked().length, 5)
  press("a", "Escape")
  assert.deepEqual(reports.at(-1), ["picked", []])
  assert.ok(!press("a", "Escape").defaultPrevented) // then it is for others
})

test("shift and an arrow pick the picture that the focus goes to", () => {
  render({ pick: "select" })
  press("b", "ArrowRight", { shiftKey: true })
  assert.deepEqual(picked(), ["c"])
  assert.equal(document.activeElement, frame("c").querySelector(".open"))
})

test("keys pick nothing where nothing can be picked", () => {
  render({ pick: "" })
  for (const key of ["x", " ", "Escape"]) assert.ok(!press("b", key).defaultPrevented)
  assert.deepEqual(reports, [])
})

test("what the page picks or clears by itself is taken over once", () => {
  render({ pick: "select", picked: { ids: ["a", "b"], version: 1 } })
  assert.deepEqual(picked(), ["a", "b"])
  pick("a")
  render({ picked: { ids: ["a", "b"], version: 1 } })
  assert.deepEqual(picked(), ["b"])
  render({ picked: { ids: [], version: 2 } })
  assert.deepEqual(picked(), [])
})

test("pictures that are no longer shown are no longer picked", () => {
  render()
  pick("b")
  pick("d")
  render({ frames: frames("d", "x") })
  pick("x")
  assert.deepEqual(reports.at(-1), ["picked", ["d", "x"]])
})

// -- thumbs ---------------------------------------------------------------------------------------------------

test("a thumb is shown at once, and a second click takes it back", () => {
  render()
  frame("a").querySelector(".up").click()
  assert.equal(pressed("a"), "up")
  frame("a").querySelector(".up").click()
  assert.equal(pressed("a"), undefined)
  assert.deepEqual(reports.at(-1)[1].map(([, id, which]) => [id, which]), [["a", "up"], ["a", ""]])
})

test("clicks in the same millisecond are numbered one after the other", () => {
  render()
  passes(1000)
  frame("a").querySelector(".up").click()
  frame("b").querySelector(".down").click()
  assert.deepEqual(reports.at(-1), ["clicks", [[1000, "a", "up"], [1001, "b", "down"]]])
})

test("a click outweighs an answer that is older than it, and no other", () => {
  render()
  passes(1000)
  frame("a").querySelector(".up").click()
  render({ thumbs: { a: false } })
  assert.equal(pressed("a"), "up")
  render({ acknowledged: 1000 })
  assert.equal(pressed("a"), "down")
})

test("a sheet keeps its latest 200 clicks", () => {
  render()
  for (let i = 0; i < 201; i += 1) frame(i ? "a" : "b").querySelector(".up").click()
  assert.equal(reports.at(-1)[1].length, 200)
  assert.ok(reports.at(-1)[1].every(([, id]) => id === "a"))
})

// -- returning ------------------------------------------------------------------------------------------------

test("when details close, the focus returns to the picture that was viewed last, or to the one they were opened from", () => {
  render({ open: "b", viewed: "b" })
  document.body.append(Object.assign(document.createElement("div"), { id: "details" }))
  document.querySelector("#details").setAttribute("role", "dialog")
  render({ open: "", viewed: "d" })
  passes(100)
  assert.notEqual(document.activeElement, frame("d").querySelector(".open"))
  document.querySelector("#details").remove()
  passes(100)
  assert.equal(document.activeElement, frame("d").querySelector(".open"))
  render({ open: "c", viewed: "" })
  render({ open: "" })
  assert.equal(document.activeElement, frame("c").querySelector(".open"))
})

test("a gallery whose pictures were not opened takes no focus", () => {
  render({ open: "", viewed: "b" })
  render({ open: "", viewed: "b" })
  assert.equal(document.activeElement, document.body)
})

// -- what a search found ----------------------------------------------------------------------------------------

test("words that were found are marked in the title, as text", () => {
  render({ frames: [{ ...frames("a")[0], title: "<b>Red sail", pieces: ["<b>", "Red", " sail"] }] })
  assert.equal(frame("a").querySelector(".title").textContent, "<b>Red sail")
  assert.deepEqual(all(".title mark").map((mark) => mark.textContent), ["Red"])
  assert.equal(all(".title b").length, 0)
})

test("near-duplicates under a picture are counted on it", () => {
  render({ frames: [{ ...frames("a")[0], folded: 3 }, frames("b")[0]] })
  assert.equal(frame("a").querySelector(".folded").textContent, "+3")
  assert.equal(frame("b").querySelector(".folded"), null)
})

test("a line stands after the pictures that stand out, and moving on by keys passes over it", () => {
  render({ divider: { after: 2, text: "Closest matches end here" } })
  assert.equal(root.querySelector(".sheet").children[2].textContent, "Closest matches end here")
  assert.deepEqual(ids(), ["a", "b", "c", "d", "e"])
  frame("b").querySelector(".open").focus()
  fire(document.activeElement, "keydown", { key: "ArrowRight" })
  assert.equal(document.activeElement.closest(".frame").dataset.id, "c")
})

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/ui/copy_link.js"
import { fire, openPage, passes, settled } from "./page.js"

let root, copied

function allow(writeText) {
  Object.defineProperty(globalThis, "navigator", { value: { clipboard: { writeText } }, configurable: true })
}

beforeEach(() => {
  root = openPage('<button class="copy">Copy link</button><input class="address" readonly hidden>')
  copied = []
  allow(async (text) => copied.push(text))
  component({ parentElement: root })
})

const button = () => root.querySelector(".copy")
const field = () => root.querySelector(".address")

test("the address is copied, and the button says so for a moment", async () => {
  button().click()
  await settled()
  assert.deepEqual(copied, ["https://sheet.example/Page"])
  assert.equal(button().textContent, "Link copied")
  passes(2000)
  assert.equal(button().textContent, "Copy link")
})

for (const [why, clipboard] of [["is not allowed", async () => { throw new Error("denied") }], ["does not exist", undefined]]) {
  test(`where copying ${why}, the address is shown, selected`, async () => {
    allow(clipboard)
    button().click()
    await settled()
    assert.ok(!field().hidden)
    assert.equal(field().value, "https://sheet.example/Page")
    assert.equal(field().selectionEnd, field().value.length)
    fire(field(), "keydown", { key: "Escape" })
    assert.ok(field().hidden)
    assert.equal(document.activeElement, button())
  })
}

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/ui/remember.js"

let requests

beforeEach(() => {
  requests = []
  globalThis.fetch = async (...request) => {
    requests.push(request)
    throw new TypeError("no connection")
  }
})

test("an offered session is claimed once, however often the page runs", () => {
  component({ data: { code: "one" } })
  component({ data: { code: "one" } })
  assert.deepEqual(requests, [["session", { method: "POST", body: "one", credentials: "same-origin" }]])
})

test("another offer is claimed as well", () => {
  component({ data: { code: "two" } })
  component({ data: { code: "three" } })
  assert.deepEqual(requests.map(([, { body }]) => body), ["two", "three"])
})

test("without an offer nothing is asked", () => {
  for (const data of [null, {}, { code: "" }]) component({ data })
  assert.deepEqual(requests, [])
})

test("a claim that fails leaves the page alone", async () => {
  component({ data: { code: "four" } })
  await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection would fail this test
  assert.equal(requests.length, 1)
})

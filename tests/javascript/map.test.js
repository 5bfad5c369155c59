import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"
import component from "../../pages/clusters/map.js"
import { FakePlotly } from "./plotly.js"
import { openPage, passes, settled } from "./page.js"

let root, node, plotly, reports, unmount, observers
let pages = 0

beforeEach(() => {
  root = openPage('<div class="map"></div>')
  node = root.querySelector(".map")
  plotly = new FakePlotly()
  reports = []
  observers = new Set()
  pages += 1
  const colours = { "--st-background-color": " #ffffff" }
  globalThis.getComputedStyle = () => ({ getPropertyValue: (name) => colours[name] ?? " #000000" })
  globalThis.ResizeObserver = class {
    constructor(resized) {
      this.resized = resized
    }
    observe() {
      observers.add(this)
    }
    disconnect() {
      observers.delete(this)
    }
  }
})

const script = () => document.head.querySelector("script")
const lasts = (name) => reports.filter((report) => name in report).map((report) => report[name])

function mapData({ rows = [10, 11, 12], colours = [0, 1, 2], range = [0, 4], ...changes } = {}) {
  return {
    plotly: `plotly-${pages}.js`, // scripts are loaded once for all maps of a page
    version: "v1",
    rows,
    partly: false,
    look: 1,
    figure: {
      data: [{ marker: { color: colours } }, { visible: false }],
      layout: { annotations: [{ text: "Boats" }], xaxis: { range }, yaxis: { range } },
    },
    ...changes,
  }
}

function render(data) {
  unmount = component({ data, parentElement: root, setStateValue: (name, value) => reports.push({ [name]: value }) })
}

// Plotly arrives, if it has not yet.
async function arrive() {
  await settled()
  window.Plotly = plotly
  script().onload()
  await settled()
}

async function draw(changes) {
  render(mapData(changes))
  await arrive()
}

function moveTo(range) {
  node.layout.xaxis = { range }
  node.layout.yaxis = { range }
  node.emit("plotly_relayout", {})
}

function lasso(...points) {
  node.layout.selections = [{ type: "path", path: "M0,0L2,0L2,2Z" }]
  node.emit("plotly_selected", { points: points.map((pointNumber) => ({ curveNumber: 0, pointNumber })) })
}

function click(pointNumber, curveNumber = 0) {
  node.layout.selections = [{ type: "path", path: "M1,1Z" }]
  node.emit("plotly_selected", { points: [{ curveNumber, pointNumber }] })
}

// -- drawing --------------------------------------------------------------------------------------------------

test("new colours are drawn on the same map, whose view stays", async () => {
  await draw()
  await draw({ colours: [2, 1, 0] })
  assert.equal(plotly.drawn.length, 2)
  assert.deepEqual(plotly.drawn[1].traces[0].marker.color, [2, 1, 0])
  assert.equal(plotly.drawn[0].layout.uirevision, plotly.drawn[1].layout.uirevision)
  assert.equal(plotly.purges, 0)
})

test("another look moves the view", async () => {
  await draw()
  await draw({ look: 2, range: [1, 2] })
  assert.notEqual(plotly.drawn[0].layout.uirevision, plotly.drawn[1].layout.uirevision)
})

test("names are on the page's background, without changing what the server sent", async () => {
  const data = mapData()
  render(data)
  await arrive()
  assert.equal(plotly.drawn[0].layout.annotations[0].bgcolor, "#ffffffb8")
  assert.equal(data.figure.layout.annotations[0].bgcolor, undefined)
})

test("of what arrives while Plotly loads, only the newest is drawn", async () => {
  render(mapData({ colours: [0, 0, 0] }))
  render(mapData({ colours: [1, 1, 1] }))
  await settled()
  render(mapData({ colours: [2, 2, 2] }))
  await arrive()
  assert.deepEqual(plotly.drawn.map(({ traces }) => traces[0].marker.color), [[2, 2, 2]])
  assert.equal(document.querySelectorAll("script").length, 1)
})

test("a page on which Plotly does not arrive says so, and the next run tries again", async () => {
  render(mapData())
  await settled()
  script().onerror()
  await settled()
  assert.equal(node.textContent, "The map cannot be drawn: a part of the page did not arrive. Load the page again.")
  await draw()
  assert.equal(node.textContent, "")
  assert.equal(plotly.drawn.length, 1)
})

test("an error of Plotly is shown as text", async () => {
  plotly.react = async () => {
    throw new Error("<b>no WebGL</b>")
  }
  await draw()
  assert.equal(node.textContent, "<b>no WebGL</b>")
})

test("the map follows the size of its place", async () => {
  await draw()
  for (const observer of observers) observer.resized()
  assert.deepEqual(plotly.resized, [node])
})

for (const rows of [[], [10]]) {
  test(`a map of ${rows.length} points is drawn and can be moved`, async () => {
    await draw({ rows, colours: rows, partly: true })
    assert.equal(node.textContent, "")
    moveTo([1, 2])
    passes(250)
    assert.deepEqual(lasts("seen"), [{ look: 1, box: [1, 1, 2, 2] }])
  })
}

// -- selecting ------------------------------------------------------------------------------------------------

test("a lasso is handed over with its corners", async () => {
  await draw()
  lasso(0, 1)
  assert.deepEqual(lasts("selection"), [{ version: "v1", rows: [], box: [], lasso: [{ x: [0, 2, 2], y: [0, 0, 2] }] }])
})

test("a box is handed over with its sides", async () => {
  await draw()
  node.layout.selections = [{ type: "rect", x0: 1, x1: 2, y0: 3, y1: 4 }]
  node.emit("plotly_selected", { points: [] })
  assert.deepEqual(lasts("selection"), [{ version: "v1", rows: [], box: [{ x: [1, 2], y: [3, 4] }], lasso: [] }])
})

test("a click hands over the row of its point, not one of a ring around it", async () => {
  await draw()
  click(1)
  assert.deepEqual(lasts("selection").at(-1).rows, [11])
  click(1, 1)
  assert.deepEqual(lasts("selection").at(-1).rows, [])
})

test("a selection stays when colours change", async () => {
  await draw()
  lasso(0, 1)
  const { selections } = node.layout
  await draw({ colours: [2, 1, 0] })
  assert.deepEqual(plotly.drawn[1].layout.selections, selections)
})

test("a clicked row stays selected among other points, and is no more where it is not drawn", async () => {
  await draw()
  click(1)
  await draw({ rows: [9, 10, 11, 12] })
  assert.deepEqual(plotly.drawn[1].traces[0].selectedpoints, [2])
  await draw({ rows: [9, 10] })
  assert.ok(!("selectedpoints" in plotly.drawn[2].traces[0]))
})

test("deselecting takes the selection back", async () => {
  await draw()
  click(1)
  node.emit("plotly_deselect")
  await draw()
  assert.deepEqual(lasts("selection").at(-1), null)
  assert.ok(!("selectedpoints" in plotly.drawn[1].traces[0]))
})

test("an event without a selection reports nothing", async () => {
  await draw()
  node.emit("plotly_selected", undefined)
  assert.deepEqual(reports, [])
})

test("a point that is not among the rows is left out", async () => {
  await draw()
  click(7)
  assert.deepEqual(lasts("selection").at(-1).rows, [])
})

test("what is selected while newer data waits belongs to the version that is drawn", async () => {
  await draw()
  render(mapData({ version: "v2", rows: [20, 21, 22] }))
  click(1)
  assert.deepEqual(lasts("selection"), [{ version: "v1", rows: [11], box: [], lasso: [] }])
})

// -- moving ---------------------------------------------------------------------------------------------------

test("where a sampled map was moved is reported once it has come to rest", async () => {
  await draw({ partly: true })
  moveTo([1, 3])
  passes(200)
  moveTo([2, 3])
  passes(249)
  assert.deepEqual(reports, [])
  passes(1)
  assert.deepEqual(reports, [{ seen: { look: 1, box: [2, 2, 3, 3] } }])
})

test("a map that is back where it was, or draws all points, reports nothing", async () => {
  await draw({ partly: true })
  moveTo([0, 4])
  passes(250)
  await draw({ partly: false })
  moveTo([1, 2])
  passes(250)
  assert.deepEqual(reports, [])
})

test("a move that the server's next look has overtaken is not reported", async () => {
  await draw({ partly: true })
  moveTo([1, 2])
  await draw({ partly: true, look: 2, range: [3, 4] })
  passes(250)
  assert.deepEqual(reports, [])
})

test("a layout without a range of an axis is drawn and reports no place", async () => {
  const data = mapData({ partly: true })
  delete data.figure.layout.yaxis
  render(data)
  await arrive()
  assert.equal(node.textContent, "")
  node.layout.xaxis = {}
  node.emit("plotly_relayout", {})
  passes(250)
  assert.deepEqual(reports, [])
  moveTo([1, 2])
  passes(250)
  node.layout.yaxis = {}
  node.emit("plotly_relayout", {})
  passes(250)
  assert.deepEqual(reports, [{ seen: { look: 1, box: [1, 1, 2, 2] } }])
})

// -- leaving --------------------------------------------------------------------------------------------------

test("an unmounted map is purged, and reports nothing that was about to be", async () => {
  await draw({ partly: true })
  moveTo([1, 2])
  unmount()
  passes(1000)
  assert.equal(plotly.purges, 1)
  assert.equal(observers.size, 0)
  assert.deepEqual(reports, [])
})

test("a map that is mounted again on the same place is drawn and reports", async () => {
  await draw()
  unmount()
  await draw({ partly: true })
  assert.equal(plotly.drawn.length, 2)
  assert.equal(observers.size, 1)
  click(2)
  moveTo([1, 2])
  passes(250)
  assert.deepEqual(lasts("selection").map(({ rows }) => rows), [[12]])
  assert.equal(lasts("seen").length, 1)
})

test("a map that is unmounted while Plotly loads draws nothing", async () => {
  render(mapData())
  await settled()
  unmount()
  await arrive()
  assert.deepEqual(plotly.drawn, [])
  assert.equal(observers.size, 0)
})

test("a map that is unmounted before a failure says nothing", async () => {
  render(mapData())
  await settled()
  unmount()
  script().onerror()
  await settled()
  assert.equal(node.textContent, "")
})

test("a map that is unmounted while Plotly draws is purged and listens to nothing", async () => {
  plotly.pause()
  await draw()
  unmount()
  plotly.resume()
  await settled()
  assert.equal(plotly.purges, 1)
  assert.equal(observers.size, 0)
  assert.equal(node.textContent, "")
})

test("a map that was unmounted while Plotly drew leaves the next one on its place alone", async () => {
  plotly.pause()
  await draw()
  unmount()
  await draw()
  plotly.resume()
  await settled()
  click(1)
  assert.equal(plotly.purges, 1)
  assert.equal(observers.size, 1)
  assert.deepEqual(lasts("selection").map(({ rows }) => rows), [[11]])
})

test("ending a call that a newer one has replaced leaves the map as it is", async () => {
  await draw()
  const superseded = unmount
  await draw()
  superseded()
  assert.equal(plotly.purges, 0)
  click(1)
  assert.deepEqual(lasts("selection").map(({ rows }) => rows), [[11]])
})

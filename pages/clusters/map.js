// The map, drawn by Plotly. It stays where it is while colours change: only what is new is drawn again.
//
// It tells what is selected (rows that were clicked, boxes, lassos) and, where not all points are drawn, the part that
// is looked at, so that more of its points can be sent. `look` is another one when the server asks for another part.

const SETTLED_MS = 250
const CONFIG = {
  displaylogo: false,
  scrollZoom: true,
  modeBarButtons: [["lasso2d", "select2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
}
const scripts = new Map()

function plotly(path) {
  // Pages are one level deep, so a path relative to the page is relative to the server's base.
  const url = new URL(path, document.baseURI).href
  if (!scripts.has(url))
    scripts.set(
      url,
      new Promise((done, failed) => {
        const script = document.createElement("script")
        script.src = url
        script.onload = () => done(window.Plotly)
        script.onerror = () => {
          scripts.delete(url)
          script.remove()
          failed(new Error("The map cannot be drawn: a part of the page did not arrive. Load the page again."))
        }
        document.head.append(script)
      }),
    )
  return scripts.get(url)
}

function corners(path) {
  const points = path.replace(/Z$/, "").slice(1).split("L").map((point) => point.split(",").map(Number))
  return { x: points.map(([x]) => x), y: points.map(([, y]) => y) }
}

class Board {
  constructor(node) {
    this.node = node
    this.drawing = Promise.resolve()
    this.size = new ResizeObserver(() => this.drawn && this.plotly.Plots.resize(node))
  }

  update(data, set) {
    this.set = set
    this.data = data
    this.drawing = this.drawing.then(() => this.draw(data))
    return this.drawing
  }

  async draw(data) {
    if (data !== this.data) return // a newer one waits
    this.plotly = await plotly(data.plotly)
    await this.plotly.react(this.node, data.figure.data, this.layout(data), CONFIG)
    this.rows = data.rows
    if (this.drawn) return
    this.drawn = true
    this.node.on("plotly_selected", (event) => event && this.select(event))
    this.node.on("plotly_deselect", () => this.set("selection", null))
    this.node.on("plotly_relayout", () => this.look())
    this.size.observe(this.node)
  }

  layout({ figure, look }) {
    const css = getComputedStyle(this.node)
    const colour = (name) => css.getPropertyValue(`--st-${name}`).trim()
    return {
      ...figure.layout,
      uirevision: look,
      selectionrevision: look,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: colour("font"), color: colour("text-color") },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("text-color"), activecolor: colour("primary-color") },
      newselection: { line: { color: colour("primary-color"), width: 2 } },
      hoverlabel: { bgcolor: colour("text-color"), font: { color: colour("background-color") } },
    }
  }

  select({ points }) {
    const areas = this.node.layout.selections ?? []
    const rows = areas.length ? [] : points.filter((p) => p.curveNumber === 0).map((p) => this.rows[p.pointNumber])
    this.set("selection", {
      version: this.data.version,
      rows: rows.filter((row) => row !== undefined),
      box: areas.filter(({ type }) => type === "rect").map(({ x0, y0, x1, y1 }) => ({ x: [x0, x1], y: [y0, y1] })),
      lasso: areas.filter(({ type }) => type === "path").map(({ path }) => corners(path)),
    })
  }

  look() {
    if (!this.data.partly) return
    clearTimeout(this.settling)
    this.settling = setTimeout(() => {
      const { xaxis, yaxis } = this.node.layout
      const seen = [xaxis.range[0], yaxis.range[0], xaxis.range[1], yaxis.range[1]]
      if (String(seen) === String(this.seen)) return
      this.seen = seen
      this.set("seen", { look: this.data.look, box: seen })
    }, SETTLED_MS)
  }

  leave() {
    clearTimeout(this.settling)
    this.size.disconnect()
    if (this.drawn) this.plotly.purge(this.node)
  }
}

const boards = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  const node = parentElement.querySelector(".map")
  if (!boards.has(node)) boards.set(node, new Board(node))
  const board = boards.get(node)
  board.update(data, setStateValue).catch((error) => {
    node.textContent = error.message
  })
  return () => board.leave()
}

// The map, drawn by Plotly. Its view stays while colours change: only what is new is redrawn.
//
// It reports what is selected (clicked rows, boxes, lassos) and, if not all points are drawn, the visible part, so that
// more of its points can be sent. The server sends another number as `look` to show another part.

const SETTLED_MS = 250
const LABEL_ALPHA = "b8" // of a name's background, as the alpha of a hex colour
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
      new Promise((resolve, reject) => {
        const script = document.createElement("script")
        script.src = url
        script.onload = () => resolve(window.Plotly)
        script.onerror = () => {
          scripts.delete(url)
          script.remove()
          reject(new Error("The map cannot be drawn: a part of the page did not arrive. Load the page again."))
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

class PlotlyMap {
  constructor(node) {
    this.node = node
    this.drawing = Promise.resolve()
    this.clicked = [] // rows
    this.resizing = new ResizeObserver(() => this.plotly.Plots.resize(node))
  }

  update(data, report) {
    this.report = report
    this.data = data
    this.drawing = this.drawing
      .then(() => this.draw(data))
      .catch(({ message }) => this.data && (this.node.textContent = message))
  }

  async draw(data) {
    if (data !== this.data) return // a newer one is queued, or the map is gone
    const loaded = await plotly(data.plotly)
    if (data !== this.data) return
    this.plotly = loaded
    if (!this.shown) this.node.replaceChildren() // an error message
    await this.plotly.react(this.node, this.traces(data), this.layout(data), CONFIG)
    if (!this.data) return
    const before = this.shown
    this.shown = data // what events of the drawing refer to
    if (before?.look !== data.look) this.seen = this.range()
    if (!before) this.listen()
  }

  listen() {
    this.node.on("plotly_selected", (event) => event && this.select(event))
    this.node.on("plotly_deselect", () => {
      this.clicked = []
      this.report("selection", null)
    })
    this.node.on("plotly_relayout", () => this.reportRange())
    this.resizing.observe(this.node)
  }

  traces({ figure, rows }) {
    const [points, ...others] = figure.data
    const clicked = this.clicked.map((row) => rows.indexOf(row)).filter((index) => index >= 0)
    return [clicked.length ? { ...points, selectedpoints: clicked } : points, ...others]
  }

  layout({ figure, look }) {
    const css = getComputedStyle(this.node)
    const colour = (name) => css.getPropertyValue(`--st-${name}`).trim()
    const background = colour("background-color")
    const labels = figure.layout.annotations.map((label) => ({ ...label, bgcolor: `${background}${LABEL_ALPHA}` }))
    return {
      ...figure.layout,
      annotations: labels,
      uirevision: look,
      selections: this.node.layout?.selections ?? [],
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: colour("font"), color: colour("text-color") },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("text-color"), activecolor: colour("primary-color") },
      newselection: { line: { color: colour("primary-color"), width: 2 } },
      hoverlabel: { bgcolor: colour("text-color"), font: { color: background } },
    }
  }

  select({ points }) {
    const drawn = this.node.layout.selections ?? []
    const boxes = drawn.filter(({ type }) => type === "rect").map(({ x0, y0, x1, y1 }) => ({ x: [x0, x1], y: [y0, y1] }))
    const paths = drawn.filter(({ type }) => type === "path").map(({ path }) => corners(path))
    const lassos = paths.filter(({ x }) => x.length > 2) // a click is a path with a single corner
    const { version, rows } = this.shown
    const onPoints = points.filter(({ curveNumber, pointNumber }) => curveNumber === 0 && pointNumber in rows)
    this.clicked = boxes.length || lassos.length ? [] : onPoints.map(({ pointNumber }) => rows[pointNumber])
    this.report("selection", { version, rows: this.clicked, box: boxes, lasso: lassos })
  }

  reportRange() {
    if (!this.shown.partly) return
    clearTimeout(this.settling)
    this.settling = setTimeout(() => {
      const seen = this.range()
      if (!seen || String(seen) === String(this.seen)) return
      this.seen = seen
      this.report("seen", { look: this.shown.look, box: seen })
    }, SETTLED_MS)
  }

  range() {
    // The visible part, [x0, y0, x1, y1]; null as long as Plotly has none.
    const [x, y] = [this.node.layout.xaxis?.range, this.node.layout.yaxis?.range]
    return x && y ? [x[0], y[0], x[1], y[1]] : null
  }

  destroy() {
    this.data = null
    clearTimeout(this.settling)
    this.resizing.disconnect()
    this.plotly?.purge(this.node)
  }
}

const maps = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  const node = parentElement.querySelector(".map")
  if (!maps.has(node)) maps.set(node, new PlotlyMap(node))
  const map = maps.get(node)
  map.update(data, setStateValue)
  map.unmount = () => {
    map.destroy()
    maps.delete(node)
  }
  // Streamlit also ends a call that a newer one has overtaken, while the map goes on.
  const { unmount } = map
  return () => map.unmount === unmount && unmount()
}

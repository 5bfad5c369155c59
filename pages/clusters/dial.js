// The thresholds: a curve of what every threshold gives, a slider beneath it on the same scale, and numbers to type.
//
// What a person sets is shown at once and sent to the server, one message at a time: while an answer is awaited only the
// latest value is kept. Every value has a number; `heard` is the last one that the server has taken in, and until it has
// taken in a value, what it says of it is old and is not shown. `session` tells two servers apart: a new one is told
// again what the old one never answered.

const SVG = "http://www.w3.org/2000/svg"
const PATIENCE_MS = 3000 // after which the latest value is sent although the last was not answered

const near = (value, digits) => Number(value.toFixed(digits))

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  return node
}

class Asking {
  // What was asked of the server and not yet heard by it.
  constructor(heard) {
    this.count = Math.max(...Object.values(heard))
    this.open = {} // by name: [number, value]
    this.awaited = 0
  }

  ask(name, value) {
    this.open[name] = [++this.count, value]
    if (!this.awaited || Date.now() - this.since > PATIENCE_MS) this.send()
  }

  send() {
    this.awaited = this.count
    this.since = Date.now()
    this.tell({ session: this.session, ...this.open })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => Object.keys(this.open).length && this.send(), PATIENCE_MS)
  }

  hear(session, heard) {
    if (session !== this.session) {
      this.session = session
      this.awaited = 0
      for (const name of Object.keys(this.open)) this.open[name][0] = ++this.count
    }
    for (const [name, number] of Object.entries(heard)) {
      if (this.open[name] && this.open[name][0] <= number) delete this.open[name]
      if (number >= this.awaited) this.awaited = 0
    }
    const newest = Math.max(0, ...Object.values(this.open).map(([number]) => number))
    if (!newest) clearTimeout(this.timer)
    else if (!this.awaited) this.send()
  }
}

class Dial {
  constructor(root, data) {
    const at = (name) => root.querySelector(`.${name}`)
    this.frame = at("dial")
    this.slider = at("slider")
    this.numbers = { threshold: at("exact"), smallest: at("smallest") }
    this.plot = at("plot")
    this.drawing = at("drawing")
    this.steady = at("steady")
    this.tip = at("tip")
    this.asking = new Asking(data.heard)
    this.root = root
    this.slider.oninput = () => this.set("threshold", near(Number(this.slider.value), 3))
    for (const [name, field] of Object.entries(this.numbers)) this.listen(name, field)
    this.plot.onpointerdown = (event) => this.drag(event)
    this.plot.onpointermove = (event) => this.point(event)
    this.plot.onpointerleave = () => (this.tip.hidden = true)
  }

  listen(name, field) {
    field.oninput = () => (field.dataset.typing = "yes")
    field.onchange = () => {
      delete field.dataset.typing
      const value = Number(field.value)
      const fits = field.value !== "" && !field.validity.rangeUnderflow && !field.validity.rangeOverflow
      field.setCustomValidity(fits ? "" : `A number from ${field.min} to ${field.max}`)
      if (fits) this.set(name, name === "smallest" ? Math.round(value) : value)
      else field.reportValidity()
    }
    field.onblur = () => {
      delete field.dataset.typing
      field.setCustomValidity("")
      this.show()
    }
    field.onkeydown = (event) => {
      if (event.key !== "Escape") return
      delete field.dataset.typing
      this.show()
    }
  }

  set(name, value) {
    this.asking.ask(name, value)
    this.show()
  }

  value(name) {
    return this.asking.open[name] ? this.asking.open[name][1] : this.data[name]
  }

  update(data, tell) {
    this.asking.tell = tell
    const drawn = JSON.stringify([data.curve, data.plateaus, data.published])
    this.data = data
    if (drawn !== this.drawn) this.draw(data)
    this.drawn = drawn
    this.slider.min = data.lowest
    this.asking.hear(data.session, data.heard)
    this.show()
  }

  // -- what it shows ------------------------------------------------------------------------------------------

  show() {
    const threshold = this.value("threshold")
    this.slider.value = threshold
    this.slider.setAttribute("aria-valuetext", threshold.toFixed(3))
    for (const [name, field] of Object.entries(this.numbers)) {
      if (!field.dataset.typing) field.value = near(this.value(name), 6)
    }
    if (this.mark) this.mark.style.left = `${100 * this.place(threshold)}%`
    this.frame.setAttribute("aria-busy", Object.keys(this.asking.open).length > 0)
  }

  place(threshold) {
    const { lowest } = this.data
    return Math.min(1, Math.max(0, (threshold - lowest) / (1 - lowest)))
  }

  draw({ curve, plateaus, published }) {
    this.drawing.replaceChildren()
    this.steady.replaceChildren()
    this.plot.hidden = !curve
    if (!curve) return
    const most = Math.max(1, ...curve.groups)
    const lines = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" })
    for (const { lowest, highest } of plateaus) {
      const x = 1000 * this.place(lowest)
      lines.append(svg("rect", { class: "plateau", x, y: 0, width: 1000 * this.place(highest) - x, height: 100 }))
    }
    const path = (values, highest) =>
      values.map((value, i) => `${i ? "L" : "M"}${1000 * this.place(curve.at[i])} ${100 - (100 * value) / highest}`).join("")
    lines.append(svg("path", { class: "share", d: path(curve.share, 100) }))
    lines.append(svg("path", { class: "groups", d: path(curve.groups, most) }))
    this.mark = this.line("mark", this.value("threshold"))
    this.drawing.append(lines, this.mark)
    if (published !== null) this.drawing.append(this.line("published", published, "published"))
    this.drawing.append(...this.scale(most))
    for (const plateau of plateaus) this.steady.append(this.button(plateau))
  }

  line(name, threshold, text = "") {
    const node = document.createElement("span")
    node.className = `line ${name}`
    node.textContent = text
    node.style.left = `${100 * this.place(threshold)}%`
    if (this.place(threshold) > 0.5) node.classList.add("right")
    return node
  }

  scale(most) {
    return [["left", String(most)], ["right", "100 %"]].map(([side, text]) => {
      const node = document.createElement("span")
      node.className = `scale ${side}`
      node.textContent = text
      return node
    })
  }

  button({ threshold, reason }) {
    const node = document.createElement("button")
    node.type = "button"
    node.textContent = threshold.toFixed(3)
    node.title = `A steady threshold: ${reason}`
    node.setAttribute("aria-label", `Steady threshold ${threshold.toFixed(3)}`)
    node.onclick = () => this.set("threshold", threshold)
    return node
  }

  // -- the curve can be clicked and dragged ----------------------------------------------------------------------

  under(event) {
    const box = this.drawing.getBoundingClientRect()
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
    return near(this.data.lowest + share * (1 - this.data.lowest), 3)
  }

  drag(event) {
    if (event.button) return
    this.plot.setPointerCapture(event.pointerId)
    this.set("threshold", this.under(event))
  }

  point(event) {
    if (event.buttons & 1 && this.plot.hasPointerCapture(event.pointerId)) this.set("threshold", this.under(event))
    const { at, groups, share } = this.data.curve
    const wanted = this.under(event)
    const i = at.reduce((best, value, j) => (Math.abs(value - wanted) < Math.abs(at[best] - wanted) ? j : best), 0)
    this.tip.textContent = `${at[i].toFixed(3)}: ${groups[i]} clusters, ${share[i].toFixed(0)} % of the pictures in them`
    this.tip.style.left = `${100 * this.place(at[i])}%`
    this.tip.classList.toggle("right", this.place(at[i]) > 0.5)
    this.tip.hidden = false
  }
}

const dials = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  if (!dials.has(parentElement)) dials.set(parentElement, new Dial(parentElement, data))
  const dial = dials.get(parentElement)
  dial.update(data, (asked) => setStateValue("asked", asked))
  return () => {
    clearTimeout(dial.asking.timer)
    dials.delete(parentElement)
  }
}

// The thresholds: a curve of clusters per threshold, a slider below it on the same scale, and number inputs.
//
// A new value is shown at once and sent to the server, one message at a time: while one is unacknowledged, only the
// latest value of each control is stored. Every value has a number; `heard` holds the last number that the server has
// received for each control. Until a value is acknowledged, the server's value is outdated and not shown. `session`
// identifies the server: a new one is sent again what the old one never acknowledged.

const SVG = "http://www.w3.org/2000/svg"
const RESEND_MS = 3000 // after which the latest values are sent although the last message was not acknowledged

const round = (value, digits) => Number(value.toFixed(digits))

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  return node
}

class Outbox {
  // The values that the server has not acknowledged yet.
  constructor(heard) {
    this.count = Math.max(...Object.values(heard))
    this.pending = {} // by name: [number, value]
    this.inFlight = 0 // the highest number of the last message, 0 once it is acknowledged
  }

  put(name, value) {
    this.pending[name] = [++this.count, value]
    if (!this.inFlight || Date.now() - this.sentAt > RESEND_MS) this.flush()
  }

  flush() {
    this.inFlight = this.count
    this.sentAt = Date.now()
    this.send({ session: this.session, ...this.pending })
    clearTimeout(this.timer)
    this.timer = setTimeout(() => Object.keys(this.pending).length && this.flush(), RESEND_MS)
  }

  acknowledge(session, heard) {
    if (session !== this.session) {
      this.session = session
      this.inFlight = 0
      for (const name of Object.keys(this.pending)) this.pending[name][0] = ++this.count
    }
    for (const [name, number] of Object.entries(heard)) {
      if (this.pending[name] && this.pending[name][0] <= number) delete this.pending[name]
      if (number >= this.inFlight) this.inFlight = 0
    }
    const newest = Math.max(0, ...Object.values(this.pending).map(([number]) => number))
    if (!newest) clearTimeout(this.timer)
    else if (!this.inFlight) this.flush()
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
    this.outbox = new Outbox(data.heard)
    this.mounted = new AbortController()
    this.listen(this.slider, "input", () => this.set("threshold", round(Number(this.slider.value), 3)))
    for (const [name, field] of Object.entries(this.numbers)) this.bindField(name, field)
    this.listen(this.plot, "pointerdown", (event) => this.drag(event))
    this.listen(this.plot, "pointermove", (event) => this.hover(event))
    this.listen(this.plot, "pointerleave", () => (this.tip.hidden = true))
  }

  listen(node, event, listener) {
    node.addEventListener(event, listener, { signal: this.mounted.signal })
  }

  destroy() {
    this.mounted.abort()
    clearTimeout(this.outbox.timer)
  }

  bindField(name, field) {
    const kind = name === "smallest" ? "whole number" : "number"
    this.listen(field, "input", () => (field.dataset.typing = "yes"))
    this.listen(field, "change", () => {
      delete field.dataset.typing
      const value = Number(field.value)
      const inRange = field.value !== "" && !field.validity.rangeUnderflow && !field.validity.rangeOverflow
      const fits = inRange && (kind === "number" || Number.isInteger(value))
      field.setCustomValidity(fits ? "" : `A ${kind} from ${field.min} to ${field.max}`)
      if (fits) this.set(name, value)
      else field.reportValidity()
    })
    this.listen(field, "blur", () => {
      delete field.dataset.typing
      field.setCustomValidity("")
      this.show()
    })
    this.listen(field, "keydown", (event) => {
      if (event.key !== "Escape") return
      delete field.dataset.typing
      this.show()
    })
  }

  set(name, value) {
    this.outbox.put(name, value)
    this.show()
  }

  value(name) {
    return this.outbox.pending[name] ? this.outbox.pending[name][1] : this.data[name]
  }

  update(data, send) {
    this.outbox.send = send
    const drawn = JSON.stringify([data.curve, data.plateaus, data.published])
    this.data = data
    if (drawn !== this.drawn) this.draw(data)
    this.drawn = drawn
    this.slider.min = data.lowest
    this.outbox.acknowledge(data.session, data.heard)
    this.show()
  }

  // -- drawing -----------------------------------------------------------------------------------------------

  show() {
    const threshold = this.value("threshold")
    this.slider.value = threshold
    this.slider.setAttribute("aria-valuetext", threshold.toFixed(3))
    for (const [name, field] of Object.entries(this.numbers)) {
      if (!field.dataset.typing) field.value = round(this.value(name), 6)
    }
    if (this.mark) this.mark.style.left = `${100 * this.position(threshold)}%`
    this.frame.setAttribute("aria-busy", Object.keys(this.outbox.pending).length > 0)
  }

  position(threshold) {
    const { lowest } = this.data
    return lowest < 1 ? Math.min(1, Math.max(0, (threshold - lowest) / (1 - lowest))) : 0
  }

  draw({ curve, plateaus, published }) {
    this.drawing.replaceChildren()
    this.steady.replaceChildren()
    this.plot.hidden = !curve
    if (!curve) return
    const maximum = Math.max(1, ...curve.groups)
    const lines = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" })
    for (const { lowest, highest } of plateaus) {
      const x = 1000 * this.position(lowest)
      lines.append(svg("rect", { class: "plateau", x, y: 0, width: 1000 * this.position(highest) - x, height: 100 }))
    }
    const path = (values, highest) =>
      values.map((value, i) => `${i ? "L" : "M"}${1000 * this.position(curve.at[i])} ${100 - (100 * value) / highest}`).join("")
    lines.append(svg("path", { class: "share", d: path(curve.share, 100) }))
    lines.append(svg("path", { class: "groups", d: path(curve.groups, maximum) }))
    this.mark = this.line("mark", this.value("threshold"))
    this.drawing.append(lines, this.mark)
    if (published !== null) this.drawing.append(this.line("published", published, "published"))
    this.drawing.append(...this.scale(maximum))
    for (const plateau of plateaus) this.steady.append(this.button(plateau))
  }

  line(name, threshold, text = "") {
    const node = document.createElement("span")
    node.className = `line ${name}`
    node.textContent = text
    node.style.left = `${100 * this.position(threshold)}%`
    if (this.position(threshold) > 0.5) node.classList.add("right")
    return node
  }

  scale(maximum) {
    return [["left", String(maximum)], ["right", "100 %"]].map(([side, text]) => {
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
    node.title = `A stable threshold: ${reason}`
    node.setAttribute("aria-label", `Stable threshold ${threshold.toFixed(3)}`)
    this.listen(node, "click", () => this.set("threshold", threshold))
    return node
  }

  // -- clicking and dragging on the curve -------------------------------------------------------------------------

  thresholdAt(event) {
    const box = this.drawing.getBoundingClientRect()
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
    return round(this.data.lowest + share * (1 - this.data.lowest), 3)
  }

  drag(event) {
    if (event.button) return
    this.plot.setPointerCapture(event.pointerId)
    this.set("threshold", this.thresholdAt(event))
  }

  hover(event) {
    if (!this.data.curve) return
    if (event.buttons & 1 && this.plot.hasPointerCapture(event.pointerId)) this.set("threshold", this.thresholdAt(event))
    const { at, groups, share } = this.data.curve
    const target = this.thresholdAt(event)
    const i = at.reduce((best, value, j) => (Math.abs(value - target) < Math.abs(at[best] - target) ? j : best), 0)
    this.tip.textContent = `${at[i].toFixed(3)}: ${groups[i]} clusters, ${share[i].toFixed(0)} % of pictures clustered`
    this.tip.style.left = `${100 * this.position(at[i])}%`
    this.tip.classList.toggle("right", this.position(at[i]) > 0.5)
    this.tip.hidden = false
  }
}

const dials = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  if (!dials.has(parentElement)) dials.set(parentElement, new Dial(parentElement, data))
  const dial = dials.get(parentElement)
  dial.update(data, (message) => setStateValue("asked", message))
  dial.unmount = () => {
    dial.destroy()
    dials.delete(parentElement)
  }
  // Streamlit also ends a call that a newer one has overtaken, while the dial goes on.
  const { unmount } = dial
  return () => dial.unmount === unmount && unmount()
}

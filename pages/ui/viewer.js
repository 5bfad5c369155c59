// One picture at a time, and the way to the ones before and after it. A move is shown at once, and the page hears of it
// when the person has stopped moving.

const REPORT_MS = 150
const SWIPE_PX = 40
const STEPS = { ArrowLeft: -1, ArrowRight: 1, k: -1, K: -1, j: 1, J: 1 }

function element(tag, className, label, text = "") {
  const node = document.createElement(tag)
  node.className = className
  node.textContent = text
  if (label) node.setAttribute("aria-label", label)
  if (tag === "button") node.type = "button"
  return node
}

function build(place) {
  const parts = {
    stage: element("div", "stage"),
    zoom: element("button", "zoom", "Full size"),
    image: element("img", "picture"),
    previous: element("button", "step previous", "Previous picture", "‹"),
    next: element("button", "step next", "Next picture", "›"),
    position: element("p", "position"),
    full: element("dialog", "full", "Full size"),
    whole: element("img", "whole"),
    close: element("button", "close", "Close full size", "×"),
  }
  parts.position.setAttribute("aria-live", "polite")
  parts.zoom.append(parts.image)
  parts.full.append(parts.whole, parts.close)
  parts.stage.append(parts.previous, parts.zoom, parts.next)
  place.replaceChildren(parts.stage, parts.position, parts.full)
  return parts
}

// The addresses of a picture, the best first; pages are one level deep, so they are relative to the server's base.
function addresses(base, id, kinds) {
  return kinds.map((kind) => new URL(`${base}/${id}/${kind}`, document.baseURI).href)
}

// Shows the first address that loads, unless the image shows another picture meanwhile.
function load(image, sources, id) {
  image.dataset.id = id
  const attempt = (position) => {
    if (position >= sources.length) return
    image.onerror = () => { if (image.dataset.id === id) attempt(position + 1) }
    image.src = sources[position]
  }
  attempt(0)
}

class Viewer {
  constructor(place) {
    this.parts = build(place)
    this.ids = []
    this.id = ""
    this.heard = (event) => this.press(event)
    const { stage, zoom, previous, next, full, close } = this.parts
    previous.onclick = () => this.move(-1)
    next.onclick = () => this.move(1)
    zoom.onclick = () => this.showFull()
    close.onclick = () => full.close()
    full.onkeydown = (event) => { if (event.key === "Escape") event.stopPropagation() } // closes this dialog alone
    full.onclose = () => zoom.focus()
    stage.ontouchstart = (event) => { this.touched = event.changedTouches[0].clientX }
    stage.ontouchend = (event) => this.swipe(event.changedTouches[0].clientX)
  }

  get index() { return this.ids.indexOf(this.id) }

  update(data, report) {
    Object.assign(this, { base: data.base, ids: data.ids, first: data.first, total: data.total, report })
    const moving = this.timer !== undefined && this.ids.includes(this.id)
    if (!moving) this.id = data.current
    if (this.id === data.current) this.title = data.title
    this.show()
  }

  move(step) {
    const id = this.ids[this.index + step]
    if (id === undefined) return false
    this.id = id
    this.title = ""
    this.show()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.report(id)
    }, REPORT_MS)
    return true
  }

  show() {
    const { image, previous, next, position } = this.parts
    const place = `${this.first + this.index} of ${this.total}`
    image.alt = this.title || `Picture ${place}`
    if (image.dataset.id !== this.id) {
      load(image, addresses(this.base, this.id, ["view", "thumbnail"]), this.id)
      for (const near of [this.ids[this.index + 1], this.ids[this.index - 1]])
        if (near) new Image().src = addresses(this.base, near, ["view"])[0]
    }
    previous.disabled = this.index <= 0
    next.disabled = this.index >= this.ids.length - 1
    previous.hidden = next.hidden = this.total < 2
    position.textContent = this.total > 1 ? place : ""
  }

  showFull() {
    const { full, whole, image } = this.parts
    whole.alt = image.alt
    load(whole, addresses(this.base, this.id, ["original", "view", "thumbnail"]), this.id)
    full.showModal()
  }

  swipe(x) {
    const way = x - this.touched
    if (Math.abs(way) >= SWIPE_PX) this.move(way < 0 ? 1 : -1)
  }

  // Hears the keys of this dialog alone, each once, however often the page runs.
  listen(dialog) {
    if (this.dialog === dialog) return
    this.dialog?.removeEventListener("keydown", this.heard)
    dialog?.addEventListener("keydown", this.heard)
    this.dialog = dialog
  }

  press(event) {
    const step = STEPS[event.key]
    const inField = event.composedPath()[0].closest?.("input, textarea, [contenteditable]")
    if (!step || inField || event.ctrlKey || event.metaKey || event.altKey || this.parts.full.open) return
    if (this.move(step)) event.preventDefault()
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".viewer")
  if (!place) return
  place.viewer ??= new Viewer(place)
  const { viewer } = place
  viewer.update(data, (id) => setTriggerValue("moved", id))
  const dialog = (parentElement.getRootNode().host ?? parentElement).closest('[role="dialog"]') ?? parentElement
  viewer.listen(dialog)
  return () => viewer.listen(null)
}

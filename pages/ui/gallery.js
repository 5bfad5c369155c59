// Builds the frames of a contact sheet and reports what a person does with them.
// Texts are set with textContent and setAttribute only: nothing from outside is parsed as HTML.

function element(tag, className, text) {
  const node = document.createElement(tag)
  node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

function showPlaceholder(mat, title) {
  mat.classList.add("missing")
  mat.replaceChildren(element("span", "missing-title", title))
}

function picture(frame) {
  const mat = element("span", "mat")
  const image = element("img", "")
  image.alt = frame.title
  image.loading = "lazy"
  image.decoding = "async"
  image.onerror = () => showPlaceholder(mat, frame.title)
  // Pages are one level deep, so a path relative to the page is relative to the server's base.
  image.src = new URL(frame.url, document.baseURI).href
  mat.append(image)
  if (frame.folded) {
    const badge = element("span", "folded", `+${frame.folded}`)
    badge.title = `${frame.folded} more ${frame.folded === 1 ? "picture looks" : "pictures look"} the same`
    mat.append(badge)
  }
  return mat
}

// A title, or the pieces of it of which every second one is marked.
function title(frame) {
  const node = element("span", "title", frame.pieces ? undefined : frame.title)
  frame.pieces?.forEach((piece, at) => node.append(at % 2 ? element("mark", "", piece) : piece))
  return node
}

// What stands between the pictures before and those after it.
function divider(text) {
  const line = element("div", "divider", text)
  line.setAttribute("role", "listitem")
  return line
}

function caption(frame) {
  const line = element("span", "caption")
  line.append(element("span", "number", String(frame.number)), title(frame))
  if (frame.similarity) {
    const score = element("span", "similarity", frame.similarity)
    score.title = "Cosine similarity"
    line.append(score)
  }
  return line
}

function tick(frame, picks) {
  const box = element("input", "pick")
  box.type = "checkbox"
  box.setAttribute("aria-label", `Select ${frame.title}`)
  box.onclick = (event) => picks.set(frame.id, box.checked, event.shiftKey)
  return box
}

const THUMB = "M2 20h2V9H2v11zm20-10c0-1.1-.9-2-2-2h-5.5l.9-4.3v-.3c0-.4-.2-.8-.4-1.1L13.8 1.3 7.6 7.5C7.2 7.9 7 8.4 7 9v9c0 1.1.9 2 2 2h8.5c.8 0 1.5-.5 1.8-1.2l2.6-6.1c.1-.2.1-.5.1-.7v-2z"
const SVG = "http://www.w3.org/2000/svg"
const MAX_CLICKS = 200

function icon(path) {
  const drawing = document.createElementNS(SVG, "svg")
  drawing.setAttribute("viewBox", "0 0 24 24")
  drawing.setAttribute("aria-hidden", "true")
  const line = document.createElementNS(SVG, "path")
  line.setAttribute("d", path)
  drawing.append(line)
  return drawing
}

function thumbs(frame, judge) {
  const pair = element("div", "thumbs")
  for (const [which, what] of [["up", "Good result"], ["down", "Bad result"]]) {
    const button = element("button", `thumb ${which}`)
    button.type = "button"
    button.dataset.which = which
    button.title = `${what}; click again to take it back`
    button.setAttribute("aria-label", `${what}: ${frame.title}`)
    button.setAttribute("aria-pressed", "false")
    button.append(icon(THUMB))
    button.onclick = () => judge(frame.id, button.getAttribute("aria-pressed") === "true" ? "" : which)
    pair.append(button)
  }
  return pair
}

function showThumbs(sheet, data) {
  // What was clicked here and is not acknowledged yet outweighs what the server says, which may be older than the click.
  const chosen = new Map(Object.entries(data.thumbs).map(([id, up]) => [id, up ? "up" : "down"]))
  for (const [number, id, which] of clicksOf(sheet)) if (number > data.acknowledged) chosen.set(id, which)
  for (const button of sheet.querySelectorAll(".thumb")) {
    const id = button.closest(".frame").dataset.id
    button.setAttribute("aria-pressed", String(chosen.get(id) === button.dataset.which))
  }
}

function clicksOf(sheet) {
  return JSON.parse(sheet.dataset.clicks || "[]")
}

function judging(sheet, data, setStateValue) {
  return (id, which) => {
    const before = clicksOf(sheet)
    const number = Math.max(Date.now(), (before.at(-1)?.[0] ?? 0) + 1)
    const clicks = [...before, [number, id, which]].slice(-MAX_CLICKS)
    sheet.dataset.clicks = JSON.stringify(clicks)
    showThumbs(sheet, data)
    setStateValue("clicks", clicks)
  }
}

function build(frame, sheet, data, picks, judge) {
  const item = element("div", "frame")
  item.setAttribute("role", "listitem")
  item.dataset.id = frame.id
  const open = element("button", "open")
  open.type = "button"
  open.title = frame.title
  open.append(picture(frame), caption(frame))
  if (frame.credit) open.append(element("span", "credit", frame.credit))
  if (frame.reason) open.append(element("span", "reason", frame.reason))
  open.onclick = (event) => {
    if (sheet.dataset.pick === "select") picks.set(frame.id, !picks.has(frame.id), event.shiftKey)
    else sheet.report("opened", frame.id)
  }
  if (frame.suggested) open.classList.add("suggested")
  item.append(open)
  if (data.pick) item.append(tick(frame, picks))
  if (data.thumbs) item.append(thumbs(frame, judge))
  if (!data.cards) {
    const similar = element("button", "similar", "More like this")
    similar.type = "button"
    similar.setAttribute("aria-label", `More like ${frame.title}`)
    similar.onclick = () => sheet.report("similar", frame.id)
    item.append(similar)
  }
  return item
}

// What is picked of a sheet, by the ids of its pictures; every change is reported and shown at once.
class Picks {
  constructor(sheet) {
    this.sheet = sheet
    this.picked = new Set()
  }

  get ids() { return [...this.sheet.querySelectorAll(".frame")].map((item) => item.dataset.id) }

  has(id) { return this.picked.has(id) }

  // With `range`, also all between this picture and the one that was set last.
  set(id, on, range = false) {
    const { ids } = this
    const [from, to] = [ids.indexOf(this.last), ids.indexOf(id)].sort((a, b) => a - b)
    const changed = range && from >= 0 ? ids.slice(from, to + 1) : [id]
    for (const each of changed) this.picked[on ? "add" : "delete"](each)
    this.last = id
    this.changed()
  }

  all() { this.replace(this.ids) }

  replace(ids) {
    this.picked = new Set(ids)
    this.changed()
  }

  changed() {
    this.show()
    this.sheet.reportState("picked", [...this.picked])
  }

  // Drops what is no longer shown; takes over what the page has changed by itself, which has a new version.
  update(chosen) {
    const shown = new Set(this.ids)
    if (chosen && chosen.version !== this.version) this.picked = new Set(chosen.ids)
    this.version = chosen?.version
    this.picked = new Set([...this.picked].filter((id) => shown.has(id)))
    this.show()
  }

  show() {
    for (const item of this.sheet.querySelectorAll(".frame")) {
      const on = this.has(item.dataset.id)
      item.classList.toggle("picked", on)
      const box = item.querySelector(".pick")
      if (box) box.checked = on
    }
  }
}

function columnsOf(sheet) {
  return getComputedStyle(sheet).gridTemplateColumns.split(" ").length
}

function moveFocus(sheet, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columnsOf(sheet), ArrowUp: -columnsOf(sheet) }[event.key]
  const frames = [...sheet.querySelectorAll(".open")]
  const target = frames[frames.indexOf(event.target) + step]
  if (!target) return
  event.preventDefault()
  target.focus()
  if (event.shiftKey && sheet.dataset.pick) sheet.picks.set(target.closest(".frame").dataset.id, true)
}

// Keys that pick: x or Space this picture, Ctrl+A all that are shown, Escape none.
function pickByKey(sheet, event) {
  const { picks } = sheet
  const { id } = event.target.closest(".frame").dataset
  if (event.key === "Enter" && sheet.dataset.pick === "select") sheet.report("opened", id)
  else if (event.key === "a" && (event.ctrlKey || event.metaKey)) picks.all()
  else if (event.key === "Escape" && picks.picked.size) picks.replace([])
  else if ((event.key === "x" || event.key === " ") && !event.ctrlKey && !event.metaKey)
    picks.set(id, !picks.has(id), event.shiftKey)
  else return
  event.preventDefault()
  event.stopPropagation()
}

function onKey(sheet, event) {
  if (!event.target.classList.contains("open")) return
  if (sheet.dataset.pick) pickByKey(sheet, event)
  if (!event.defaultPrevented) moveFocus(sheet, event)
}

// Puts the focus on a picture's frame as soon as no dialog holds it.
function returnFocus(sheet, id, tries = 40) {
  if (document.querySelector('[role="dialog"]')) {
    if (tries) setTimeout(() => returnFocus(sheet, id, tries - 1), 50)
    return
  }
  const frame = [...sheet.querySelectorAll(".frame")].find((item) => item.dataset.id === id)
  frame?.querySelector(".open").focus()
}

export default function (component) {
  const { data, parentElement, setTriggerValue, setStateValue } = component
  const sheet = parentElement.querySelector(".sheet")
  if (!sheet) return
  sheet.picks ??= new Picks(sheet)
  sheet.report = setTriggerValue
  sheet.reportState = setStateValue
  const drawn = JSON.stringify([data.frames, data.divider, Boolean(data.thumbs), Boolean(data.pick)])
  sheet.className = `sheet ${data.size}`
  sheet.dataset.pick = data.pick ?? ""
  if (sheet.dataset.drawn !== drawn) {
    const judge = (id, which) => sheet.judge(id, which)
    sheet.replaceChildren(...data.frames.map((frame) => build(frame, sheet, data, sheet.picks, judge)))
    if (data.divider) sheet.children[data.divider.after]?.before(divider(data.divider.text))
    sheet.dataset.drawn = drawn
    delete sheet.dataset.clicks
  }
  sheet.picks.update(data.picked)
  if (data.thumbs) {
    sheet.judge = judging(sheet, data, setStateValue)
    showThumbs(sheet, data)
  }
  if (sheet.dataset.open && !data.open) returnFocus(sheet, data.viewed || sheet.dataset.open)
  sheet.dataset.open = data.open ?? ""
  sheet.onkeydown = (event) => onKey(sheet, event)
}

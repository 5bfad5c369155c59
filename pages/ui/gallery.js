// Builds the frames of a contact sheet and reports what a person does with them.
// Texts are set with textContent and setAttribute only: nothing from outside is parsed as HTML.

function element(tag, className, text) {
  const node = document.createElement(tag)
  node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

function mediaUrl(path) {
  // Pages are one level deep, so a path relative to the page is relative to the server's base.
  return new URL(path.replace(/^\//, ""), document.baseURI).href
}

function picture(frame) {
  const mat = element("span", "mat")
  const image = element("img", "")
  image.alt = frame.title
  image.loading = "lazy"
  image.decoding = "async"
  image.onerror = () => {
    image.remove()
    mat.classList.add("missing")
  }
  image.src = mediaUrl(frame.url)
  mat.append(image)
  return mat
}

function caption(frame) {
  const line = element("span", "caption")
  line.append(element("span", "number", String(frame.number)), element("span", "title", frame.title))
  if (frame.similarity) {
    const score = element("span", "similarity", frame.similarity)
    score.title = "cosine similarity to the query"
    line.append(score)
  }
  return line
}

function tick(frame, picks) {
  const box = element("input", "pick")
  box.type = "checkbox"
  box.checked = picks.has(frame.id)
  box.setAttribute("aria-label", `Pick ${frame.title}`)
  box.onchange = () => picks.toggle(frame.id, box.checked)
  return box
}

function build(frame, report, data, picks) {
  const item = element("div", "frame")
  item.setAttribute("role", "listitem")
  item.dataset.id = frame.id
  const open = element("button", "open")
  open.type = "button"
  open.title = frame.title
  open.append(picture(frame), caption(frame))
  if (frame.reason) open.append(element("span", "reason", frame.reason))
  open.onclick = () => report("opened", frame.id)
  if (frame.suggested) open.classList.add("suggested")
  item.append(open)
  if (data.pickable) item.append(tick(frame, picks))
  if (!data.cards) {
    const similar = element("button", "similar", "More like this")
    similar.type = "button"
    similar.setAttribute("aria-label", `More like ${frame.title}`)
    similar.onclick = () => report("similar", frame.id)
    item.append(similar)
  }
  return item
}

function picksOf(sheet, setStateValue) {
  const picked = new Set((sheet.dataset.picked || "").split(" ").filter(Boolean))
  return {
    has: (id) => picked.has(id),
    toggle: (id, on) => {
      if (on) picked.add(id)
      else picked.delete(id)
      sheet.dataset.picked = [...picked].join(" ")
      setStateValue("picked", [...picked])
    },
  }
}

function columnsOf(sheet) {
  return getComputedStyle(sheet).gridTemplateColumns.split(" ").length
}

function moveFocus(sheet, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columnsOf(sheet), ArrowUp: -columnsOf(sheet) }[event.key]
  const frames = [...sheet.querySelectorAll(".open")]
  const here = frames.indexOf(event.target.closest(".open"))
  if (step === undefined || here < 0) return
  const target = frames[here + step]
  if (target) {
    event.preventDefault()
    target.focus()
  }
}

export default function (component) {
  const { data, parentElement, setTriggerValue, setStateValue } = component
  const sheet = parentElement.querySelector(".sheet")
  if (!sheet) return
  const drawn = JSON.stringify(data.frames)
  sheet.className = `sheet ${data.size}`
  if (sheet.dataset.drawn !== drawn) {
    sheet.replaceChildren(...data.frames.map((frame) => build(frame, setTriggerValue, data, picksOf(sheet, setStateValue))))
    sheet.dataset.drawn = drawn
  }
  sheet.onkeydown = (event) => moveFocus(sheet, event)
}

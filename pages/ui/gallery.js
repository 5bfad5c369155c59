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

function build(frame, report) {
  const item = element("div", "frame")
  item.setAttribute("role", "listitem")
  item.dataset.id = frame.id
  const open = element("button", "open")
  open.type = "button"
  open.title = frame.title
  open.append(picture(frame), caption(frame))
  if (frame.reason) open.append(element("span", "reason", frame.reason))
  open.onclick = () => report("opened", frame.id)
  const similar = element("button", "similar", "More like this")
  similar.type = "button"
  similar.setAttribute("aria-label", `More like ${frame.title}`)
  similar.onclick = () => report("similar", frame.id)
  item.append(open, similar)
  return item
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
  const { data, parentElement, setTriggerValue } = component
  const sheet = parentElement.querySelector(".sheet")
  if (!sheet) return
  const drawn = JSON.stringify(data.frames)
  sheet.className = `sheet ${data.size}`
  if (sheet.dataset.drawn !== drawn) {
    sheet.replaceChildren(...data.frames.map((frame) => build(frame, setTriggerValue)))
    sheet.dataset.drawn = drawn
  }
  sheet.onkeydown = (event) => moveFocus(sheet, event)
}

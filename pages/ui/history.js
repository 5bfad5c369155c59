// Decides which addresses Back and Forward walk through.
// Streamlit replaces the address when a widget changes it and pushes one when a script does, so that searches would
// leave no trace and one click could leave two. Here whatever a person does makes one entry, if it leads elsewhere.

const TYPING_MS = 5000
const ACTIONS = ["pointerdown", "keydown", "click"]

// An address without what only adjusts the page that it shows.
export function placeOf(address, adjustments) {
  const url = new URL(address)
  for (const name of adjustments) url.searchParams.delete(name)
  for (const [name, value] of [...url.searchParams]) if (!value) url.searchParams.delete(name, value)
  url.searchParams.sort()
  return url.pathname + url.search
}

// Whether `to` is the same search as `from`, with more typed behind its words.
export function typesFurther(from, to, words) {
  const [before, after] = [new URL(from), new URL(to)]
  const [start, whole] = [before.searchParams.get(words), after.searchParams.get(words)]
  if (!start || !whole?.startsWith(start)) return false
  before.searchParams.set(words, whole)
  return placeOf(before, []) === placeOf(after, [])
}

export function installHistory(window, { adjustments, words }) {
  const { history } = window
  const write = { push: history.pushState.bind(history), replace: history.replaceState.bind(history) }
  let acted = false // since the last entry: at most one for each thing that a person does
  let entered = -Infinity
  let following = false // a follow-up is typed in a field of its own, and is a search of its own

  function go(state, title, address) {
    const [from, to] = [window.location.href, new URL(address ?? "", window.location.href).href]
    const typing = !following && Date.now() - entered < TYPING_MS && typesFurther(from, to, words)
    if (!acted || typing || placeOf(from, adjustments) === placeOf(to, adjustments)) {
      write.replace(state, title, to)
      return
    }
    acted = false
    entered = Date.now()
    write.push(state, title, to)
  }

  for (const action of ACTIONS) {
    window.addEventListener(action, ({ target }) => {
      acted = true
      following = target.tagName === "TEXTAREA"
    }, { capture: true, passive: true })
  }
  window.addEventListener("popstate", () => { acted = false }, { capture: true })
  history.pushState = go
  history.replaceState = go
}

export default function ({ data }) {
  if (window.contactSheetHistory) return
  window.contactSheetHistory = true
  installHistory(window, data)
}

// The key / goes to the search box, unless something is being written.

const FIELDS = "input, textarea, select, [contenteditable]"

export function findsBox(event, label) {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null
  const written = event.composedPath()[0]
  if (written.matches?.(FIELDS) && written.type !== "checkbox") return null
  if (document.querySelector('[role="dialog"]')) return null
  return [...document.querySelectorAll("input")].find((input) => input.getAttribute("aria-label") === label) ?? null
}

export default function ({ data }) {
  const press = (event) => {
    const box = findsBox(event, data.label)
    if (!box) return
    event.preventDefault()
    box.focus()
    box.select()
  }
  if (window.contactSheetShortcut) window.removeEventListener("keydown", window.contactSheetShortcut)
  window.contactSheetShortcut = press
  window.addEventListener("keydown", press)
  if (data.ascents > (window.contactSheetAscents ?? 0)) document.querySelector('[data-testid="stMain"]')?.scrollTo(0, 0)
  window.contactSheetAscents = data.ascents
}

// A button that copies the address of the page; where a browser does not let it, it shows the address to copy.

const SHOWN_MS = 2000

async function copy(button, field) {
  const address = window.location.href
  try {
    await navigator.clipboard.writeText(address)
  } catch { // no permission, or no clipboard: it needs https or this computer
    field.hidden = false
    field.value = address
    field.focus()
    field.select()
    return
  }
  button.textContent = "Link copied"
  setTimeout(() => { button.textContent = "Copy link" }, SHOWN_MS)
}

export default function ({ parentElement }) {
  const button = parentElement.querySelector(".copy")
  const field = parentElement.querySelector(".address")
  if (!button || button.onclick) return
  button.onclick = () => copy(button, field)
  field.onblur = () => { field.hidden = true }
  field.onkeydown = (event) => {
    if (event.key !== "Escape") return
    event.stopPropagation()
    field.hidden = true
    button.focus()
  }
}

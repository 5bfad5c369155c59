// Plotly as far as the map uses it: `drawn` holds what `react` was given.

export class FakePlotly {
  constructor() {
    this.drawn = []
    this.purges = 0
    this.resized = []
    this.paused = Promise.resolve()
    this.Plots = { resize: (node) => this.resized.push(node) }
  }

  // Like the real one, it fills the node's layout, keeps its ranges while `uirevision` is the same, and listeners of
  // other calls.
  async react(node, traces, layout) {
    const stays = node.layout && node.layout.uirevision === layout.uirevision
    const { xaxis, yaxis } = stays ? node.layout : layout
    this.drawn.push({ traces, layout })
    node.layout = { ...layout, xaxis: { ...xaxis }, yaxis: yaxis && { ...yaxis } }
    node.listeners ??= {}
    node.on = (name, listener) => (node.listeners[name] ??= []).push(listener)
    node.emit = (name, event) => (node.listeners?.[name] ?? []).forEach((listener) => listener(event))
    await this.paused
  }

  purge(node) {
    this.purges += 1
    for (const name of ["layout", "listeners", "on"]) delete node[name]
  }

  pause() {
    this.paused = new Promise((resolve) => (this.resume = resolve))
  }
}

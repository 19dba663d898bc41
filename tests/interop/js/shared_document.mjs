// The example's Yjs document in a page: bundled by esbuild, driven by Playwright.
import { join } from "../../../examples/whiteboard/meeting.mjs";
import { show } from "../../../examples/whiteboard/page.mjs";

window.shared = {
  async open(options) { Object.assign(this, await join(options)); },
  insert(at, text) { this.document.getText("text").insert(at, text); },
  remove(at, size) { this.document.getText("text").delete(at, size); },
  set(key, value) { this.document.getMap("map").set(key, value); },
  content() {
    return { text: this.document.getText("text").toString(), map: this.document.getMap("map").toJSON() };
  },
  // Whether a cell of the board is painted.
  board() {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 100 });
    document.body.append(canvas);
    show(canvas, this.document.getArray("points"));
    this.isPainted = (x, y) => canvas.getContext("2d").getImageData(x * 20 + 10, y * 20 + 10, 1, 1).data[3] > 0;
  },
};

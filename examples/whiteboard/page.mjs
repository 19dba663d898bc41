// The board of examples/whiteboard.py on a page. Bundle it beside index.html:
//   npm install yjs amazon-chime-sdk-js esbuild
//   npx esbuild page.mjs --bundle --define:global=window --outfile=page.js
// and open index.html#JSON, the JSON of {"meeting": ..., "attendee": ...} as your back end answers them.
import { join } from "./meeting.mjs";

const CELL = 20;

export function show(canvas, points) {
  const paint = () => {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const { x, y } of points.toJSON()) pen.fillRect(x * CELL, y * CELL, CELL, CELL);
  };
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) {
      points.push([{ x: Math.floor(event.offsetX / CELL), y: Math.floor(event.offsetY / CELL) }]);
    }
  });
  points.observe(paint);
  paint();
}

export async function open(canvas, options) {
  const joined = await join({ topic: "board", ...options });
  show(canvas, joined.document.getArray("points"));
  return joined;
}

const canvas = document.querySelector("canvas#board");
if (canvas && location.hash) open(canvas, JSON.parse(decodeURIComponent(location.hash.slice(1))));

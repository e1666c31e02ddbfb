"use strict";

// A canvas that zooms and pans over a field of `width` x `height` level-0 pixels.
// view: canvas px = (field position) * scale + (left, top).
class Stage {
  constructor(canvas, width, height, draw, point) {
    Object.assign(this, { canvas, width, height, draw, point, scale: 1, left: 0, top: 0, pointers: new Map() });
    this.context = canvas.getContext("2d");
    new ResizeObserver(() => this.fit()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(name, (event) => this.onUp(event));
    canvas.addEventListener("keydown", (event) => this.onKey(event));
  }

  get least() {
    return Math.min(this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height);
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.clientWidth * ratio;
    this.canvas.height = this.canvas.clientHeight * ratio;
    this.scale = this.least;
    this.centre(this.width / 2, this.height / 2);
  }

  centre(x, y) {
    this.left = this.canvas.clientWidth / 2 - x * this.scale;
    this.top = this.canvas.clientHeight / 2 - y * this.scale;
    this.redraw();
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(Math.max(this.scale * factor, this.least), this.least * 60);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.redraw();
  }

  move(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.keepInside();
      const ratio = window.devicePixelRatio || 1;
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
      this.draw(this.context, this);
    });
  }

  // The middle of the canvas always shows a part of the field.
  keepInside() {
    const [w, h] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    this.left = Math.min(w, Math.max(w - this.width * this.scale, this.left));
    this.top = Math.min(h, Math.max(h - this.height * this.scale, this.top));
  }

  onWheel(event) {
    if (event.deltaY > 0 && this.scale <= this.least * 1.001) return; // the page scrolls on
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.moved = 0;
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.point(event.offsetX, event.offsetY, false);
    const now = [event.offsetX, event.offsetY];
    const other = [...this.pointers].find(([id]) => id !== event.pointerId);
    this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (other) {
      const far = (place) => Math.max(Math.hypot(place[0] - other[1][0], place[1] - other[1][1]), 1);
      this.zoom(far(now) / far(before), (now[0] + other[1][0]) / 2, (now[1] + other[1][1]) / 2);
    } else if (this.moved > 3) {
      this.move(now[0] - before[0], now[1] - before[1]);
    }
    this.pointers.set(event.pointerId, now);
  }

  onUp(event) {
    if (this.pointers.delete(event.pointerId) && event.type === "pointerup" && this.moved <= 3) {
      this.point(event.offsetX, event.offsetY, true);
    }
    if (event.type === "pointerleave") this.point(NaN, NaN, false);
  }

  onKey(event) {
    const step = 60;
    const actions = {
      "+": () => this.zoom(1.4), "=": () => this.zoom(1.4), "-": () => this.zoom(1 / 1.4), 0: () => this.fit(),
      ArrowLeft: () => this.move(step, 0), ArrowRight: () => this.move(-step, 0),
      ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

"""The viewer: a slide at full resolution with what each stage made of it, on a local page."""

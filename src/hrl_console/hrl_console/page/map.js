// The site from above: x to the right, y up, as in frame map.

const MARGIN = 0.3; // m

export const KEY = [
  ["--good", "robot and its way"], ["--accent", "scan"], ["--warn", "way that is blocked"],
  ["--bad", "person, and where he goes"], ["--ink", "item, where it was seen last"],
];

export function drawMap(canvas, state) {
  const { site, robot, trail, beliefs, decision } = state;
  if (!site) return;
  const [sx, sy] = site.size;
  const width = canvas.clientWidth;
  const scale = width / (sx + 2 * MARGIN); // px/m
  const height = scale * (sy + 2 * MARGIN);
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const draw = canvas.getContext("2d");
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const at = ([x, y]) => [(x + MARGIN) * scale, height - (y + MARGIN) * scale];
  const path = (points, closed) => {
    draw.beginPath();
    points.forEach((point, k) => (k ? draw.lineTo(...at(point)) : draw.moveTo(...at(point))));
    if (closed) draw.closePath();
  };
  const polygon = (points, fill, line) => {
    path(points, true);
    if (fill) { draw.fillStyle = fill; draw.fill(); }
    if (line) { draw.strokeStyle = line; draw.stroke(); }
  };
  const label = (text, point, ink, dy = 4) => {
    const [x, y] = at(point);
    draw.fillStyle = ink;
    draw.fillText(text, x, y + dy);
  };
  draw.lineWidth = 1;
  draw.textAlign = "center";
  draw.font = `${Math.max(9, Math.min(13, scale / 4))}px system-ui, sans-serif`;
  polygon([[0, 0], [sx, 0], [sx, sy], [0, sy]], colour("--floor"), colour("--muted"));
  for (const shelf of site.shelves) polygon(shelf, colour("--shelf"));
  for (const station of site.stations) polygon(station, colour("--good-paper"), colour("--good"));

  draw.lineWidth = 4;
  draw.setLineDash([6, 5]);
  for (const way of beliefs?.blocked ?? []) {
    path(way);
    draw.strokeStyle = colour("--warn");
    draw.stroke();
  }
  draw.setLineDash([]);
  draw.lineWidth = 2;
  if (trail?.length) { path(trail); draw.strokeStyle = colour("--good"); draw.stroke(); }
  if (decision?.goal && robot?.pose) {
    draw.setLineDash([2, 4]);
    path([robot.pose, decision.goal]);
    draw.stroke();
    draw.setLineDash([]);
  }

  const points = robot?.scan ?? [];
  draw.fillStyle = colour("--accent");
  for (let k = 0; k < points.length; k += 2) {
    const [x, y] = at([points[k], points[k + 1]]);
    draw.fillRect(x - 1, y - 1, 2.4, 2.4);
  }
  const chosen = new Set([decision?.from, decision?.to]);
  for (const [name, x, y] of site.names) label(name, [x, y], colour(chosen.has(name) ? "--accent" : "--muted"));
  for (const [name, x, y] of beliefs?.items ?? []) {
    const [px, py] = at([x, y]);
    draw.fillStyle = colour("--ink");
    draw.fillRect(px - 3, py - 1, 6, 6);
    label(name, [x, y], colour("--ink"), 16);
  }
  for (const [x, y, heading] of robot?.people ?? []) {
    draw.fillStyle = draw.strokeStyle = colour("--bad");
    draw.beginPath();
    draw.arc(...at([x, y]), Math.max(5, 0.25 * scale), 0, 7);
    draw.fill();
    path([[x, y], [x + 0.6 * Math.cos(heading), y + 0.6 * Math.sin(heading)]]);
    draw.stroke();
  }
  if (robot?.pose) {
    const [x, y, yaw] = robot.pose;
    const c = Math.cos(yaw), s = Math.sin(yaw);
    const place = ([px, py]) => [x + c * px - s * py, y + s * px + c * py];
    polygon(site.footprint.map(place), colour("--good-paper"), colour("--good"));
    const nose = Math.max(...site.footprint.map((corner) => corner[0]));
    polygon([[nose, 0], [0.3 * nose, 0.4 * nose], [0.3 * nose, -0.4 * nose]].map(place), colour("--good"));
    if (robot.std > 0.05) {
      draw.beginPath();
      draw.arc(...at([x, y]), robot.std * scale, 0, 7);
      draw.strokeStyle = colour("--good");
      draw.stroke();
    }
  }
}

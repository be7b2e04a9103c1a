/** Points as they were logged: x y z, with a class, or with a colour; and boxes among them. */

export interface CloudBox {
  color: string;
  label?: string;
  corners?: number[][];
  center: [number, number, number];
  size: [number, number, number];
  orientation: [number, number, number, number];
}

export interface Cloud {
  positions: Float32Array;
  /** Red, green and blue from 0 to 1 of each point. */
  colors: Float32Array | null;
  classes: number[] | null;
  boxes: CloudBox[];
}

type Logged = number[][] | { points: number[][]; boxes?: Record<string, any>[] };

export function parseCloud(logged: Logged): Cloud {
  const points = Array.isArray(logged) ? logged : logged.points;
  const boxes = Array.isArray(logged) ? [] : (logged.boxes ?? []);
  const width = points[0]?.length ?? 3;
  const positions = new Float32Array(3 * points.length);
  const colors = width >= 6 ? new Float32Array(3 * points.length) : null;
  points.forEach((point, at) => {
    positions.set(point.slice(0, 3), 3 * at);
    colors?.set(point.slice(3, 6).map((part) => part / 255), 3 * at);
  });
  return { positions, colors, classes: width === 4 ? points.map((point) => point[3]!) : null, boxes: boxes.map(toBox) };
}

function toBox(box: Record<string, any>): CloudBox {
  const [r, g, b] = (box.color ?? [255, 255, 0]) as number[];
  return {
    color: `rgb(${r}, ${g}, ${b})`,
    label: box.label,
    corners: box.corners,
    center: box.center ?? [0, 0, 0],
    size: box.size ?? [1, 1, 1],
    orientation: box.orientation ?? [0, 0, 0, 1],
  };
}

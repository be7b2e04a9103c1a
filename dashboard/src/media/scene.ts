/**
 * Clouds of points and models; loaded when the first is shown. Browsers allow about sixteen WebGL contexts, so one renderer
 * draws for all panels, and its picture is copied to the panel's own canvas.
 */

import {
  AmbientLight, Box3, BoxGeometry, BufferAttribute, BufferGeometry, Color, DirectionalLight, EdgesGeometry, Group, LineBasicMaterial,
  LineSegments, Mesh, MeshStandardMaterial, PerspectiveCamera, Points, PointsMaterial, Quaternion, Scene as ThreeScene, Vector3, WebGLRenderer,
  type Object3D,
} from 'three';
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js';
import { ConvexGeometry } from 'three/examples/jsm/geometries/ConvexGeometry.js';
import { GLTFLoader } from 'three/examples/jsm/loaders/GLTFLoader.js';
import { OBJLoader } from 'three/examples/jsm/loaders/OBJLoader.js';
import { STLLoader } from 'three/examples/jsm/loaders/STLLoader.js';
import { getBytes, getJson, getText, type Reference } from '../api/media';
import { colorOf } from '../model/palette';
import { theme } from '../state/theme.svelte';
import { parseCloud, type Cloud, type CloudBox } from './cloud';

export interface Scene {
  facts: string;
  resize(width: number, height: number): void;
  dispose(): void;
}

let shared: WebGLRenderer | null = null;

function renderer(): WebGLRenderer {
  try {
    shared ??= new WebGLRenderer({ alpha: true, antialias: true, preserveDrawingBuffer: true });
  } catch {
    throw new Error('This browser offers no WebGL, which objects in space need.');
  }
  return shared;
}

export async function openScene(canvas: HTMLCanvasElement, reference: Reference): Promise<Scene> {
  const draws = renderer();
  const { content, facts } = await load(reference);
  const scene = new ThreeScene();
  const sun = new DirectionalLight(0xffffff, 2.2);
  scene.add(content, new AmbientLight(0xffffff, 1.4), sun);
  const camera = new PerspectiveCamera(45, 1, 0.01, 1000);
  const controls = new OrbitControls(camera, canvas);
  let size = { width: 0, height: 0 };
  let waiting = 0;

  function render() {
    waiting = 0;
    if (!size.width) return;
    const ratio = Math.min(2, devicePixelRatio || 1);
    sun.position.copy(camera.position);
    draws.setPixelRatio(ratio);
    draws.setSize(size.width, size.height, false);
    draws.render(scene, camera);
    [canvas.width, canvas.height] = [size.width * ratio, size.height * ratio];
    canvas.getContext('2d')!.drawImage(draws.domElement, 0, 0);
  }
  const later = () => (waiting ||= requestAnimationFrame(render));
  function seeAll() {
    const box = new Box3().setFromObject(content);
    const middle = box.getCenter(new Vector3());
    const reach = Math.max(1e-6, box.getSize(new Vector3()).length() / 2);
    camera.near = reach / 100;
    camera.far = reach * 100;
    camera.position.copy(middle).add(new Vector3(1, 0.8, 1.4).setLength(reach * 2.2));
    controls.target.copy(middle);
    camera.updateProjectionMatrix();
    controls.update();
    later();
  }
  controls.addEventListener('change', later);
  controls.listenToKeyEvents(canvas);
  canvas.addEventListener('dblclick', seeAll);
  seeAll();
  return {
    facts,
    resize(width, height) {
      size = { width, height };
      camera.aspect = width / height;
      camera.updateProjectionMatrix();
      later();
    },
    dispose() {
      cancelAnimationFrame(waiting);
      canvas.removeEventListener('dblclick', seeAll);
      controls.dispose();
      scene.traverse((one) => (one as Mesh).geometry?.dispose());
    },
  };
}

async function load(reference: Reference): Promise<{ content: Object3D; facts: string }> {
  switch (reference.format) {
    case 'pts.json':
      return fromCloud(parseCloud(await getJson(reference)));
    case 'obj':
      return model(new OBJLoader().parse(await getText(reference)));
    case 'stl':
      return model(new Mesh(new STLLoader().parse(await getBytes(reference)), plain()));
    case 'glb':
    case 'gltf':
      return model((await new GLTFLoader().parseAsync(await getBytes(reference), '')).scene);
    default:
      throw new Error(`There is no viewer for the format ${reference.format}.`);
  }
}

const plain = () => new MeshStandardMaterial({ color: new Color(colorOf(0, theme.dark)), roughness: 0.75, side: 2 });

function model(content: Object3D): { content: Object3D; facts: string } {
  let triangles = 0;
  content.traverse((one) => {
    const mesh = one as Mesh;
    if (!mesh.isMesh) return;
    if ((mesh.material as { type?: string }).type === 'MeshPhongMaterial') mesh.material = plain();
    triangles += (mesh.geometry.index?.count ?? mesh.geometry.attributes.position?.count ?? 0) / 3;
  });
  return { content, facts: `${Math.round(triangles).toLocaleString()} triangles` };
}

function fromCloud(cloud: Cloud): { content: Object3D; facts: string } {
  const content = new Group();
  const geometry = new BufferGeometry();
  geometry.setAttribute('position', new BufferAttribute(cloud.positions, 3));
  const colors = cloud.colors ?? byClass(cloud);
  if (colors) geometry.setAttribute('color', new BufferAttribute(colors, 3));
  const material = new PointsMaterial({ size: 2.6, sizeAttenuation: false, vertexColors: !!colors });
  if (!colors) material.color = new Color(colorOf(0, theme.dark));
  content.add(new Points(geometry, material));
  for (const box of cloud.boxes) content.add(edgesOf(box));
  const boxes = cloud.boxes.length ? ` · ${cloud.boxes.length} boxes` : '';
  return { content, facts: `${(cloud.positions.length / 3).toLocaleString()} points${boxes}` };
}

function edgesOf(box: CloudBox): LineSegments {
  // Corners may come in any order, so the edges are those of the hull around them.
  const shape = box.corners ? new ConvexGeometry(box.corners.map((corner) => new Vector3(...(corner as [number, number, number])))) : new BoxGeometry(...box.size);
  const edges = new LineSegments(new EdgesGeometry<BufferGeometry>(shape), new LineBasicMaterial({ color: new Color(box.color) }));
  if (!box.corners) {
    edges.quaternion.copy(new Quaternion(...box.orientation));
    edges.position.set(...box.center);
  }
  return edges;
}

function byClass(cloud: Cloud): Float32Array | null {
  if (!cloud.classes) return null;
  const colors = new Float32Array(cloud.positions.length);
  const found = new Color();
  cloud.classes.forEach((id, at) => found.set(colorOf(Math.max(0, id - 1), theme.dark)).toArray(colors, 3 * at));
  return colors;
}

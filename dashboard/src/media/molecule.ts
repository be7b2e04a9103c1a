/** Molecules: SMILES as a drawing, the other formats in space; each viewer is loaded when it is first needed. */

import { getBytes, getText, type Reference } from '../api/media';

const PARSED_AS: Record<string, string> = { sd: 'sdf', mol: 'sdf', mmcif: 'mmcif', mcif: 'mmcif' };
const LARGE_ATOMS = 200;

/** Draws into an element; returns what takes the drawing away. */
export const draw = (target: HTMLElement, molecule: Reference, dark: boolean): Promise<() => void> =>
  molecule.format === 'smi' ? drawSmiles(target, molecule, dark) : drawInSpace(target, molecule);

async function drawSmiles(target: HTMLElement, molecule: Reference, dark: boolean): Promise<() => void> {
  const { default: SmilesDrawer } = await import('smiles-drawer');
  const text = (await getText(molecule)).trim().split(/\s+/)[0] ?? '';
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  await new Promise<void>((resolve, reject) => {
    const drawer = new SmilesDrawer.SvgDrawer({ width: target.clientWidth, height: target.clientHeight, bondThickness: 1.2 });
    SmilesDrawer.parse(text, (tree: unknown) => { drawer.draw(tree, svg, dark ? 'dark' : 'light'); resolve(); }, (error: Error) =>
      reject(new Error(`“${text.slice(0, 60)}” is no SMILES: ${error.message}`)),
    );
  });
  target.replaceChildren(svg);
  return () => svg.remove();
}

async function drawInSpace(target: HTMLElement, molecule: Reference): Promise<() => void> {
  const format = molecule.format ?? 'pdb';
  const [{ createViewer }, content] = await Promise.all([import('3dmol'), format === 'mmtf' ? getBytes(molecule) : getText(molecule)]);
  const viewer = createViewer(target, { backgroundAlpha: 0, antialias: true, disableFog: true });
  if (!viewer) throw new Error('This browser offers no WebGL, which molecules in space need.');
  const model = viewer.addModel(content as string, PARSED_AS[format] ?? format);
  if (model.selectedAtoms({}).length > LARGE_ATOMS) {
    viewer.setStyle({}, { cartoon: { color: 'spectrum' } });
    viewer.setStyle({ hetflag: true }, { stick: { radius: 0.15 } });
  } else viewer.setStyle({}, { stick: { radius: 0.14 }, sphere: { scale: 0.26 } });
  viewer.zoomTo();
  viewer.render();
  return () => {
    viewer.clear();
    target.querySelector('canvas')?.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
    target.replaceChildren();
  };
}

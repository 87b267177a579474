// Turns JavaScript into a component with StarlingMonkey, as `build.py` calls it:
//
//     node starling.mjs FOLDER_OF_NODE_MODULES SOURCE WIT WORLD OUTPUT
//
// By the tool's own interface: through jco 1.35 it finds no WIT at all.
import { readFile, writeFile } from "node:fs/promises";

const [modules, source, wit, world, output] = process.argv.slice(2);
const { componentize } = await import(`${modules}/@bytecodealliance/componentize-js/src/componentize.js`);
const { component } = await componentize(await readFile(source, "utf8"), { sourceName: source, witPath: wit, worldName: world });
await writeFile(output, component);

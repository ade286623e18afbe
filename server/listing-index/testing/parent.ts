/** A process that has an index as its child, says which, and waits to be killed. */
import { nodeMachine } from '#server/platform/node-machine.ts';
import { IndexChild } from '../child.ts';

const machine = nodeMachine();
const child = new IndexChild('the-key-of-a-parent-that-is-killed', machine);
const tell = (): void => {
  if (child.address === undefined) machine.timers.after(10, tell);
  else process.stdout.write(`${child.pid}\n`);
};
tell();

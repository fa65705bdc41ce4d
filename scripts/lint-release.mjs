// Parses what can only be run elsewhere: the Containerfile, and the workflow that builds a release. Exit 1 names what is wrong.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../end2end/package.json', import.meta.url));
const { validate } = require('dockerfile-utils');
const { load } = require('js-yaml');
const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const wrong = [];

for (const { range, message } of validate(read('Containerfile'))) wrong.push(`Containerfile:${range.start.line + 1}: ${message}`);

const workflow = '.github/workflows/release.yml';
try {
  const { on, jobs } = load(read(workflow));
  if (!on) wrong.push(`${workflow}: it says nowhere when it runs`);
  for (const [name, job] of Object.entries(jobs ?? {})) {
    if (!job['runs-on']) wrong.push(`${workflow}: job ${name} runs on nothing`);
    for (const need of [job.needs ?? []].flat()) if (!(need in jobs)) wrong.push(`${workflow}: job ${name} needs ${need}, which is none`);
    for (const step of job.steps ?? []) if (!step.run === !step.uses) wrong.push(`${workflow}: a step of ${name} is neither run nor used`);
  }
  if (Object.keys(jobs ?? {}).length === 0) wrong.push(`${workflow}: it has no jobs`);
} catch (cause) {
  wrong.push(`${workflow}: ${cause.message}`);
}

for (const line of wrong) console.error(line);
process.exitCode = wrong.length > 0 ? 1 : 0;

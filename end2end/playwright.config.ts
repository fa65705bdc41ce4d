import { defineConfig, devices } from '@playwright/test';

/** Anything outside this machine does not resolve: a page that fetches a font or a script from there fails its test. */
const ONLY_HERE = '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost';

const desk = { viewport: { width: 1280, height: 800 } };

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  outputDir: 'test-results',
  // A test waits for blocks half of its time: another file's runs meanwhile, each with a shop and a chain of its own.
  workers: 2,
  retries: 0,
  forbidOnly: !!process.env.CI,
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    // A click that finds nothing to click says so, instead of ending as the whole test's time-out.
    actionTimeout: 10_000,
    trace: 'retain-on-failure',
    launchOptions: {
      ...(process.env.CHROMIUM && { executablePath: process.env.CHROMIUM }),
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', ONLY_HERE,
      ],
    },
  },
  projects: [
    // First, by itself: where the workflow does not hold, the rest says nothing.
    { name: 'workflow', testMatch: 'workflow.spec.ts', use: desk },
    { name: 'desk', testIgnore: ['workflow.spec.ts', 'screens.spec.ts'], use: desk },
    { name: 'phone', testMatch: ['browse.spec.ts', 'access.spec.ts'], use: { ...devices['Pixel 7'] } },
    // A file that is not `*.hydrate.spec.ts` also holds with JavaScript off.
    { name: 'no script', testMatch: 'browse.spec.ts', use: { ...desk, javaScriptEnabled: false } },
    // Pictures of every page, on demand: npm run screens.
    ...(process.env.SCREENS ? [{ name: 'screens', testMatch: 'screens.spec.ts' }] : []),
  ],
});

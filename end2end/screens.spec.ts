// Pictures of every page at two widths, light and dark, for whoever judges the looks: npm run screens -- <folder>.

import path from 'node:path';
import { ON_SALE, runExample } from './support/agents.ts';
import { TOKEN } from './support/contracts.ts';
import { open, test } from './support/test.ts';
import { asPayer, PUBLIC } from './support/visits.ts';

const FOLDER = process.env.SCREENS ?? 'screens';

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(() => {
      test.use({ colorScheme, viewport: { width, height: width > 1000 ? 800 : 844 } });

      test(`${width} ${colorScheme}`, async ({ page, context, buyer, wallet, xray }) => {
        test.setTimeout(240_000);
        const shoot = (name: string) =>
          page.screenshot({ path: path.join(FOLDER, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        for (const where of PUBLIC) {
          await open(page, where);
          await shoot(where === '/' ? 'home' : `visitor${where.replaceAll('/', '-')}`);
        }
        for (const agent of ON_SALE) {
          await open(page, `/agents/${agent.slug}`);
          await page.getByRole('main').getByRole('button', { name: agent.example, exact: true }).click();
          await shoot(`agent-${agent.slug}-1-form`);
          await runExample(page, agent);
          await shoot(`agent-${agent.slug}-2-answer`);
        }
        wallet.next('eth_sendTransaction', 'hold');
        await xray.buy({ bytecode: '0x60806' });
        await shoot('call-1-field-error');
        await xray.lookAt({ bytecode: TOKEN });
        await xray.run.click();
        const question = await wallet.question('eth_sendTransaction');
        await shoot('call-2-in-wallet');
        question.reject();
        await xray.main.getByText('Payment cancelled. Nothing was charged.').first().waitFor();
        await shoot('call-3-declined');
        await xray.main.getByRole('button', { name: /^(Try again|Run for 0\.0001 MON)$/ }).first().click();
        await xray.done();
        await shoot('call-4-answer');
        for (const where of await asPayer(context, buyer)) {
          await open(page, where);
          await shoot(`payer${where.replace(/[0-9a-f-]{36}/, '').replace(/\?.*/, '-again').replaceAll('/', '-')}`);
        }
      });
    });
  }
}

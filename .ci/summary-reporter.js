import { writeFileSync } from 'node:fs';

/** Writes `passed failed` of a Jest run to the file that GAVEL_TEST_SUMMARY names. A test file that cannot run counts as a failure. */
export default class SummaryReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numRuntimeErrorTestSuites }) {
    writeFileSync(process.env['GAVEL_TEST_SUMMARY'], `${numPassedTests} ${numFailedTests + numRuntimeErrorTestSuites}\n`);
  }
}

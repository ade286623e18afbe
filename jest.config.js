/** Jest runs the .ts files as they are: Node strips the types, nothing is transpiled. @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testMatch: ['**/*.test.ts'],
  transform: {},
  extensionsToTreatAsEsm: ['.ts'],
  injectGlobals: false,
  watchman: false,
  maxWorkers: 2,
  testTimeout: 20_000,
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/data/', '<rootDir>/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/data/', '<rootDir>/dist/'],
  reporters: ['default', ...(process.env['GAVEL_TEST_SUMMARY'] === undefined ? [] : ['<rootDir>/.ci/summary-reporter.js'])],
};

import { describe, expect, it } from '@jest/globals';
import { isOriginAllowed } from './origins.ts';

describe('an origin', () => {
  it.each([
    [undefined, true, true],
    ['http://gavel.example:2567', true, true],
    ['http://localhost:5173', true, false],
    ['http://127.0.0.1', true, false],
    ['http://[::1]:1', true, false],
    ['https://play.example', true, true],
    ['https://play.example.evil', false, false],
    ['http://localhost.evil', false, false],
    ['http://127.0.0.1.evil', false, false],
    ['file://localhost', false, false],
    ['null', false, false],
    ['', false, false],
  ])('%s may in development: %s, in production: %s', (origin, inDevelopment, inProduction) => {
    const named = ['https://play.example'];
    const isAllowed = (loopback: boolean): boolean => isOriginAllowed({ loopback, named }, origin, 'Gavel.example:2567');
    expect([isAllowed(true), isAllowed(false)]).toEqual([inDevelopment, inProduction]);
  });
});

/**
 * A source file taken apart: its code, with comments and the insides of strings blanked out, and its comments.
 *
 * The type checker of this repository has no programming interface, so the tidy test reads the text itself. The
 * scanner knows comments, strings, templates and regular expressions, and nothing else of the language.
 */

/** One comment: the line that it starts on (from 1), the line that it ends on, and its text with its marks. */
export interface Comment {
  readonly line: number;
  readonly lastLine: number;
  readonly kind: 'line' | 'block';
  readonly text: string;
}

/** One source file. `code` has the same length and line breaks as `text`; quotes stay, what they enclose is blank. */
export interface SourceText {
  readonly path: string;
  readonly text: string;
  readonly code: string;
  readonly comments: readonly Comment[];
}

type TokenKind = 'comment' | 'string' | 'template' | 'expression' | 'code';

interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const STRING = /'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y;
const TEMPLATE_PART = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const EXPRESSION = /\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
const WORD = /[A-Za-z0-9_$]+/y;

/** A slash after one of these starts a regular expression; after anything else it divides. */
const BEFORE_EXPRESSION = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|void|throw|else))$/;

/** Takes a source file apart. Never throws: what it cannot read it takes for code. */
export function readSource(path: string, text: string): SourceText {
  const comments: Comment[] = [];
  let code = '';
  let line = 1;
  for (const token of tokens(text)) {
    const lines = token.text.split('\n').length - 1;
    if (token.kind === 'comment') {
      const kind = token.text.startsWith('//') ? 'line' : 'block';
      comments.push({ line, lastLine: line + lines, kind, text: token.text });
    }
    code += blanked(token);
    line += lines;
  }
  return { path, text, code, comments };
}

/** The line, from 1, of a position in a text. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

function* tokens(text: string): Generator<Token> {
  /** For each template that we are inside of: how many braces are open in its current `${}`. */
  const openBraces: number[] = [];
  let lastCode = '';
  let position = 0;

  while (position < text.length) {
    const token = tokenAt(text, position, lastCode, openBraces);
    position += token.text.length;
    if (token.kind !== 'comment' && token.text.trim() !== '') lastCode = token.kind === 'code' ? token.text.trim() : ')';
    yield token;
  }
}

function tokenAt(text: string, position: number, lastCode: string, openBraces: number[]): Token {
  const comment = matchAt(COMMENT, text, position);
  if (comment !== undefined) return { kind: 'comment', text: comment };
  const string = matchAt(STRING, text, position);
  if (string !== undefined) return { kind: 'string', text: string };
  const expression = BEFORE_EXPRESSION.test(lastCode) ? matchAt(EXPRESSION, text, position) : undefined;
  if (expression !== undefined) return { kind: 'expression', text: expression };

  const character = text.charAt(position);
  const innermost = openBraces.length - 1;
  const depth = openBraces[innermost];
  if (character === '`' || (character === '}' && depth === 0)) {
    if (character === '}') openBraces.pop();
    const part = character + (matchAt(TEMPLATE_PART, text, position + 1) ?? '');
    if (part.endsWith('${')) openBraces.push(0);
    return { kind: 'template', text: part };
  }
  if (depth !== undefined && character === '{') openBraces[innermost] = depth + 1;
  if (depth !== undefined && character === '}') openBraces[innermost] = depth - 1;
  return { kind: 'code', text: matchAt(WORD, text, position) ?? character };
}

function matchAt(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

function blanked(token: Token): string {
  if (token.kind === 'code') return token.text;
  const blank = token.text.replace(/[^\n]/g, ' ');
  if (token.kind === 'comment') return blank;
  return token.text.length < 2 ? token.text : token.text.charAt(0) + blank.slice(1, -1) + token.text.charAt(token.text.length - 1);
}
